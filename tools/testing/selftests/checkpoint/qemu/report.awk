# SPDX-License-Identifier: GPL-2.0
#
# Read what run-tests.sh prints in the guest, report each test on a line of
# its own, with its output if it failed, and count.  The totals go to the file
# "summary".  Exit status: 0 all passed, 1 failures, 2 the guest did not get to
# the end.

function begin(name)
{
	current = name
	passed = failed = skipped = 0
	planned = reported = 0
	lines = logs = problems = 0
	delete since
}

function problem(text)
{
	problem_text[problems++] = text
	failed++
}

# A result that follows more deeply indented ones sums them up: it is not
# counted, unless it fails for a reason of its own.
function result(depth, ok, skip,	sums)
{
	sums = since[depth + 1] > 0
	if (depth == 0)
		reported++
	if (sums) {
		if (!ok && !child_failed[depth + 1])
			failed++
	} else if (skip) {
		skipped++
	} else if (ok) {
		passed++
	} else {
		failed++
	}
	since[depth + 1] = 0
	child_failed[depth + 1] = 0
	since[depth]++
	if (!ok)
		child_failed[depth] = 1
}

function finish(status, seconds,	i, text)
{
	if (status == 4 && !reported && !failed) {
		if (!skipped)
			skipped++
	} else if (status == 137) {
		problem("killed (timeout?) after " seconds " s")
	} else if (status > 128) {
		problem("died of signal " status - 128)
	} else if (!planned && !reported && !skipped) {
		problem("no plan, no results")
	} else if (planned != reported && !(skipped && !reported)) {
		problem("planned " planned " tests, reported " reported)
	} else if (status != 0 && !failed && status != 4) {
		problem("exit status " status)
	}
	if (logs)
		problem("complaints in the kernel log")
	report(seconds)
}

function report(seconds,	i, text)
{
	text = passed " passed"
	if (failed)
		text = text ", " failed " failed"
	if (skipped)
		text = text ", " skipped " skipped"
	printf "  %s %-28s %-32s %6.2f s\n", failed ? "FAIL" : "ok  ", current,
	       text, seconds
	if (failed) {
		# A runaway test may print any amount.
		i = lines > 150 ? lines - 150 : 0
		if (i)
			print "    | (" i " lines more in the output file)"
		for (; i < lines; i++)
			print "    | " line[i]
		for (i = 0; i < logs; i++)
			print "    kernel: " log_line[i]
		for (i = 0; i < problems; i++)
			print "    " current ": " problem_text[i]
		failures[nfailures++] = current
	}
	fflush()
	total_passed += passed
	total_failed += failed
	total_skipped += skipped
	tests++
	current = ""
	logs = 0
}

/^@boot / {
	printf "  the guest is up after %.1f s\n", $2
	booted = 1
	fflush()
	next
}

/^@start / {
	if (logs) {
		# said during the boot, before any test
		n = logs
		begin("boot")
		logs = n
		problem("complaints in the kernel log")
		report(0)
	}
	begin($2)
	next
}

/^@log / {
	log_line[logs++] = substr($0, 6)
	next
}

/^@end / {
	finish($3, $4)
	next
}

/^@hang / {
	hung = $2
	next
}

/^@done/ {
	done = 1
	next
}

# Before and between the tests nobody else writes.
current == "" {
	print "  " $0
	next
}

{
	line[lines++] = $0
}

match($0, /^ *(not )?ok [0-9]+/) {
	match($0, /^ */)
	result(int(RLENGTH / 4), $0 !~ /^ *not /, $0 ~ /# (SKIP|XFAIL)/)
	next
}

match($0, /^1\.\.[0-9]+/) {
	n = substr($0, 4, RLENGTH - 3) + 0
	planned += n
	if (n == 0 && /SKIP/i)
		skipped++
}

END {
	status = total_failed > 0
	if (!done) {
		if (current == "")
			begin(booted ? "guest" : "boot")
		if (hung)
			problem("the guest said nothing for " hung " s")
		else
			problem("the guest died")
		report(0)
		status = 2
	} else if (!tests) {
		print "  no test of that name"
		total_failed++
		status = 1
	}
	if (nfailures) {
		printf "failed:"
		for (i = 0; i < nfailures; i++)
			printf " %s", failures[i]
		printf "\n"
	}
	printf "%d passed, %d failed, %d skipped\n", total_passed,
	       total_failed, total_skipped >summary
	exit status
}
