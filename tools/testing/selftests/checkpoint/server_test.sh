#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# redis-server with data that are nowhere but in its memory. It does not start without
# a socket to listen at, but can do without one later, and is saved then. While it
# listens it is refused; its socket can be declared external, and who restarts it
# gives it another. See program_lib.sh.

# What the library sets, and what it uses:
# shellcheck disable=SC2154,SC2034

DIR=/tmp/server
. "${0%/*}/program_lib.sh"

begin 3
cycles=$((5 * LONG))

cat >"$DIR/listen.py" <<'END'
import os, socket, sys
path, key = sys.argv[1:3]
os.unlink(path)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(511)
# It comes as it is, and redis-server counts on that.
s.setblocking(False)
s.set_inheritable(True)
os.execvp("restart", ["restart", "--inherit-fd=%s=%d" % (key, s.fileno())] + sys.argv[3:])
END

# cli ARGUMENT...: where the server listens
cli()
{
	# shellcheck disable=SC2086
	redis-cli $where "$@"
}

# at_tcp, at_path: where the next server listens
at_tcp()
{
	where="-p 6379"
	options="--port 6379 --bind 127.0.0.1"
}

at_path()
{
	where="-s $DIR/s"
	options="--port 0 --unixsocket $DIR/s"
}

# serve OPTION...: sets $id, which a server gives itself when it starts
serve()
{
	# shellcheck disable=SC2086
	start redis-server $options --save "3600 1" --enable-debug-command yes "$@"
	until id=$(cli info server | grep '^run_id:'); do
		kill -0 "$pid" || { show stdout; return 1; }
		usleep 50000
	done
}

# fill: sets $digest, of all the data
fill()
{
	cli debug populate 20000 key 100
	cli eval "for i = 1, 2000 do
		redis.call('hset', 'hash', i, i * i)
		redis.call('zadd', 'zset', i * 7919 % 104729, i)
		redis.call('rpush', 'list', 'item ' .. i)
	end" 0
	digest=$(cli debug digest)
} >/dev/null

stop()
{
	kill "$pid"
	wait "$job"
	leave_group
}

# cycle OPTION...: saved and left alone, saved and killed, and brought back
# shellcheck disable=SC3028
cycle()
{
	usleep $((RANDOM * 10))
	save "$@" && save --kill "$@" || return 1
	wait "$job" 2>/dev/null
	leave_group
	bring_back
}

no_socket()
{
	at_tcp
	serve || return 1
	fill
	cli config set port 0 >/dev/null
	n=0
	while [ $n -lt $cycles ]; do
		cycle || return 1
		n=$((n + 1))
	done
	# This makes it write down what it has.
	[ ! -e dump.rdb ] && stop && mv dump.rdb "$DIR/" || return 1
	at_path
	serve --dir "$DIR" || return 1
	echo "# redis-server: $n cycles, $(cli dbsize) keys; image $(size_of "$IMG")"
	[ "$(cli debug digest)" = "$digest" ]
	status=$?
	stop
	rm "$DIR/dump.rdb"
	return $status
}

# The listening socket as /proc shows it
listening()
{
	for fd in "/proc/$pid/fd"/*; do
		inode=$(readlink "$fd" | sed -n 's/^socket:\[\(.*\)\]$/\1/p')
		[ -z "$inode" ] || ! grep -q " $inode $DIR/s\$" /proc/net/unix || {
			echo "socket:[$inode]"
			return
		}
	done
}

refused()
{
	checkpoint --check "$pid" 2>"$DIR/log" && return 1
	grep -qF " -> $(listening) listens for connections" "$DIR/log" ||
		{ show "$DIR/log"; return 1; }
	[ "$(cli debug digest)" = "$digest" ]
}

external()
{
	n=0
	while [ $n -lt $cycles ]; do
		n=$((n + 1))
		[ "$(cli incr n)" = $n ] || return 1
		key=$(listening)
		RESTART="python3 $DIR/listen.py $DIR/s $key"
		cycle --external="$key" || return 1
	done
	echo "# redis-server: $n cycles with its socket; image $(size_of "$IMG")"
	[ "$(cli getdel n)" = $n ] && [ "$(cli debug digest)" = "$digest" ] &&
		[ "$(cli info server | grep '^run_id:')" = "$id" ]
}

if has /usr/bin/redis-server "redis-server without a socket"; then
	no_socket
	result $? "redis-server without a socket"
fi
at_path
if has /usr/bin/redis-server "redis-server that listens: refused"; then
	serve && fill && refused
	result $? "redis-server that listens: refused"
fi
if has /usr/bin/redis-server "redis-server that listens: external"; then
	external
	result $? "redis-server that listens: external"
	stop
fi
end
