#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Single processes with much in memory: a hash of perl, arrays of numpy, what the
# C compiler knows of a large file, and one that has more than would be there twice.
# See program_lib.sh.

DIR=/tmp/memory
. "${0%/*}/program_lib.sh"

export DIR LONG
begin 4

cat >"$DIR/hash.pl" <<'END'
my ($x, $sum, %h) = (1, 0);
open(my $log, ">>", "steps") or die;
select($log);
$| = 1;
for my $step (1 .. 300 * $ENV{LONG}) {
	for my $i (1 .. 2000) {
		$x = ($x * 1103515245 + 12345) % 2147483648;
		$h{"key " . $x % 50000} .= "$step,";
	}
	print "$step $x " . keys(%h) . "\n";
}
$sum += unpack("%32C*", $h{"key " . $_ * 25} // "") for 0 .. 1999;
print STDOUT "$sum\n";
END
cat >"$DIR/arrays.py" <<'END'
import hashlib, os
import numpy as np

rng = np.random.default_rng(7)
a = np.zeros(1 << 20)
unit = np.eye(48)
with open("steps", "a", buffering=1) as log:
    for step in range(60 * int(os.environ["LONG"])):
        at = step * 7919 % 60 * 16384
        part = a[at:at + 65536]
        part += rng.standard_normal(65536)
        part.sort()
        waves = np.abs(np.fft.rfft(part[::8])).argmax()
        m = part[:2304].reshape(48, 48) + unit
        x = np.linalg.solve(m + m.T + 100 * unit, m)
        digest = hashlib.sha256(part[::16].tobytes() + x.tobytes()).hexdigest()
        log.write("%d %d %r %s\n" % (step, waves, float(a.sum()), digest))
END
awk -v n=$((40 * LONG)) 'BEGIN {
	for (i = 0; i < n; i++) {
		printf "struct s%d { int a[%d]; struct s%d *next; char *name; };\n",
			i, i % 9 + 2, i
		printf "long f%d(struct s%d *s, long x)\n{\n", i, i
		printf "\tfor (int i = 0; i < %d; i++, s = s->next)\n", i % 9 + 2
		printf "\t\tswitch (s->a[i] %% %d) {\n", i % 7 + 5
		for (j = 0; j < 4; j++)
			printf "\t\tcase %d: x = x * %d + s->name[x & 7]; break;\n",
				j, i * 5 + j
		printf "\t\tdefault: x ^= s->a[x & 1] / %d;\n\t\t}\n", i + 3
		printf "\treturn x;\n}\n"
	}
}' >"$DIR/large.c"

cat >"$DIR/most.py" <<'END'
import os, sys, time

nr, piece = int(sys.argv[1]), os.urandom(1 << 20)
mem = bytearray(nr << 20)
for i in range(nr):
    mem[i << 20:(i + 1) << 20] = i.to_bytes(8, "little") + piece[8:]
with open("steps", "a") as log:
    log.write("filled %d\n" % nr)
while not os.path.exists("go"):
    time.sleep(0.01)
for i in range(nr):
    if mem[i << 20:(i + 1) << 20] != i.to_bytes(8, "little") + piece[8:]:
        sys.exit("MiB %d is another" % i)
with open("steps", "a") as log:
    log.write("good\n")
END

# A directory of the host, which init has mounted
host=/disks/9p

# pipe_round_trip: work/ is there, the image goes past the memory of this machine
pipe_round_trip()
{
	# shellcheck disable=SC2154 # start() sets it
	until [ -s steps ]; do
		kill -0 "$pid" || return 1
		usleep 10000
	done
	{ $CKPT --kill "$pid" 2>"$DIR/log" || touch failed; } | cat >"$host/img"
	[ ! -e failed ] || return 1
	wait "$job"
	leave_group
	# shellcheck disable=SC2002 # it is to be a pipe
	cat "$host/img" | $RESTART --wait >"$DIR/log" 2>&1 &
	job=$!
	touch go
	wait "$job"
}

# Of all memory two thirds, if there is time for that. With MEM=6G it is 4 GiB.
by_pipes()
{
	name="most of memory, by pipes"
	grep -q " $host 9p " /proc/mounts || {
		nr=$((nr + 1))
		echo "ok $nr $name # SKIP nothing is shared with the host"
		return
	}
	mib=$(awk -v long="$LONG" '/^MemTotal:/ {
		print int($2 / 1024 * (long > 1 ? 2 / 3 : 1 / 8))
	}' /proc/meminfo)
	begin_time=$(now)
	start /usr/bin/python3 -IS "$DIR/most.py" "$mib"
	pipe_round_trip && [ "$(cat steps)" = "filled $mib
good" ]
	status=$?
	[ "$status" = 0 ] || show "$DIR/log"
	echo "# $name: $mib MiB; $((($(now) - begin_time) / 100)) s;" \
	     "image $(size_of "$host/img")"
	rm -f "$host/img"
	result "$status" "$name"
}

has /usr/bin/perl "perl, a large hash" &&
	program "perl, a large hash" $((3 * LONG)) steps \
		/usr/bin/perl "$DIR/hash.pl"
has /usr/lib/python3/dist-packages/numpy "python3 numpy" &&
	program "python3 numpy" $((3 * LONG)) steps \
		/usr/bin/python3 "$DIR/arrays.py"
# It puts out one function after the other once it has read them all.
program "gcc's cc1" $((3 * LONG)) large.s \
	"$(gcc -print-prog-name=cc1)" -quiet -O2 "$DIR/large.c" -o large.s
by_pipes
end
