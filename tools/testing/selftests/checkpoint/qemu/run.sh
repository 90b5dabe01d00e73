#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh shell		a shell in the guest on this terminal
#        run.sh run COMMAND	COMMAND in the guest: its output, its status

. "${0%/*}/lib.sh"
. "$QEMU_DIR/guest.sh"

mkdir -p "$B"
dir=$(mktemp -d "$B/run.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT

case ${1:-} in
shell)
	size=$(stty size 2>/dev/null) || size="24 80"
	guest_prepare "$dir" shell "LINES=${size% *}" "COLUMNS=${size#* }"
	echo "A shell in the guest.  'exit' or C-a x ends it; tests are in" \
	     "/tests, a scratch disk is /data."
	guest "$dir" stdio,id=tty,mux=on,signal=off -mon chardev=tty
	;;
run)
	guest_prepare "$dir" run "CMD=$2"
	guest "$dir" stdio,id=tty,signal=off </dev/null
	status=$(guest_status "$dir")
	if [ "$status" = none ]; then
		echo "the guest did not reach the end:" >&2
		show_kernel_log "$dir" >&2
		exit 125
	fi
	exit "$status"
	;;
*)	die "usage: run.sh shell | run COMMAND" ;;
esac
