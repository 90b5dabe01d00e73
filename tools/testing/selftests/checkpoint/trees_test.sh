#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Trees of programs that nobody here wrote: shells with pipes and jobs, Python
# with threads and children, a program in Go. See program_lib.sh.

DIR=/tmp/trees
. "${0%/*}/program_lib.sh"

export DIR LONG
begin 8

# Producers, filters and consumers; each line of steps stands for work done.
cat >"$DIR/jobs.bash" <<'EOF'
numbers()
{
	local i

	for ((i = $1; i < $2; i++)); do
		echo "$i $((i * 7919 % 104729))"
	done
}
filter()
{
	local n x s=0

	while read -r n x; do
		((s = (s * 31 + x) % 1000003))
		((n % 10)) || echo "$n $s"
	done
}
set -e
for ((round = 0; round < 10 * LONG; round++)); do
	# Jobs side by side, each a pipeline
	for j in 1 2 3; do
		numbers $((round * 100)) $((round * 100 + j * 20)) | filter |
			gawk -v j=$j '{ s += $2 } END { print j, s }' >job.$j &
	done
	x=$(numbers 0 30 | (filter; exit 3) | tail -n 1) || exit
	read -r first second <<<"$x"
	while read -r n x; do
		((second += n * x)) || :
	done < <(numbers 0 20 | filter)
	wait %1 %2 %3
	echo "$round $first $second" $(cat job.1 job.2 job.3) >>steps
done
EOF
cat >"$DIR/jobs.sh" <<'EOF'
numbers()
{
	i=$1
	while [ $i -lt $2 ]; do
		echo "$i $((i * 7919 % 104729))"
		i=$((i + 1))
	done
}
filter()
{
	s=0
	while read -r n x; do
		s=$(((s * 31 + x) % 1000003))
		[ $((n % 10)) != 0 ] || echo "$n $s"
	done
}
set -e
round=0
while [ $round -lt $((40 * LONG)) ]; do
	for j in 1 2 3; do
		numbers $((round * 100)) $((round * 100 + j * 20)) | filter |
			awk -v j=$j '{ s += $2 } END { print j, s }' >job.$j &
	done
	x=$(numbers 0 30 | (filter; exit 3) | tail -n 1)
	read -r first second <<-END
	$x
	END
	wait
	echo "$round $first $second" $(cat job.1 job.2 job.3) >>steps
	round=$((round + 1))
done
EOF
# Long lived stages, one of them with threads
cat >"$DIR/stream.sh" <<'EOF'
set -o pipefail
gawk 'BEGIN { for (i = 0; i < 24000 * ENVIRON["LONG"]; i++) print i, i * i % 8191 }' |
	xz -1 -T2 --block-size=20000 -c | xz -dc | tee >(md5sum >sum) |
	gawk '{ for (i = 0; i < 40; i++) s = (s * 31 + $2) % 1000003 }
	      NR % 200 == 0 { print NR, s >>"steps"; fflush("steps") }
	      END { print s }'
wait
EOF
# A log that grows, and who follows it
cat >"$DIR/follow.sh" <<'EOF'
: >input
(
	i=0
	while [ $i -lt $((300 * LONG)) ]; do
		i=$((i + 1))
		j=0
		s=0
		while [ $j -lt 200 ]; do
			j=$((j + 1))
			s=$(((s * 31 + j * i) % 1000003))
		done
		echo "$i $s" >>input
	done
) &
/usr/bin/tail -n +1 -f -s 0.1 --pid=$! input |
	/usr/bin/grep --line-buffered -v '[37]$' | /usr/bin/tee copy >>steps
wait
EOF
cat >"$DIR/threads.py" <<'EOF'
import hashlib, os, queue, threading, time
from concurrent.futures import ThreadPoolExecutor

STEPS = 200 * int(os.environ["LONG"])
WORKERS = 4
todo = queue.Queue(8)
done = queue.Queue()
barrier = threading.Barrier(WORKERS)
turn = threading.Condition()
whose = 0

