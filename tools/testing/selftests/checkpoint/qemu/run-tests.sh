#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the tests in the guest.  Lines that start with @ are for the host, which
# does the counting; the rest is what the tests print.
#
#   @start NAME
#   @end NAME STATUS SECONDS	status 137: killed after its timeout
#   @log LINE			a complaint of the kernel during that test
#   @done			all tests have been run

. /request/env

timeout=$(sed -n 's/^timeout=//p' /tests/settings)
timeout=$((${timeout:-60} * ${SLOW:-1} * ${LONG:-1}))
export LONG
cgroup=/sys/fs/cgroup/test
complaints='WARNING:|BUG:|Oops|KASAN|KCSAN|UBSAN|unreferenced object'
complaints="$complaints|general protection fault|Call Trace:|suspicious RCU"
complaints="$complaints|INFO: (task .* blocked|possible|trying to|rcu|lockdep)"
complaints="$complaints|possible recursive locking|circular locking"

selected()
{
	name=${1%.sh}
	[ -n "$T" ] || return 0
	set -f
	for pattern in $T; do
		# shellcheck disable=SC2254
		case $name in
		${pattern%.sh}|${pattern}_test)	set +f; return 0 ;;
		esac
	done
	set +f
	return 1
}

# The kernel log since the test began, without times.
kernel_log()
{
	dmesg | sed -e 's/^<[0-9]*>//' -e 's/^\[ *[0-9.]*\] //' |
		awk -v from="selftest $1: begin" '
			index($0, from) { n = 0; next }
			{ line[n++] = $0 }
			END { for (i = 0; i < n; i++) print line[i] }'
}

check_kernel_log()
{
	kernel_log "$1" >/tmp/run/klog
	sed -n 's/^# expect-kernel-log: //p' "$2" >/tmp/run/expected
	if [ -s /tmp/run/expected ]; then
		grep -vE -f /tmp/run/expected /tmp/run/klog >/tmp/run/klog.new
		mv /tmp/run/klog.new /tmp/run/klog
	fi
	grep -E -A 12 "$complaints" /tmp/run/klog | head -n 60 | sed 's/^/@log /'
}

# Whatever the test left behind goes, frozen or not.
kill_leftovers()
{
	echo 1 >$cgroup/cgroup.kill
	i=0
	while grep -q 'populated 1' $cgroup/cgroup.events; do
		i=$((i + 1))
		if [ $i -gt 100 ]; then
			echo "@log processes that cannot be killed:" \
				"$(tr '\n' ' ' <$cgroup/cgroup.procs)"
			cgroup=$cgroup.new
			return
		fi
		usleep 100000
	done
	find $cgroup -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
	rmdir $cgroup
}

run_one()
{
	name=${1##*/}
	out=/tmp/run/$name.out
	echo "@start $name"
	echo "selftest $name: begin" >/dev/kmsg
	mkdir -p $cgroup /tmp/run/cwd
	begin=$(cut -d' ' -f1 /proc/uptime)
	# The output is a file, for a test may checkpoint what it runs.
	(
		echo 0 >$cgroup/cgroup.procs
		cd /tmp/run/cwd || exit 1
		exec setsid timeout -s KILL "$timeout" "$@"
	) </dev/null >"$out" 2>&1
	status=$?
	end=$(cut -d' ' -f1 /proc/uptime)
	cat "$out"
	# A last line without its newline would hide what follows.
	[ -z "$(tail -c 1 "$out")" ] || echo
	kill_leftovers
	check_kernel_log "$name" "$out"
	rm -rf /tmp/run/cwd
	echo "@end $name $status $(awk "BEGIN { print $end - $begin }")"
}

kunit_results()
{
	cat /sys/kernel/debug/kunit/*/results
}

# Two scans, as kmemleak does not report what is younger than five seconds.
kmemleak_scan()
{
	echo "TAP version 13"
	echo "1..1"
	for i in 1 2; do
		sleep 6
		echo scan >/sys/kernel/debug/kmemleak
	done
	cat /sys/kernel/debug/kmemleak >/tmp/run/kmemleak
	if grep -q 'unreferenced object' /tmp/run/kmemleak; then
		head -n 100 /tmp/run/kmemleak | sed 's/^/# /'
		echo "not ok 1 kmemleak"
		return 1
	fi
	echo "ok 1 kmemleak"
}

case ${1:-} in
kunit_results|kmemleak_scan)
	"$1"
	exit
	;;
esac

mkdir -p /tmp/run
echo "@boot $(cut -d' ' -f1 /proc/uptime)"
# The log of the boot itself is looked at like that of a test.
if [ -z "$T" ]; then
	dmesg | sed -e 's/^\[ *[0-9.]*\] //' | grep -E -A 12 "$complaints" |
		sed 's/^/@log /'
fi
if selected kunit && ls /sys/kernel/debug/kunit/*/results >/dev/null 2>&1; then
	ln -s /tests/run-tests.sh /tmp/run/kunit
	run_one /tmp/run/kunit kunit_results
fi
for t in /tests/*_test /tests/*_test_32 /tests/*_test_live /tests/*_test.sh; do
	[ -f "$t" ] || continue
	selected "${t##*/}" && run_one "$t"
done
if [ -f /sys/kernel/debug/kmemleak ]; then
	ln -s /tests/run-tests.sh /tmp/run/kmemleak
	run_one /tmp/run/kmemleak kmemleak_scan
fi
echo "@done"
