#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the guest boots into:
#
#   busybox.cpio	init and busybox
#   tests.cpio		the tests and our tools; rebuilt whenever they change
#   programs.img	ext4, read only, the guest's /usr: ordinary dynamically
#			linked programs as Debian has them
#
# The two archives are handed to QEMU one after the other, so the kernel does
# not depend on them.
#
# usage: initramfs.sh [programs]	all, or only programs.img

. "${0%/*}/lib.sh"

# cpio in a reproducible order, everything owned by root
archive()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
		cpio --quiet -o -H newc -R 0:0) >"$2.new" || die "cpio $2"
	mv "$2.new" "$2"
}

make_busybox()
{
	local root applet

	[ "$B/busybox.cpio" -nt "$QEMU_DIR/init" ] &&
		[ "$B/busybox.cpio" -nt "$0" ] && return
	root=$(mktemp -d "$B/root.XXXXXX") || exit 1
	mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,run,usr,data,root,tests,request}
	ln -s bin "$root/sbin"
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	cp -p "$(command -v busybox)" "$root/bin/busybox"
	for applet in $("$root/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	ln -s /usr/bin/bash "$root/bin/bash"
	cp "$QEMU_DIR/init" "$root/init"
	chmod 755 "$root/init"
	cat >"$root/etc/passwd" <<-END
	root:x:0:0:root:/root:/bin/sh
	nobody:x:65534:65534:nobody:/:/bin/false
	END
	cat >"$root/etc/group" <<-END
	root:x:0:
	nogroup:x:65534:
	END
	echo "127.0.0.1 localhost" >"$root/etc/hosts"
	archive "$root" "$B/busybox.cpio"
	rm -rf "$root"
}