def work(me):
    global whose
    h = hashlib.sha256()
    while (job := todo.get()) is not None:
        for i in range(1200):
            h.update(b"%d %d" % (job, i))
        done.put((job, hashlib.sha256(b"%d" % job).hexdigest()))
        time.sleep(0.001)
    barrier.wait()
    for i in range(20):
        with turn:
            turn.wait_for(lambda: whose == me)
            whose = (me + 1) % WORKERS
            log.write("turn %d of %d\n" % (i, me))
            turn.notify_all()

def write_down():
    heap = {}
    for want in range(STEPS):
        while want not in heap:
            job, digest = done.get(timeout=60)
            heap[job] = digest
        log.write("%d %s\n" % (want, heap.pop(want)))

def digest(n):
    h = hashlib.sha256(b"%d" % n)
    for i in range(3000):
        h.update(h.digest())
    return h.hexdigest()

with open("steps.any-order", "a", buffering=1) as log:
    threads = [threading.Thread(target=work, args=(i,)) for i in range(WORKERS)]
    writer = threading.Thread(target=write_down)
    for t in threads + [writer]:
        t.start()
    for i in range(STEPS):
        todo.put(i)
    for t in threads:
        todo.put(None)
    for t in threads + [writer]:
        t.join()
    with ThreadPoolExecutor(4) as pool:
        for n, h in enumerate(pool.map(digest, range(40))):
            log.write("%d %s\n" % (n, h))
EOF
cat >"$DIR/children.py" <<'EOF'
import hashlib, multiprocessing, os, subprocess

def child(rx, tx):
    h = hashlib.sha256()
    while (job := rx.recv()) is not None:
        for i in range(500):
            h.update(b"%d %d" % (job, i))
        tx.send((job, h.hexdigest()))
    tx.close()

ctx = multiprocessing.get_context("fork")
workers = []
for _ in range(3):
    rx, job_tx = ctx.Pipe(duplex=False)
    result_rx, tx = ctx.Pipe(duplex=False)
    p = ctx.Process(target=child, args=(rx, tx))
    p.start()
    rx.close()
    tx.close()
    workers.append((p, job_tx, result_rx))

