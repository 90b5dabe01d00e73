#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Second boot of the demo: restart the programs, check what they say.

fail()
{
	echo "FAILED: $*"
	exit 1
}

uptime_now()
{
	cut -d' ' -f1 /proc/uptime
}

cd /data || exit 1
echo "Linux $(uname -r), up $(uptime_now) s; nothing of the first boot runs."

echo
echo "1. The sleeper first: it has most of its time still to go."
restart --wait -i /data/timer.img &
timer=$!

echo
echo "2. bc goes on from $(stat -c %s bc.img) bytes of image," \
	"as pid $(cat bc.pid) again."
begin=$(uptime_now)
restart --wait -i /data/bc.img || fail "restart of bc (status $?)"
end=$(uptime_now)
echo "   it finished after another $(awk "BEGIN { print $end - $begin }") s"

echo "   now the same without interruption, to compare:"
/usr/bin/bc -lq pi.bc </dev/null >pi.uninterrupted || fail bc
cmp pi.txt pi.uninterrupted || fail "the digits differ"
echo "   $(wc -c <pi.txt) bytes, the same byte for byte"
echo "   pi = $(head -c 40 pi.txt)... $(tail -c 20 pi.txt)"

echo
echo "3. Waiting for the sleeper, up $(uptime_now) s."
wait $timer || fail "restart of the sleeper (status $?)"
sed 's/^/   it said: /' timer.txt
grep -q '^woke up' timer.txt || fail "the sleeper did not wake up"
echo
echo "Both programs finished as if there had been no reboot."
