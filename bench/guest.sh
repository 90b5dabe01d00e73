#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build what the benchmark needs and run it in a guest.
#
# usage: guest.sh LIST OUTDIR
#
# CLOCK=icount	one CPU, time is instructions executed: repeatable (default)
# CLOCK=wall	two CPUs, wall time
# IMAGES=tmpfs	images go to memory (default)
# IMAGES=ext4	images go to a disk
# MEM=		memory of the guest (8G)
# CPU=		its CPU model (max)
# EXTRA=	programs to be in the guest as well (perf)
# GUEST_SHELL=	a script that is run instead of the benchmark
# K=		a kernel (that of bench/config); NOBUILD=1: all is built

TOP=$(realpath "${0%/*}/..")
BENCH=$TOP/bench
. "$TOP/tools/testing/selftests/checkpoint/qemu/lib.sh"

list=$1
out=$2
root=$B/bench/root
KERNEL=$B/kernel-bench

# criu and the libraries it needs, from the packages; nothing is installed.
criu_packages="criu libbsd0 libgnutls30 libnet1 libnftables1 libnl-3-200
	libprotobuf-c1 libnftnl11 libjansson4 libxtables12 libgmp10 libmnl0
	libmd0 libhogweed6 libnettle8 libtasn1-6 libp11-kit0 libidn2-0
	libunistring2 libffi8 libedit2 libtinfo6 libcap2"

get_criu()
{
	local deb

	[ -x "$B/bench/criu/usr/sbin/criu" ] && return
	mkdir -p "$B/bench/deb" "$B/bench/criu"
	say "fetching criu"
	# shellcheck disable=SC2086
	(cd "$B/bench/deb" && apt-get -q download $criu_packages) \
		>"$B/bench/deb.log" 2>&1 || {
		say "notice: criu cannot be had, its rows will say 'refused'"
		return
	}
	for deb in "$B"/bench/deb/*.deb; do
		dpkg-deb -x "$deb" "$B/bench/criu" || die "$deb"
	done
}

# put PROGRAM: it and its libraries
put()
{
	local dir=$B/bench/criu/usr/lib/x86_64-linux-gnu lib

	[ -x "$1" ] || return
	dir=$dir:$B/bench/criu/lib/x86_64-linux-gnu
	mkdir -p "$root/lib64" "$root/lib/x86_64-linux-gnu"
	cp -L "$1" "$root/bin/"
	LD_LIBRARY_PATH=$dir ldd "$1" |
		gawk '/=> \//{ print $3 } $1 ~ /^\// { print $1 }' |
		while read -r lib; do
		case $lib in
		*/ld-linux*)	cp -L "$lib" "$root/lib64/" ;;
		*)		cp -L "$lib" "$root/lib/x86_64-linux-gnu/" ;;
		esac
	done
}

make_root()
{
	local f

	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,sys,usr,bench,tmp}
	cp "$(command -v busybox)" "$root/bin/"
	for f in $("$root/bin/busybox" --list); do
		[ "$f" = busybox ] || ln -s busybox "$root/bin/$f"
	done
	cp "$BENCH/init" "$root/init"
	chmod 755 "$root/init"
	cp "$list" "$root/bench/list"
	[ -z "${GUEST_SHELL:-}" ] || install "$GUEST_SHELL" "$root/bench/shell"
	echo "a file" >"$root/bench/file"
	for f in work run; do
		gcc -O2 -Wall -static -pthread -o "$root/bench/$f" \
			"$BENCH/$f.c" || die "$f.c"
	done
	cp "$B"/tools/{checkpoint,restart} "$root/bin/" || die "no tools"
	# Libraries are in /usr, too.
	mkdir -p "$root/lib64"
	cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
	put "$B/bench/criu/usr/sbin/criu"
	for f in ${EXTRA:-}; do
		put "$f"
	done
	(cd "$root" && find . -mindepth 1 | LC_ALL=C sort |
		cpio --quiet -o -H newc -R 0:0) >"$out/initrd" || die "cpio"
}

boot()
{
	local clock disk=()

	case ${IMAGES:-tmpfs} in
	tmpfs)	;;
	ext4)	rm -f "$out/disk"
		truncate -s 6G "$out/disk"
		mke2fs -q -t ext4 "$out/disk" || die "mke2fs"
		disk=(-drive "file=$out/disk,if=virtio,format=raw,cache=unsafe") ;;
	*)	die "IMAGES=$IMAGES" ;;
	esac
	case ${CLOCK:-icount} in
	icount)	clock="-accel tcg,thread=single -icount shift=1,sleep=off -smp 1" ;;
	wall)	clock="-accel tcg,thread=multi -smp 2" ;;
	*)	die "CLOCK=$CLOCK" ;;
	esac
	# shellcheck disable=SC2086
	qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
		-display none -machine q35 -cpu "${CPU:-max}" -m "${MEM:-8G}" \
		$clock -kernel "${K:-$KERNEL/vmlinux}" -initrd "$out/initrd" \
		-append "console=ttyS0 panic=-1 ignore_loglevel random.trust_cpu=on" \
		-drive "file=$B/programs.img,if=virtio,format=raw,readonly=on" \
		"${disk[@]}" \
		-serial "file:$out/kernel.log" -serial stdio </dev/null |
		sed -u 's/\r$//' | tee "$out/results"
	rm -f "$out/disk"
	tail -n 1 "$out/results" | grep -q '^# end$' || {
		tail -n 20 "$out/kernel.log" >&2
		die "the guest did not reach the end"
	}
}

mkdir -p "$out" "$B/bench"
[ -n "${NOBUILD:-}" ] || "$QEMU_DIR/build.sh" bench >&2 || exit 1
! grep -qw criu "$list" || get_criu >&2
make_root
{
	git -C "$TOP" log -1 --format='# commit %h'
	git -C "$TOP" diff --quiet HEAD || echo "# with changes"
	echo "# clock ${CLOCK:-icount}, cpu ${CPU:-max}, images on ${IMAGES:-tmpfs}, linux $(cat "$TOP/kernel.version")"
	date '+# date %F'
} >"$out/about"
boot
