# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Booting the guest.
#
#   guest_prepare DIR MODE [NAME=VALUE...]	what the guest shall do
#   guest DIR CHARDEV [QEMU-OPTION...]		boot it; ttyS1 is CHARDEV
#   guest_status DIR				what it said in the end
#
# DIR holds all that belongs to one boot: initrd, data disk, disks of other file
# systems, the directory that is shared with the guest, kernel log.

# make_data_disk FILE
make_data_disk()
{
	rm -f "$1"
	truncate -s "${DATA_SIZE:-1G}" "$1"
	mke2fs -q -t ext4 -b 4096 -L data -E lazy_itable_init=1,lazy_journal_init=1 \
		"$1" >/dev/null || die "mke2fs $1"
}

# make_xfs_disk FILE, as small as mkfs.xfs makes them
make_xfs_disk()
{
	rm -f "$1"
	truncate -s 300M "$1"
	mkfs.xfs -q -L xfs "$1" >/dev/null || die "mkfs.xfs $1"
}

# make_btrfs_disk FILE
make_btrfs_disk()
{
	rm -f "$1"
	truncate -s 256M "$1"
	mkfs.btrfs -q -m single -L btrfs "$1" >/dev/null || die "mkfs.btrfs $1"
}

guest_prepare()
{
	local dir=$1 mode=$2 arg tmp

	shift 2
	mkdir -p "$dir"
	tmp=$(mktemp -d "$dir/request.XXXXXX") || exit 1
	mkdir "$tmp/request"
	{
		printf 'MODE=%q\n' "$mode"
		for arg in "$@"; do
			# %q may write $'...', which not every shell reads.
			printf "%s='%s'\n" "${arg%%=*}" \
				"$(printf '%s' "${arg#*=}" | sed "s/'/'\\\\''/g")"
		done
	} >"$tmp/request/env"
	(cd "$tmp" && find request | cpio --quiet -o -H newc -R 0:0) \
		>"$dir/request.cpio" || die "cpio"
	rm -rf "$tmp"
	cat "$B/busybox.cpio" "$B/tests.cpio" "$dir/request.cpio" \
		>"$dir/initrd" || die "no initramfs: run 'make test'"
	rm -f "$dir/request.cpio" "$dir/status" "$dir/kernel.log"
	[ -f "$dir/data.img" ] || make_data_disk "$dir/data.img"
	make_xfs_disk "$dir/xfs.img"
	make_btrfs_disk "$dir/btrfs.img"
	rm -rf "$dir/share"
	mkdir "$dir/share"
}

# QEMU may have been built without it; the tests that need it skip then.
share_options()
{
	qemu-system-x86_64 -device virtio-9p-pci,help >/dev/null 2>&1 || return
	printf '%s\n' -fsdev "local,id=share,path=$1/share,security_model=none" \
		-device virtio-9p-pci,fsdev=share,mount_tag=share
}

guest()
{
	local dir=$1 chardev=$2 accel append share

	shift 2
	mapfile -t share < <(share_options "$dir")
	case ${ACCEL:-tcg} in
	tcg)	accel="tcg,thread=multi" ;;
	*)	accel=$ACCEL ;;
	esac
	append="console=ttyS0 panic=-1 printk.time=1 log_buf_len=4M"
	# Two memory nodes, for policies that are about one of them.
	append="$append ignore_loglevel random.trust_cpu=on numa=fake=2 ${APPEND:-}"
	[ -z "${DEBUG:-}" ] || append="$append panic_on_warn=1"
	qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
		-display none -machine q35 -accel "$accel" \
		-cpu "${CPU:-max}" -smp "${CPUS:-2}" -m "${MEM:-2G}" \
		-kernel "$KERNEL/vmlinux" -initrd "$dir/initrd" \
		-append "$append" \
		-serial "file:$dir/kernel.log" -pidfile "$dir/pid" \
		-chardev "$chardev" -serial chardev:tty \
		-serial "file:$dir/status" \
		-drive "file=$B/programs.img,if=virtio,format=raw,readonly=on" \
		-drive "file=$dir/data.img,if=virtio,format=raw,cache=unsafe" \
		-drive "file=$dir/xfs.img,if=virtio,format=raw,cache=unsafe" \
		-drive "file=$dir/btrfs.img,if=virtio,format=raw,cache=unsafe" \
		"${share[@]}" -device virtio-rng-pci "$@"
}

guest_status()
{
	local status

	status=$(tr -d '\r\n' 2>/dev/null <"$1/status")
	printf '%s' "${status:-none}"
}

# The end of the kernel log, from the first complaint of the last test if there
# is one.
show_kernel_log()
{
	gawk '{ sub(/\r$/, "") }
	      /selftest .*: begin/ { first = 0 }
	      /BUG:|Oops|WARNING:|KASAN|Kernel panic/ && !first { first = NR }
	      { line[NR] = $0 }
	      END {
		from = NR - 30
		if (first && first - 2 < from)
			from = first - 2
		for (i = from; i <= NR && i < from + 80; i++)
			if (i > 0)
				print "    " line[i]
	      }' "$1/kernel.log"
}
