#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Job control of restart, in a shell on a terminal of its own.
# usage: job.py RESTART IMAGE
import os
import pty
import select
import sys
import time

PROGRAM = ('trap "echo got-int; exit 5" INT; echo started; '
           'while :; do read x && echo "read-$x"; done')
pid, tty = pty.fork()
if not pid:
    os.environ.update(PS1='ready> ', MOCK_PROGRAM=PROGRAM)
    os.execvp('bash', ['bash', '--norc', '--noprofile', '-i'])


def expect(text):
    seen = ''
    end = time.time() + 20
    while time.time() < end:
        if select.select([tty], [], [], 0.1)[0]:
            try:
                seen += os.read(tty, 4096).decode(errors='replace')
            except OSError:
                break
        if text in seen:
            return
    print(f'# expected {text!r}, saw {seen!r}')
    sys.exit(1)


def step(keys, text):
    os.write(tty, keys.encode())
    expect(text)


expect('ready> ')
step(f'{sys.argv[1]} -P -i {sys.argv[2]}\n', 'started\r')
step('one\n', 'read-one')
step('\x1a', 'Stopped')
step('echo shell-$((40 + 2))\n', 'shell-42')
step('fg\n', 'restart-mock')
step('two\n', 'read-two')
step('\x03', 'got-int')
step('echo status-$?\n', 'status-5')
os.write(tty, b'exit\n')
