#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: test.sh [PATTERN...]	(default: what is in $T)
#
# Boot the guest, run the tests (those whose name matches a pattern), report.
# @FILE stands for the patterns in FILE.  The last line is the summary; the
# exit status is 0 only if everything passed.  All output is in $OUT.

. "${0%/*}/lib.sh"
. "$QEMU_DIR/guest.sh"

OUT=${OUT:-$B/test${DEBUG:+-debug}}
mkdir -p "$OUT"
rm -f "$OUT/data.img" "$OUT/summary"

patterns=
set -f
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- ${T:-}
for p in "$@"; do
	case $p in
	@*)	p=$(sed 's/#.*//' "${p#@}" | tr '\n' ' ') || exit 1 ;;
	esac
	patterns="$patterns $p"
done
set +f
patterns=${patterns# }

timeout=$(sed -n 's/^timeout=//p' "$SELFTESTS/settings")
slow=${SLOW:-${DEBUG:+5}}
slow=${slow:-1}
# Nothing is heard from the guest while a test runs.
silence=$((${timeout:-60} * slow * ${LONG:-1} + 120))

guest_prepare "$OUT" test "T=$patterns" "SLOW=$slow" "LONG=${LONG:-1}" \
	"DEBUG=${DEBUG:-}"


# Pass on what the guest says; end it if it says nothing for too long.
relay()
{
	local line status

	while :; do
		IFS= read -r -t "$silence" line
		status=$?
		[ $status = 0 ] || break
		printf '%s\n' "$line"
	done
	if [ $status -gt 128 ]; then
		echo "@hang $silence"
		kill "$(cat "$OUT/pid")"
	fi
}

say "booting the guest${patterns:+ for: $patterns}"
guest "$OUT" stdio,id=tty,signal=off </dev/null 2>"$OUT/qemu.log" | relay |
	sed -u 's/\r//g' | tee "$OUT/output" |
	gawk -f "$QEMU_DIR/report.awk" -v summary="$OUT/summary"
status=${PIPESTATUS[4]}
rm -f "$OUT/data.img" "$OUT/xfs.img" "$OUT/btrfs.img" "$OUT/initrd"
if [ "$status" = 2 ]; then
	echo "  kernel log ($(shorten "$OUT")/kernel.log):"
	show_kernel_log "$OUT"
	cat "$OUT/qemu.log"
fi
cat "$OUT/summary"
exit "$status"
