#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the programs on the host, TAP on stdout: with images of make-image
# and with stand-ins for the system calls.
# usage: programs.sh BUILD_DIRECTORY
#
# The programs of MOCK_PROGRAM expand their own variables:
# shellcheck disable=SC2016

HERE=$(cd "$(dirname "$0")" && pwd)
cd "${1:?}" || exit 2
B=$PWD
T=$(mktemp -d) || exit 2
trap 'rm -rf "$T"' EXIT
n=0
bad=0
boot=$(cat /proc/sys/kernel/random/boot_id)
other=01234567-89ab-cdef-0123-456789abcdef

ok()
{
	n=$((n + 1))
	echo "ok $n $*"
}

not_ok()
{
	n=$((n + 1))
	bad=1
	echo "not ok $n $*"
	sed 's/^/# /' "$T/out" "$T/err"
}

# run STATUS TITLE COMMAND...: output to $T/out and $T/err
run()
{
	want=$1
	title=$2
	shift 2
	"$@" >"$T/out" 2>"$T/err" </dev/null
	got=$?
	if [ "$got" -eq "$want" ]; then
		ok "$title"
	else
		not_ok "$title: status $got instead of $want"
	fi
}

# has FILE TEXT: of the last command
has()
{
	if grep -qF -e "$2" "$T/$1"; then
		ok "... and says: $2"
	else
		not_ok "... does not say: $2"
	fi
}

no_leftovers()
{
	if [ -z "$(ls -A "$T/dir")" ]; then
		ok "... and leaves nothing behind"
	else
		not_ok "... leaves $(ls -A "$T/dir")"
	fi
}

# A pid that nobody has.
free_pid()
{
	p=30000
	while [ -e "/proc/$p" ]; do
		p=$((p - 1))
	done
	echo "$p"
}

# ckptinfo
"$B/make-image" 4711 4711 100 1 "$boot" 5 >"$T/good"
head -c 3000 "$T/good" >"$T/short"
run 0 "ckptinfo describes an image" "$B/ckptinfo" "$T/good"
has out worker
has out '/usr/bin/wörk\x1b[31m'
has out '/tmp/gone'
run 0 "ckptinfo reads a stream" sh -c "cat $T/good | $B/ckptinfo --verify -"
has out "complete and unharmed"
run 0 "ckptinfo lists records" "$B/ckptinfo" --records "$T/good"
has out META_END
run 1 "ckptinfo finds an image cut short" "$B/ckptinfo" --verify "$T/short"
has err "cut short"
cp "$T/good" "$T/flip"
printf 'X' | dd of="$T/flip" bs=1 seek=9000 conv=notrunc 2>/dev/null
run 1 "ckptinfo finds a wrong byte" "$B/ckptinfo" --verify "$T/flip"
has err "(PAGES) at offset"
run 0 "ckptinfo writes JSON" "$B/ckptinfo" --json "$T/good"
if command -v python3 >/dev/null; then
	cp "$T/out" "$T/json"
	run 0 "... that is JSON" python3 -c 'import json,sys
d = json.load(open(sys.argv[1]))
assert d["complete"] and d["tasks"][0]["pid"] == 4711
assert d["file_tables"][0]["fds"][3]["path"] == "/tmp/gone"' "$T/json"
fi
run 1 "ckptinfo, no such file" "$B/ckptinfo" "$T/none"
run 2 "ckptinfo, usage" "$B/ckptinfo"

