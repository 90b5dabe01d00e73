#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Programs that nobody here wrote, saved and killed in the middle of their work
# and brought back. Each computes something in steps:
#
#	run to its end		-> ref/
#	run, save and kill between 10 % and 90 % of the output, restart
#				-> new/
#
# Both must have computed the same. Where the program appends a line for each
# step, a run that had begun again would show in the log.

DIR=/tmp/programs
CKPT=${CKPT:-checkpoint}
RESTART=${RESTART:-restart}
nr=0
failed=0

result()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		failed=$((failed + 1))
		echo "not ok $nr $2"
	fi
}

size_of()
{
	stat -c %s "$1" 2>/dev/null || echo 0
}

# until_size FILE BYTES PID: false if PID ends before
until_size()
{
	while [ "$(size_of "$1")" -lt "$2" ]; do
		kill -0 "$3" 2>/dev/null || return 1
		usleep 20000
	done
}

# save PID: once more if a moment was bad (a lock held)
save()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		$CKPT --kill -o "$DIR/img" "$1" 2>"$DIR/log" && return 0
		usleep 50000
	done
	sed 's/^/# /' "$DIR/log"
	return 1
}

# program NAME OUTPUT COMMAND...: OUTPUT is the file that grows as it works
program()
{
	name=$1
	out=$2
	shift 2
	rm -rf "$DIR/ref" "$DIR/new"
	mkdir -p "$DIR/ref" "$DIR/new"
	cd "$DIR/ref" || exit 1
	"$@" </dev/null >stdout 2>stderr || {
		echo "# $name does not run here"
		result 1 "$name"
		return
	}
	full=$(size_of "$out")
	[ "$full" -gt 0 ] || {
		echo "# $name computed nothing"
		result 1 "$name"
		return
	}

	cd "$DIR/new" || exit 1
	setsid "$@" </dev/null >stdout 2>stderr &
	pid=$!
	until_size "$out" $((full / 3)) $pid && save $pid
	status=$?
	wait $pid 2>/dev/null
	at=$(size_of "$out")
	if [ $status != 0 ] || [ "$at" -lt $((full / 10)) ] ||
	   [ "$at" -gt $((full * 9 / 10)) ]; then
		echo "# $name: not saved in its middle ($at of $full bytes)"
		result 1 "$name"
		return
	fi
	$RESTART --wait -i "$DIR/img" 2>"$DIR/log" </dev/null
	status=$?
	[ $status = 0 ] || sed 's/^/# /' "$DIR/log"
	for f in *; do
		cmp "$f" "../ref/$f" >"$DIR/log" 2>&1 || {
			sed 's/^/# /' "$DIR/log"
			status=1
		}
	done
	echo "# $name: saved at $at of $full bytes, image $(size_of "$DIR/img")"
	result $status "$name"
	cd / || exit 1
}

mkdir -p "$DIR"
cat >"$DIR/steps.py" <<'END'
import hashlib, sys
h = hashlib.sha256()
with open("steps", "a", buffering=1) as log:
    words = {}
    for i in range(300):
        for j in range(150):
            h.update(str(i * j).encode())
            words[h.hexdigest()[:4]] = i
        log.write("%d %s %d\n" % (i, h.hexdigest(), len(words)))
print(len(words), sum(words.values()))
END
cat >"$DIR/steps.awk" <<'END'
BEGIN {
	for (i = 1; i <= 300; i++) {
		for (j = 0; j < 4000; j++)
			s = (s * 31 + j * i) % 1000003
		seen[s]++
		print i, s >>"steps"
		fflush("steps")
	}
	for (k in seen)
		n++
	print n, s
}
END
cat >"$DIR/steps.sh" <<'END'
i=0
s=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
	j=0
	while [ $j -lt 150 ]; do
		j=$((j + 1))
		s=$(((s * 31 + j * i) % 1000003))
	done
	echo "$i $s" >>steps
done
echo $s
END
{
	echo "create table t(i integer primary key, v integer);"
	i=0
	while [ $i -lt 200 ]; do
		i=$((i + 1))
		echo "insert into t(v) with recursive c(x) as (select 1 union all" \
		     "select x + 1 from c where x < 300) select x * $i % 997 from c;"
		echo "select $i, count(*), sum(v) from t;"
	done
} >"$DIR/steps.sql"
echo "scale=60; for (i = 1; i <= 2000; i++) { e(i / 1000) * s(i) }" \
	>"$DIR/steps.bc"
i=0
while [ $i -lt 30000 ]; do
	i=$((i + 1))
	echo "$i the quick brown fox $((i * i % 8191)) jumps over $((i * 7919 % 104729))"
done >"$DIR/text.1"
# Enough to be seen at work.
cat "$DIR/text.1" "$DIR/text.1" "$DIR/text.1" "$DIR/text.1" "$DIR/text.1" \
	"$DIR/text.1" "$DIR/text.1" "$DIR/text.1" >"$DIR/text"
rm "$DIR/text.1"

echo "TAP version 13"
echo "1..6"
program python3 steps /usr/bin/python3 "$DIR/steps.py"
program gawk steps /usr/bin/gawk -f "$DIR/steps.awk"
program busybox-sh steps /bin/busybox sh "$DIR/steps.sh"
program sqlite3 stdout /usr/bin/sqlite3 -init "$DIR/steps.sql" :memory: .quit
program bc stdout /usr/bin/bc -lq "$DIR/steps.bc"
program gzip stdout /usr/bin/gzip -9 -c "$DIR/text"
rm -rf "$DIR"
[ $failed = 0 ]
