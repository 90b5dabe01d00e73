#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bring everything up to date that a guest boot needs:
#
#   build.sh kernel	source and kernel
#   build.sh tools	user tools
#   build.sh guest	these, the tests and the initramfs
#   build.sh bench	what the benchmark boots
#
# CONFIG=FILE	kernel: of that configuration instead of the tests' own
# O=DIR		kernel, tools: build there
# STATIC=1	tools with O: programs that need no shared library
#
# One at a time: several people may share a build directory.

. "${0%/*}/lib.sh"

mkdir -p "$B"
exec 9>"$B/.lock"
flock -n 9 || { say "waiting for another build"; flock 9; }

HEADERS=$B/headers
export KHDR_INCLUDES="-isystem $HEADERS/usr/include"

source_()
{
	"$QEMU_DIR/source.sh" || exit 1
}

kernel()
{
	local fragments="$SELFTESTS/config"
	local stamp=$KERNEL/.built

	[ -z "${DEBUG:-}" ] || fragments="$fragments $SELFTESTS/config.debug"
	# kbuild takes its time to find out that nothing changed.
	# shellcheck disable=SC2086
	if [ -f "$stamp" ] && [ -f "$KERNEL/vmlinux" ] &&
	   cat $fragments | cmp -s - "$stamp" &&
	   [ -z "$(find "$SRC" -newer "$stamp" \( -type f -o -type d \) \
		! -path "$SRC" ! -path "$SRC/tools" ! -path "$SRC/tools/*" \
		! -path "$SRC/Documentation*" -print -quit)" ]; then
		return
	fi
	# shellcheck disable=SC2086
	cat $fragments >"$B/stamp.new"
	# shellcheck disable=SC2086
	"$QEMU_DIR/kernel.sh" "$KERNEL" $fragments 9>&- || exit 1
	mv "$B/stamp.new" "$stamp"
}

# A kernel for somebody's own use.
user_kernel()
{
	if [ -n "${CONFIG:-}" ]; then
		"$QEMU_DIR/kernel.sh" -c "$CONFIG" "${O:-$B/kernel-user}" 9>&- ||
			exit 1
	else
		[ -z "${O:-}" ] || KERNEL=$(realpath -m "$O")
		kernel
	fi
}

headers()
{
	local stamp=$HEADERS/.built

	if [ -f "$stamp" ] && [ -z "$(find "$SRC/include/uapi" \
		"$SRC/arch/x86/include/uapi" "$SRC/arch/x86/entry/syscalls" \
		"$SRC/scripts" -newer "$stamp" -print -quit)" ]; then
		return
	fi
	say "kernel headers for user programs"
	mkdir -p "$HEADERS"
	touch "$stamp.new"
	clean_make -C "$SRC" O="$HEADERS" ARCH=x86_64 headers \
		>"$HEADERS/build.log" 2>&1 ||
		fail_with_log "$HEADERS/build.log" "make headers"
	mv "$stamp.new" "$stamp"
}

# make_tools DIR [VARIABLE=VALUE...]
make_tools()
{
	local dir=$1 log=$1/build.log

	shift
	mkdir -p "$dir" || exit 1
	clean_make -C "$TOP/tools/checkpoint" O="$dir" "$@" all \
		>"$log" 2>&1 9>&- ||
		fail_with_log "$log" "the build of tools/checkpoint"
	grep -A4 'warning:' "$log" >&2
	return 0
}

# The guest has no libraries but those of programs.img.
tools()
{
	make_tools "$B/tools" STATIC=1
}

user_tools()
{
	local dir

	if [ -z "${O:-}" ]; then
		tools
		return
	fi
	dir=$(realpath -m "$O")
	say "building the user tools in $(shorten "$dir") (log: build.log there)"
	make_tools "$dir" STATIC="${STATIC:-}"
}

selftests()
{
	mkdir -p "$B/selftests"
	clean_make -C "$SRC/tools/testing/selftests/checkpoint" -j"$JOBS" -k \
		OUTPUT="$B/selftests" KHDR_INCLUDES="$KHDR_INCLUDES" all \
		>"$B/selftests.log" 2>&1 9>&- ||
		fail_with_log "$B/selftests.log" "the build of the tests"
	grep -A4 'warning:' "$B/selftests.log" >&2
	# What has no source any more is not a test any more.
	find "$B/selftests" -type f -perm -100 -print | while read -r f; do
		f=${f##*/}
		[ -f "$SELFTESTS/$f.c" ] || [ -f "$SELFTESTS/${f%_32}.c" ] ||
			[ -f "$SELFTESTS/${f%_live}.c" ] ||
			rm "$B/selftests/$f"
	done
}

case ${1:-} in
kernel)	source_
	user_kernel
	;;
tools)	user_tools ;;
guest)	source_
	kernel
	headers
	tools
	selftests
	"$QEMU_DIR/initramfs.sh" 9>&- || exit 1
	;;
bench)	source_
	"$QEMU_DIR/kernel.sh" "$B/kernel-bench" "$SELFTESTS/config" \
		"$TOP/bench/config" 9>&- || exit 1
	tools
	"$QEMU_DIR/initramfs.sh" programs 9>&- || exit 1
	;;
*)	die "usage: build.sh kernel|tools|guest|bench" ;;
esac
