#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two boots of the guest that share nothing but a data disk.  In the first,
# demo-boot1.sh starts programs and checkpoints them; in the second,
# demo-boot2.sh restarts them from the images and checks what they computed.

. "${0%/*}/../qemu/lib.sh"
. "$QEMU_DIR/guest.sh"

OUT=$B/demo
rm -rf "$OUT"
mkdir -p "$OUT"

# boot NUMBER
boot()
{
	local status

	say "boot $1: a fresh kernel"
	guest_prepare "$OUT" run "CMD=exec /tests/demo-boot$1.sh"
	guest "$OUT" stdio,id=tty,signal=off </dev/null 2>"$OUT/qemu.log" |
		sed -u -e 's/\r$//' -e 's/^/   /'
	cp "$OUT/kernel.log" "$OUT/kernel.log.$1"
	status=$(guest_status "$OUT")
	[ "$status" != 0 ] || return 0
	echo "the kernel log ends:"
	show_kernel_log "$OUT"
	cat "$OUT/qemu.log"
	die "boot $1 failed (status $status)"
}

begin=$SECONDS
boot 1
say "the guest is off; what is left of the programs is on its disk"
boot 2
say "done in $((SECONDS - begin)) s"
rm -f "$OUT/data.img" "$OUT/xfs.img" "$OUT/btrfs.img" "$OUT/initrd"
