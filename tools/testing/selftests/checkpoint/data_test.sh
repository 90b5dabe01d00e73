#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Programs that nobody here wrote, with data that no path leads to: memory and locks
# in common, temporary files that are deleted at once. See program_lib.sh.

DIR=/tmp/data
. "${0%/*}/program_lib.sh"

export DIR LONG
begin 3

# A lock is a semaphore in a deleted file that all of them map, a Value lies in
# another; a Queue is a pipe, two locks and a thread.
cat >"$DIR/locks.py" <<'EOF'
import multiprocessing, os

def child(jobs, results, lock, total):
    while (job := jobs.get()) is not None:
        x = 0
        for i in range(2000):
            x = (x * 31 + job * i) % 1000003
            if i % 500 == 0:
                with lock:
                    total.value += x
        results.put((job, x))

ctx = multiprocessing.get_context("fork")
jobs, results, lock = ctx.Queue(), ctx.Queue(), ctx.Lock()
total = ctx.Value("q", 0, lock=False)
workers = [ctx.Process(target=child, args=(jobs, results, lock, total))
           for _ in range(3)]
for p in workers:
    p.start()
with open("steps", "a", buffering=1) as log:
    for step in range(40 * int(os.environ["LONG"])):
        for i in range(6):
            jobs.put(step * 6 + i)
        got = sorted(results.get() for i in range(6))
        with lock:
            log.write("%d %d %s\n" % (step, total.value, got[:2]))
    for p in workers:
        jobs.put(None)
    for p in workers:
        p.join()
        log.write("%d\n" % p.exitcode)
EOF

cat >"$DIR/temporary.py" <<'EOF'
import hashlib, mmap, os, tempfile

with open("steps", "a", buffering=1) as log:
    data = tempfile.TemporaryFile()
    kept = tempfile.TemporaryFile()
    kept.truncate(1 << 20)
    memory = mmap.mmap(kept.fileno(), 1 << 20)
    h = hashlib.sha256()
    for step in range(60 * int(os.environ["LONG"])):
        for i in range(300):
            h.update(b"%d %d" % (step, i))
            data.write(h.digest())
            at = (step * 300 + i) * 7919 % (1 << 20)
            memory[at] = (memory[at] + i) & 255
        data.seek(step * 16)
        first = data.read(16)
        data.seek(0, 2)
        sum = hashlib.sha256(memory).hexdigest()
        log.write("%d %d %s %s\n" % (step, data.tell(), first.hex(), sum))
EOF

# Longer than what bash puts into a pipe: they go to files that it deletes.
cat >"$DIR/here.bash" <<'EOF'
set -e
text=
for ((i = 0; i < 4000; i++)); do
	text+="$i some text that goes on for a while"$'\n'
done
for ((round = 0; round < 12 * LONG; round++)); do
	sum=0
	while read -r n rest; do
		((sum = (sum * 31 + n + ${#rest}) % 1000003)) || :
	done <<END
$text$round the end
END
	gawk '{ s += length($0) } END { print s }' <<<"$text" >size
	echo "$round $sum $(cat size)" >>steps
done
EOF

program "python3 locks and queues" $((5 * LONG)) steps \
	/usr/bin/python3 "$DIR/locks.py"
program "python3 temporary files" $((5 * LONG)) steps \
	/usr/bin/python3 "$DIR/temporary.py"
program "bash here-documents" $((5 * LONG)) steps /usr/bin/bash "$DIR/here.bash"
end
