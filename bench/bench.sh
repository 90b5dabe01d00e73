#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench: run the benchmark and write its report.
#
# usage: bench.sh		all of bench/list
#        bench.sh smoke		a little of everything; fails if anything of ours
#				was refused

TOP=$(realpath "${0%/*}/..")
. "$TOP/tools/testing/selftests/checkpoint/qemu/lib.sh"

mkdir -p "$B/bench"
case ${1:-} in
smoke)
	# Not for figures: the kernel of the tests will do, which is there.
	out=$B/bench/smoke
	"$QEMU_DIR/build.sh" guest >&2 || exit 1
	NOBUILD=1 K=$B/kernel/vmlinux MEM=${MEM:-2G} "$TOP/bench/guest.sh" \
		"$TOP/bench/list.smoke" "$out" >&2 || exit 1
	"$TOP/bench/report.py" "$out" || exit 1
	! grep -P '\tours\trefused\t' "$out/results" ||
		die "what ours has refused should work"
	;;
"")
	commit=$(git -C "$TOP" log -1 --format=%h 2>/dev/null)
	# To a clock that counts instructions, waiting for a disk takes for ever.
	[ "${IMAGES:-}" != ext4 ] || CLOCK=${CLOCK:-wall}
	export CLOCK=${CLOCK:-icount}
	out=$B/bench/$CLOCK-${commit:-unknown}${CPU:+-$CPU}${IMAGES:+-$IMAGES}
	"$TOP/bench/guest.sh" "${LIST:-$TOP/bench/list}" "$out" >&2 || exit 1
	"$TOP/bench/report.py" "$out" || exit 1
	if command -v gnuplot >/dev/null; then
		"$TOP/bench/plot.sh" "$out"
	fi
	say "report: $(shorten "$out")/report.md, report.json" >&2
	;;
*)	die "usage: bench.sh [smoke]" ;;
esac