# checkpoint
mkdir "$T/dir"
CK=$B/checkpoint-mock
run 2 "checkpoint, usage" "$CK"
run 2 "checkpoint, no pid" "$CK" 12x
run 2 "checkpoint, options that exclude each other" "$CK" --check -k 1
run 1 "checkpoint, no such directory" "$CK" -o "$T/none/image" 1
run 0 "checkpoint to a file" "$CK" -v -o "$T/dir/image" $$
has err "13 bytes"
run 0 "... with the image in it" grep -qx 'half an image' "$T/dir/image"
run 0 "... and nothing else" sh -c "[ \$(ls -A $T/dir | wc -l) = 1 ]"
ln -s image "$T/dir/link"
run 0 "checkpoint through a symbolic link" "$CK" -o "$T/dir/link" $$
run 0 "... leaves the link" test -L "$T/dir/link"
MOCK_ERRNO=95 run 1 "checkpoint that is refused" "$CK" -o "$T/dir/image" $$
has err "this is the reason"
run 0 "... leaves the old image" grep -qx 'half an image' "$T/dir/image"
rm "$T/dir"/*
MOCK_ERRNO=5 run 1 "checkpoint that fails" "$CK" -o "$T/dir/image" $$
no_leftovers
MOCK_SLEEP=5 run 143 "checkpoint ended by a signal" sh -c \
	"$CK -o $T/dir/image $$ & sleep .5; kill -TERM \$!; wait \$!"
no_leftovers
run 4 "checkpoint that cannot kill" "$CK" -k -o "$T/dir/image" $$
run 0 "... has the image" grep -qx 'half an image' "$T/dir/image"
rm "$T/dir"/*
MOCK_NO_HOLD=1 run 0 "checkpoint that cannot hold" "$CK" -k -o "$T/dir/image" $$
rm "$T/dir"/*
run 0 "checkpoint to a pipe" sh -c "$CK $$ | grep -qx 'half an image'"
run 0 "checkpoint to the standard output by its name" \
	sh -c "cd $T/dir && $CK -k -o - $$ | grep -qx 'half an image'"
no_leftovers
run 2 "checkpoint to the standard output and elsewhere" "$CK" -o - --output-fd=1 $$
run 2 "checkpoint --check to the standard output" "$CK" --check -o - $$
run 0 "checkpoint to a device" "$CK" -o /dev/null $$
run 0 "... that stays one" test -c /dev/null
MOCK_ERRNO=5 run 1 "checkpoint that fails into a file of the shell" \
	sh -c "$CK $$ >$T/shell"
run 0 "... which stays empty" test ! -s "$T/shell"
run 0 "checkpoint --check" "$CK" --check $$
run 1 "checkpoint --relink with no directory" "$CK" --relink="$T/log" --check $$
has err "cannot open the directory"
run 0 "checkpoint --relink" "$CK" --relink="$T" --external=/dev/null --check $$
MOCK_ERRNO=95 run 1 "checkpoint --check that finds something" "$CK" --check $$
MOCK_ERRNO=1 run 1 "checkpoint with a log" "$CK" -l "$T/log" -o "$T/dir/image" $$
has err "see $T/log"
no_leftovers

# restart
RS=$B/restart-mock
run 125 "restart, usage" "$RS" nonsense
run 125 "restart, no such file" "$RS" -i "$T/none"
run 125 "restart, no image" "$RS" -i /proc/self/status
run 125 "restart, an image cut short" "$RS" -i "$T/short" -P
export MOCK_PROGRAM='exit 7'
"$B/make-image" 4711 4711 100 3 "$boot" 5 >"$T/three"
run 7 "restart of three tasks" "$RS" -P -i "$T/three"
run 7 "restart from the standard input by its name" sh -c "$RS -P -i - <$T/three"
run 125 "restart from the standard input and elsewhere" sh -c "$RS -i - --input-fd=0 <$T/three"
run 7 "restart passes the status on" "$RS" -P -i "$T/good" --show-status
has err "exit status 7"
run 7 "restart from a pipe" sh -c "cat $T/good | $RS -P"
MOCK_PROGRAM='kill -TERM $$' run 143 "restart of a program that is killed" \
	"$RS" -P -i "$T/good"
MOCK_PROGRAM='kill -KILL $$' run 137 "restart --copy-status" \
	sh -c "$RS -P --copy-status -i $T/good; exit \$?"
MOCK_ERRNO=116 run 125 "restart that fails" "$RS" -P -i "$T/good" \
	--pidfile "$T/dir/pid"
has err "this is the reason"
has err "--force-files"
no_leftovers
MOCK_PROGRAM='trap "exit 9" TERM; echo ready; while :; do sleep .1; done' \
	run 9 "restart passes signals on" sh -c \
	"$RS -P -i $T/good & sleep .7; kill -TERM \$!; wait \$!"
MOCK_PROGRAM="cp $T/dir/pid $T/pid-seen; sleep .3" \
	run 0 "restart --detach --pidfile" "$RS" -P -d -i "$T/good" \
	--pidfile "$T/dir/pid"
run 0 "... with the pid of a process" \
	sh -c "grep -qz MOCK /proc/\$(cat $T/dir/pid)/environ"
MOCK_PROGRAM='echo hello >&7' run 0 "restart --inherit-fd=N=PATH" \
	"$RS" -P -i "$T/good" --inherit-fd=7="$T/log"
run 0 "... which arrives" grep -q hello "$T/log"
MOCK_PROGRAM='echo "key $MOCK_KEY" >/proc/self/fd/50' run 0 "restart --inherit-fd=KEY=PATH" \
	"$RS" -P -i "$T/good" --inherit-fd="pipe:[77]=$T/log"
run 0 "... which arrives" grep -qF "key pipe:[77]" "$T/log"
# A FIFO that may not be opened for both, which root needs to be told.
caps=
[ "$(id -u)" -eq 0 ] && caps="setpriv --inh-caps=-all --bounding-set=-all"
mkfifo "$T/fifo"
chmod 0400 "$T/fifo"
# shellcheck disable=SC2086
MOCK_PROGRAM='test -p /proc/self/fd/7' run 0 "restart --inherit-fd with a FIFO that nobody writes" \
	timeout 20 $caps "$RS" -P -i "$T/good" --inherit-fd=7="$T/fifo"
chmod 0200 "$T/fifo"
# shellcheck disable=SC2086
run 125 "restart --inherit-fd with a FIFO that nobody reads" \
	timeout 20 $caps "$RS" -P -i "$T/good" --inherit-fd=7="$T/fifo"
has err "nobody is at its other end"
run 125 "restart --inherit-fd with something else" \
	"$RS" -P -i "$T/good" --inherit-fd="x=$T/log"
has err "is not a descriptor, nor the key of a file"
MOCK_PROGRAM='test $MOCK_FLAGS = 38' run 0 "restart passes flags on" \
	"$RS" -P --time=host --force-files -i "$T/good"
MOCK_PROGRAM='ps -o pgid= -p $$ | grep -qw $$' run 0 \
	"restart leads its process group" "$RS" -P -i "$T/good"

if command -v python3 >/dev/null && command -v bash >/dev/null; then
	run 0 "restart is a job of its shell" "$HERE/job.py" "$RS" "$T/good"
fi

if [ "$(id -u)" -eq 0 ]; then
	"$B/make-image" 1 1 1 1 "$boot" 5 >"$T/one"
	run 125 "restart with a pid that is taken" "$RS" -i "$T/one"
	has err "pid 1 is taken by process 1 ("
	p=$(free_pid)
	"$B/make-image" "$p" "$p" "$p" 1 "$boot" 5 >"$T/leader"
	MOCK_PROGRAM="test \$\$ = $p && ps -o sid= -p \$\$ | grep -qw \$\$" \
		run 0 "restart with its pid and session" "$RS" -i "$T/leader"
	chmod 755 "$T"
	if command -v setpriv >/dev/null; then
		run 125 "restart without privilege" setpriv --reuid 65534 \
			--regid 65534 --clear-groups "$RS" -i "$T/leader"
		has err "CAP_CHECKPOINT_RESTORE"
		"$B/make-image" 4711 4711 100 1 "$other" 987654 >"$T/boot"
		run 125 "restart without privilege, after a reboot" setpriv \
			--reuid 65534 --regid 65534 --clear-groups "$RS" -P \
			-i "$T/boot"
		has err "--time=host"
	fi
	"$B/make-image" 4000000000 1 1 1 "$boot" 5 >"$T/huge"
	run 125 "restart with an impossible pid" "$RS" -i "$T/huge"
	if [ -e /proc/self/timens_offsets ]; then
		"$B/make-image" 4711 4711 100 1 "$other" 987654 >"$T/boot"
		MOCK_PROGRAM='read up rest </proc/uptime; case $up in
			      98765[4-9].*) exit 0 ;; esac; exit 1' \
			run 0 "restart continues the clocks" "$RS" -P -i "$T/boot"
		MOCK_PROGRAM='read up rest </proc/uptime; case $up in
			      98765[4-9].*) exit 1 ;; esac; exit 0' \
			run 0 "restart --time=host" "$RS" -P -i "$T/boot" \
			--time=host
	fi
fi

echo "1..$n"
exit $bad