make_tests()
{
	local root f

	root=$(mktemp -d "$B/root.XXXXXX") || exit 1
	mkdir -p "$root"/{bin,tests}
	# With their times: a file that looks changed stops a restart.
	for f in "$B/selftests"/*; do
		[ -f "$f" ] && [ -x "$f" ] && cp -p "$f" "$root/tests/"
	done
	for f in "$SELFTESTS"/*.sh "$SELFTESTS"/settings \
		 "$SELFTESTS"/demo/demo-boot*.sh "$QEMU_DIR/run-tests.sh"; do
		[ -f "$f" ] && cp -p "$f" "$root/tests/"
	done
	chmod 755 "$root"/tests/*.sh
	for f in checkpoint restart ckptinfo; do
		[ -x "$B/tools/$f" ] && cp -p "$B/tools/$f" "$root/bin/"
	done
	# Symbols are of no use in the guest and are most of the size.
	find "$root/tests" "$root/bin" -type f -size +64k -exec strip -p {} + \
		2>/dev/null
	archive "$root" "$B/tests.cpio"
	rm -rf "$root"
}

# Copy a file to where a merged-/usr system has it, below $root which becomes
# /usr.  Symbolic links are copied along with what they point to; those of
# alternatives (awk, libblas) go through /etc and are made shorter.
put()
{
	local f=$1 to link

	while :; do
		to=$(realpath -e "${f%/*}")/${f##*/}
		to=$root/${to#/usr/}
		mkdir -p "${to%/*}"
		[ -L "$f" ] || break
		link=$(readlink "$f")
		case $link in
		/etc/*)	link=$(realpath "$f") ;;
		esac
		ln -sfn "$link" "$to"
		case $link in
		/*)	f=$link ;;
		*)	f=$(realpath -e "${f%/*}")/$link ;;
		esac
	done
	[ -e "$to" ] || cp -a "$f" "$to"
}

put_program()
{
	local f=/usr/bin/$1

	[ -e "$f" ] || { say "notice: no $f, not in the guest"; return; }
	put "$f"
}

# gcc with what it takes to make a program of C that uses the C library: the
# parts of gcc that do the work, start files and libraries to link with, and the
# headers that such a program includes. The rest of gcc is ten times as large.
put_compiler()
{
	local f

	put_program gcc
	put_program as
	put_program ld
	for f in cc1 collect2 lto-wrapper; do
		f=$(gcc -print-prog-name=$f)
		[ "${f#/}" = "$f" ] || put "$f"
	done
	for f in liblto_plugin.so crt1.o Scrt1.o crti.o crtn.o crtbegin.o \
		 crtbeginS.o crtend.o crtendS.o libgcc.a libgcc_s.so \
		 libgcc_s.so.1 libc.so libc.so.6 libc_nonshared.a; do
		f=$(gcc -print-file-name=$f)
		[ "${f#/}" = "$f" ] || put "$f"
	done
	# shellcheck disable=SC2086
	for f in $(printf '#include <%s.h>\n' $headers | gcc -O2 -M -x c -); do
		[ "${f#/}" = "$f" ] || put "$f"
	done
}

# What is imported of it: a third of the size.
put_numpy()
{
	local from=/usr/lib/python3/dist-packages/numpy to

	[ -d "$from" ] || { say "notice: no $from, not in the guest"; return; }
	to=$root/lib/python3/dist-packages
	mkdir -p "$to"
	cp -a "$from" "$to/"
	(cd "$to/numpy" && rm -rf distutils doc f2py &&
		find . -depth \( -name tests -o -name include -o -name '*.a' -o \
			-name '*.pyi' \) -exec rm -rf {} +)
}

# redis-server is by its name what redis-check-rdb is; its own package would start
# a service.
put_redis()
{
	put_program redis-cli
	put_program redis-check-rdb
	[ ! -e "$root/bin/redis-check-rdb" ] ||
		ln -s redis-check-rdb "$root/bin/redis-server"
}

put_libraries()
{
	local lib

	find "$root" -type f \( -perm -100 -o -name '*.so*' \) -print0 |
		xargs -0 ldd 2>/dev/null |
		gawk '/=> \//{ print $3 } $1 ~ /^\/.*ld-linux.*[^:]$/ { print $1 }' |
		sort -u | while read -r lib; do
		put "$lib"
	done
}

make_programs()
{
	local root stdlib p img=$B/programs.img
	local programs="bc xz gzip sqlite3 gawk mawk bash sleep cat make esbuild"
	local headers="stdio stdlib string stdint"

	programs="$programs tail grep tee perl"
	# The same image as long as the programs are the same: inodes and times
	# in it must not change under a checkpoint taken earlier.
	{
		cat "$0"
		for p in $programs python3 gcc as ld redis-cli; do
			stat -L -c '%n %s %Y' "/usr/bin/$p" 2>/dev/null
		done
		stat -L -c '%n %s %Y' /lib/x86_64-linux-gnu/libc.so.6 \
			/usr/lib/python3/dist-packages/numpy/version.py 2>/dev/null
	} | sha256sum >"$img.id.new"
	[ -f "$img" ] && cmp -s "$img.id" "$img.id.new" && return

	say "making programs.img"
	root=$(mktemp -d "$B/root.XXXXXX") || exit 1
	chmod 755 "$root"
	mkdir -p "$root/bin"
	for p in $programs; do
		put_program "$p"
	done
	ln -sfn gawk "$root/bin/awk"
	put_program python3
	stdlib=$(/usr/bin/python3 -I -c 'import os; print(os.path.dirname(os.__file__))')
	mkdir -p "$root/lib"
	cp -a "$stdlib" "$root/lib/"
	(cd "$root/lib/${stdlib##*/}" && rm -rf test tests idlelib lib2to3 \
		tkinter turtledemo ensurepip distutils pydoc_data config-3* \
		dist-packages site-packages sitecustomize.py)
	put_numpy
	put_redis
	mkdir -p "$root/share/terminfo"
	for p in l/linux v/vt100 d/dumb; do
		[ ! -f "/lib/terminfo/$p" ] || put "/lib/terminfo/$p"
		[ ! -f "/usr/share/terminfo/$p" ] || put "/usr/share/terminfo/$p"
	done
	put_compiler
	put_libraries
	put_libraries

	rm -f "$img"
	truncate -s 256M "$img.new"
	mke2fs -q -t ext4 -b 4096 -d "$root" -L programs \
		-U 8a6c2d0e-51c4-4d55-9a3e-6b7f1c9e0d21 \
		-E root_owner=0:0,hash_seed=8a6c2d0e-51c4-4d55-9a3e-6b7f1c9e0d21 \
		"$img.new" >"$B/programs.log" 2>&1 ||
		fail_with_log "$B/programs.log" mke2fs
	mv "$img.new" "$img"
	mv "$img.id.new" "$img.id"
	rm -rf "$root"
}

make_programs
[ "${1:-}" = programs ] || {
	make_busybox
	make_tests
}
