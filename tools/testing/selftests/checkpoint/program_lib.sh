# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# Programs that nobody here wrote, saved and killed in the middle of their work
# and brought back. What the tests of such programs share.
#
#	run to its end				-> ref/
#	run; at some moments between 10 % and
#	90 % save, kill and restart		-> work/
#
# Both must have computed the same. The first run is in work/, too, so that a path
# in the results does not differ. Where the program appends a line for each step, a
# run that had begun again would show in the log.

# busybox has RANDOM:
# shellcheck disable=SC3028

CKPT=${CKPT:-checkpoint}
RESTART=${RESTART:-restart}
IMG=$DIR/img
LONG=${LONG:-1}
nr=0
failed=0

# begin PLAN
begin()
{
	rm -rf "$DIR"
	mkdir -p "$DIR"
	group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/run
	echo "TAP version 13"
	echo "1..$1"
}

# end: the last command, its status is that of the test
end()
{
	cd / && rm -rf "$DIR"
	[ $failed = 0 ]
}

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

# has PROGRAM NAME: else the test NAME is skipped
has()
{
	[ ! -e "$1" ] || return 0
	nr=$((nr + 1))
	echo "ok $nr $2 # SKIP no $1 in the guest"
	return 1
}

# show FILE: as diagnostic lines
show()
{
	sed 's/^/# /' "$1"
}

size_of()
{
	stat -c %s "$1" 2>/dev/null || echo 0
}

# Hundredths of a second
now()
{
	cut -d' ' -f1 /proc/uptime | tr -d .
}

# until_size FILE BYTES PID: false if PID ends before
until_size()
{
	while [ "$(size_of "$1")" -lt "$2" ]; do
		kill -0 "$3" 2>/dev/null || return 1
		usleep 5000
	done
}

# A group of its own, to see the CPU time of who is in there
enter_group()
{
	mkdir -p "$group"
	sh -c 'echo $PPID' >"$group/cgroup.procs"
}

# Microseconds of CPU time in the group since it was made
cpu_time()
{
	sed -n 's/^usage_usec //p' "$group/cpu.stat"
}

# The group is empty a moment after its processes have ended.
leave_group()
{
	until rmdir "$group" 2>/dev/null; do
		usleep 5000
	done
}

# start COMMAND...: in work/, sets $pid and $job
start()
{
	rm -rf "$DIR/work"
	mkdir "$DIR/work"
	cd "$DIR/work" || exit 1
	(
		enter_group
		exec setsid "$@"
	) </dev/null >stdout 2>stderr &
	pid=$!
	job=$pid
}

# What a checkpoint was refused for, without ids and addresses. False if the
# kernel has named nothing.
count_refusals()
{
	sed -n -e '/^pid [0-9]* (/!d' -e 's/pid [0-9]*/pid/g' \
	       -e 's/fd [0-9]*/fd/' -e 's/proc\/[0-9]*/proc/' \
	       -e 's/[0-9a-f]\{6,\}-[0-9a-f]\{6,\}/ADDR/' -e p \
	       "$DIR/log" >"$DIR/reasons"
	cat "$DIR/reasons" >>"$DIR/refused"
	[ -s "$DIR/reasons" ]
}

# save [--kill]: to $IMG; once more if a moment was bad
save()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		$CKPT "$@" -o "$IMG" "$pid" 2>"$DIR/log" && return 0
		count_refusals || break
		usleep $((RANDOM * 4))
	done
	# It may have ended by itself.
	kill -0 "$pid" 2>/dev/null && show "$DIR/log"
	return 1
}

# bring_back: sets $job; the pid is the same
bring_back()
{
	rm -f "$DIR/pidfile"
	(
		enter_group
		exec $RESTART --wait --pidfile "$DIR/pidfile" -i "$IMG"
	) </dev/null >"$DIR/log" 2>&1 &
	job=$!
	until [ -f "$DIR/pidfile" ]; do
		if ! kill -0 $job 2>/dev/null; then
			[ -f "$DIR/pidfile" ] && return 0
			show "$DIR/log"
			return 1
		fi
		usleep 5000
	done
}

# reference LOG COMMAND...: sets $full, $took (1/100 s) and $cpu of a whole run
reference()
{
	log=$1
	shift
	begin_time=$(now)
	start "$@"
	wait "$job" || {
		echo "# $name does not run here"
		head -n 20 stderr | sed 's/^/# /'
		return 1
	}
	took=$(($(now) - begin_time))
	cpu=$(cpu_time)
	leave_group
	full=$(size_of "$log")
	[ "$full" -gt 0 ] || {
		echo "# $name computed nothing"
		return 1
	}
	rm -rf "$DIR/ref"
	mv "$DIR/work" "$DIR/ref"
}

# same_results: work/ has the files of ref/, with their contents. In files named
# *.any-order that of the lines does not count
same_results()
{
	for f in "$DIR"/ref/*.any-order "$DIR"/work/*.any-order; do
		[ ! -f "$f" ] || sort -o "$f" "$f"
	done
	diff -r "$DIR/ref" "$DIR/work" >"$DIR/log" 2>&1 || {
		head -n 20 "$DIR/log" | sed 's/^/# /'
		return 1
	}
}

# interrupt MOMENTS: save, kill and bring back so often, once in each part of the
# work between 10 % and 90 %. Sets $moment, and $at: how far it was at the last.
# 2: it was done before that, as it may be where others use the machine, too
interrupt()
{
	moment=0
	while [ $moment -lt "$1" ]; do
		until_size "$log" $((full * (1000 + 8000 * moment / $1 +
			RANDOM % 6000 / $1) / 10000)) "$pid" || break
		usleep $((RANDOM % 100 * took))
		# First it is left alone, and must not notice.
		save && usleep $((RANDOM % 20000)) && save --kill || {
			kill -0 "$pid" 2>/dev/null && return 1
			break
		}
		wait "$job" 2>/dev/null
		at=$(size_of "$log")
		leave_group
		bring_back || return 1
		moment=$((moment + 1))
	done
	[ $moment = "$1" ] && [ "$at" -lt "$full" ] || return 2
}

# attempt COMMAND...: status of interrupt(), 1 if the results differ
attempt()
{
	start "$@"
	interrupt "$moments"
	status=$?
	[ $status != 1 ] || kill -9 "$pid" 2>/dev/null
	wait "$job" || status=1
	after=$(cpu_time)
	leave_group
	same_results || status=1
	return $status
}

# One with all its checks saves slower than many a program works.
slow_kernel()
{
	[ -f /sys/kernel/debug/kmemleak ]
}

# program NAME MOMENTS LOG COMMAND...: LOG is the file that grows as it works
program()
{
	name=$1
	moments=$2
	shift 2
	: >"$DIR/refused"
	reference "$@" || {
		result 1 "$name"
		return
	}
	shift
	for _ in 1 2 3 4 5; do
		attempt "$@"
		status=$?
		[ $status = 2 ] || break
		echo "# $name: it ended before it was saved often enough"
		! slow_kernel || moments=$(((moments + 1) / 2))
	done
	[ "$after" -lt "$cpu" ] || {
		echo "# the last part took as long as all of it"
		status=1
	}
	echo "# $name: $((took / 100)) s; moment $moment of $moments" \
	     "at $at of $full bytes; CPU time $((cpu / 1000)) ms," \
	     "after it $((after / 1000)) ms; image $(size_of "$IMG")"
	sort "$DIR/refused" | uniq -c | sed 's/^/# refused:/'
	result "$status" "$name"
}
