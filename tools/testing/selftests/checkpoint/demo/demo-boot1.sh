#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# First boot of the demo: start two programs, checkpoint and kill them.

DIGITS=${DIGITS:-1800}

fail()
{
	echo "FAILED: $*"
	exit 1
}

uptime_now()
{
	cut -d' ' -f1 /proc/uptime
}

size_of()
{
	stat -c %s "$1"
}

cd /data || exit 1
# The second boot has processes of its own: stay clear of their numbers.
echo 4000 >/proc/sys/kernel/ns_last_pid

echo "Linux $(uname -r), up $(uptime_now) s"

echo
echo "1. bc, as Debian ships it, computes $DIGITS digits of pi."
echo "scale=$DIGITS; 4*a(1)" >pi.bc
setsid /usr/bin/bc -lq pi.bc </dev/null >pi.txt 2>pi.err &
bc=$!
echo "   pid $bc; it is left alone for 3 seconds"
sleep 3
kill -0 $bc 2>/dev/null || fail "bc is done already: DIGITS is too small"
echo "   written so far: $(size_of pi.txt) bytes, bc prints when it is done"
echo "$bc" >bc.pid

begin=$(uptime_now)
checkpoint --kill -o /data/bc.img $bc || fail "checkpoint of bc"
end=$(uptime_now)
wait $bc 2>/dev/null
[ -d /proc/$bc ] && fail "bc is still there"
echo "   checkpointed and killed: $(size_of bc.img) bytes," \
	"$(awk "BEGIN { print $end - $begin }") s"
echo
echo "   what ckptinfo says about the image:"
ckptinfo /data/bc.img | sed 's/^/   | /' || fail "ckptinfo"

echo
echo "2. A program that sleeps until an absolute time of CLOCK_MONOTONIC,"
echo "   60 seconds after its start."
setsid demo_timer_prog 60 </dev/null >timer.txt 2>&1 &
timer=$!
sleep 1
echo "$timer" >timer.pid
checkpoint --kill -o /data/timer.img $timer || fail "checkpoint of the sleeper"
wait $timer 2>/dev/null
echo "   pid $timer, checkpointed and killed after one second:" \
	"$(size_of timer.img) bytes"
sed 's/^/   it said: /' timer.txt
echo
echo "Power off."
