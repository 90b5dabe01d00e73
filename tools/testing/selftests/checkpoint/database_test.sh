#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# sqlite3 with a database in memory, and with one in a file, which must be whole
# afterwards: saved in the middle of transactions, with a journal, with a log that
# several could share (WAL), and with the database mapped. See program_lib.sh.

DIR=/tmp/database
. "${0%/*}/program_lib.sh"

begin 7
{
	echo "create table t(i integer primary key, v integer);"
	i=0
	while [ $i -lt $((200 * LONG)) ]; do
		[ $((i % 100)) != 0 ] || echo "delete from t;"
		i=$((i + 1))
		echo "insert into t(v) with recursive c(x) as (select 1 union all" \
		     "select x + 1 from c where x < 300) select x * $i % 997 from c;"
		echo "select $i, count(*), sum(v) from t;"
	done
} >"$DIR/steps.sql"
# In a file, which it holds locks of in a transaction.
for mode in delete wal mmap; do
	case $mode in
	mmap)	echo "pragma mmap_size=100000000;" ;;
	*)	echo "pragma journal_mode=$mode;" ;;
	esac
	echo "pragma temp_store=memory;"
	echo "begin immediate;"
	sed '/^select [0-9]*0,/s/$/ commit; begin immediate;/' "$DIR/steps.sql"
	echo "commit; pragma journal_mode=delete; pragma integrity_check;"
done | awk -v dir="$DIR" '/^pragma [jm]/ { out = dir "/steps-" ++n ".sql" }
	{ print >out }'

# database NAME FILE SQL
database()
{
	program "$1" $((5 * LONG)) stdout \
		/usr/bin/sqlite3 -init "$DIR/$3" "$2" .quit
	[ "$(tail -n 1 "$DIR/work/stdout")" = ok ]
	result $? "$1: integrity"
}

program sqlite3 $((3 * LONG)) stdout \
	/usr/bin/sqlite3 -init "$DIR/steps.sql" :memory: .quit
database sqlite3-journal journal.db steps-1.sql
database sqlite3-wal wal.db steps-2.sql
database sqlite3-mmap mmap.db steps-3.sql
end