with open("steps", "a", buffering=1) as log:
    for step in range(25 * int(os.environ["LONG"])):
        for p, tx, rx in workers:
            tx.send(step)
        bc = subprocess.run(["bc", "-l"], input="scale=30; e(%d)/s(%d)\n" %
                            (step, step + 1), text=True, capture_output=True)
        tr = subprocess.Popen("tr a-f A-F | cut -c1-20", shell=True, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        results = [rx.recv() for p, tx, rx in workers]
        out, _ = tr.communicate("".join(h + "\n" for job, h in results))
        log.write("%d %s %s\n" % (step, bc.stdout.split(), out.split()))
    for p, tx, rx in workers:
        tx.send(None)
        p.join()
        log.write("%d\n" % p.exitcode)
EOF

# An event loop: pairs of sockets wake it, are the input of its children and a
# connection; a thread and a child answer. It watches a timerfd, which Python has
# only since 3.13, and an eventfd.
cat >"$DIR/loop.py" <<'EOF'
import asyncio, ctypes, hashlib, multiprocessing, os, queue, socket, threading
import time
from asyncio.subprocess import PIPE

libc = ctypes.CDLL(None)

def digest(n):
    h = hashlib.sha256(b"%d" % n)
    for i in range(500):
        h.update(h.digest())
    return h.hexdigest()[:16]

def child(conn):
    while (job := conn.recv()) is not None:
        conn.send(digest(job + 1000))

def work(loop, todo):
    while (job := todo.get()) is not None:
        n, future, event = job
        os.eventfd_write(event, n + 1)
        loop.call_soon_threadsafe(future.set_result, digest(n))

async def echo(sock):
    reader, writer = await asyncio.open_connection(sock=sock)
    while line := await reader.readline():
        writer.write(line[::-1].strip() + b"\n")
        await writer.drain()
    writer.close()

def number_from(fd):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    def ready():
        loop.remove_reader(fd)
        future.set_result(int.from_bytes(os.read(fd, 8), "little"))
    loop.add_reader(fd, ready)
    return future

async def step(n, conn, todo, reader, writer, timer, event):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    todo.put((n, future, event))
    in_40_ms = (ctypes.c_long * 4)(0, 0, 0, 40000000)
    assert libc.timerfd_settime(timer, 0, in_40_ms, None) == 0
    conn.send(n)
    writer.write(b"step %d\n" % n)
    tr = await asyncio.create_subprocess_exec("tr", "a-f", "A-F", stdin=PIPE,
                                              stdout=PIPE)
    (out, _), mine, tick, line, expired, count = await asyncio.gather(
        tr.communicate(b"abcdefgh" * 5000), future,
        asyncio.sleep(0.005, "tick"), reader.readline(),
        number_from(timer), number_from(event))
    its = await loop.run_in_executor(None, conn.recv)
    md5 = hashlib.md5(out).hexdigest()
    return "%d %s %s %s %s %s %d %d %d" % (n, mine, its, tick, line, md5,
                                           tr.returncode, expired, count)

async def main(conn, log):
    todo = queue.Queue()
    thread = threading.Thread(target=work, args=(asyncio.get_running_loop(), todo))
    thread.start()
    here, there = socket.socketpair()
    server = asyncio.create_task(echo(there))
    timer = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    reader, writer = await asyncio.open_connection(sock=here)
    for n in range(25 * int(os.environ["LONG"])):
        log.write(await step(n, conn, todo, reader, writer, timer, event) + "\n")
    todo.put(None)
    thread.join()
    writer.close()
    await server

ctx = multiprocessing.get_context("fork")
conn, end = ctx.Pipe()
process = ctx.Process(target=child, args=(end,))
process.start()
end.close()
with open("steps", "a", buffering=1) as log:
    asyncio.run(main(conn, log))
    conn.send(None)
    process.join()
    log.write("%d\n" % process.exitcode)
EOF

# esbuild is written in Go: the runtime makes threads as it likes, lets them
# signal each other, and collects garbage in the background.
awk 'BEGIN {
	for (i = 0; i < 300; i++)
		printf "function f%d(argument, other) {\n" \
		       "\tvar result = argument * %d + other;\n" \
		       "\tif (result > 100) { return f%d(result - 5, %d); }\n" \
		       "\treturn { name: \"x\" + result, value: [ 1, 2, %d ] };\n" \
		       "}\n", i, i, i * 7 % 300, i, i
}' >"$DIR/input.js"
cat >"$DIR/go.sh" <<'EOF'
set -e
i=0
while [ $i -lt $((10 * LONG)) ]; do
	i=$((i + 1))
	{ echo "var round = $i;"; cat "$DIR/input.js"; } >input.js
	esbuild --minify --loader=js <input.js >output.js
	md5sum output.js >>steps
done
EOF

program "bash with jobs" $((5 * LONG)) steps /usr/bin/bash "$DIR/jobs.bash"
program "busybox sh with jobs" $((5 * LONG)) steps /bin/busybox sh "$DIR/jobs.sh"
program "pipeline with threads" $((5 * LONG)) steps /usr/bin/bash "$DIR/stream.sh"
program "tail -f, grep and tee" $((5 * LONG)) steps /bin/busybox sh "$DIR/follow.sh"
program "python3 threads" $((5 * LONG)) steps.any-order \
	/usr/bin/python3 "$DIR/threads.py"
program "python3 children" $((5 * LONG)) steps \
	/usr/bin/python3 "$DIR/children.py"
program "python3 asyncio" $((5 * LONG)) steps /usr/bin/python3 "$DIR/loop.py"
program "esbuild (Go)" $((5 * LONG)) steps /bin/busybox sh "$DIR/go.sh"
end
