#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Does Documentation/checkpoint/fields.rst say of each field of the structures
# in it what becomes of it?  The fields that there are come from the debug
# information of one object of the kernel, compiled for this.
#
# CONFIG=FILE	of that configuration, not of the tests' own
# DEBUG=1	of the debug kernel

. "${0%/*}/lib.sh"

TABLE=Documentation/checkpoint/fields.rst
# It sees all the structures, and is always built.
OBJECT=kernel/fork.o

config=("$SELFTESTS/config")
out=$B/fields
if [ -n "${CONFIG:-}" ]; then
	config=("$CONFIG")
	out=$B/fields-user
elif [ -n "${DEBUG:-}" ]; then
	config+=("$SELFTESTS/config.debug")
	out=$B/fields-debug
fi

compile()
{
	export TARGETS="$OBJECT KCFLAGS=-g"

	if [ -n "${CONFIG:-}" ]; then
		"$QEMU_DIR/kernel.sh" -c "${config[@]}" "$out"
	else
		"$QEMU_DIR/kernel.sh" "$out" "${config[@]}"
	fi
}

# The table, as lines "STRUCT FIELD CLASS"; "?" behind CLASS for a field that
# depends on the configuration.
read_table()
{
	gawk '
		$1 == "struct" && NF == 2 { of = $2 }
		/^=+ =+ =+$/ { ruler++; next }
		# Between the second ruler and the third.
		ruler % 3 == 2 && /^[^ ]/ {
			if ($2 == "?")
				print of, $1, $3, "?"
			else
				print of, $1, $2
		}' "$TOP/$TABLE"
}

# The words of the definitions, as lines "STRUCT WORD": a field that depends on
# the configuration must at least be among them.
read_source()
{
	gawk '$1 == "struct" && NF == 2 { of = $2 }
	      NF == 1 && $1 ~ /\.h$/ { print of, $1 }' "$TOP/$TABLE" |
		while read -r of header; do
			sed -n "/^struct $of {/,/^}/p" "$SRC/$header" |
				grep -ow '[A-Za-z_][A-Za-z0-9_]*' |
				sed "s/^/$of /"
		done
}

# The fields that the object has, as lines "STRUCT FIELD".
read_object()
{
	readelf --debug-dump=info "$out/$OBJECT" | gawk -v structs="$1" '
		BEGIN { split(structs, s); for (i in s) want[s[i]] }
		$1 ~ /^<[0-9]+><[0-9a-f]+>:$/ {
			split($1, at, /[<>]+/)
			die = at[3]
			last[at[2]] = die
			if ($NF == "(DW_TAG_member)")
				members[last[at[2] - 1]] = \
					members[last[at[2] - 1]] " " die
			else if ($NF ~ /(structure|union)_type\)$/)
				compound[die]
		}
		$2 == "DW_AT_name" { name[die] = $NF }
		$2 == "DW_AT_type" { type[die] = substr($NF, 4, length($NF) - 4) }
		# A struct without a name belongs to the one around it.
		function fields(of, die, prefix,	i, n, m, t) {
			n = split(members[die], m)
			for (i = 1; i <= n; i++) {
				t = type[m[i]]
				if (!(t in compound) || t in name)
					print of, prefix name[m[i]]
				else if (m[i] in name)
					fields(of, t, prefix name[m[i]] ".")
				else
					fields(of, t, prefix)
			}
		}
		END {
			for (die in members)
				if (die in compound && die in name &&
				    name[die] in want)
					fields(name[die], die, "")
		}'
}

compare()
{
	gawk -v table="$TABLE" '
		function bad(what) {
			printf "struct %s, %s: %s\n", $1, $2, what
			failed = 1
		}
		{ field = $1 " " $2 }
		FILENAME ~ /[.]source$/ { source[field]; next }
		FILENAME ~ /[.]object$/ {
			object[field]
			has[$1]
			next
		}
		field in listed { bad("stands twice in " table) }
		{
			listed[field]
			structs[$1]
			word = $1 " " gensub(/.*\./, "", 1, $2)
		}
		$3 == "undecided" { bad("nobody has decided yet what becomes of it") }
		$3 !~ /^(saved|refused|derived|internal|not-preserved|undecided)$/ {
			bad("there is no class \"" $3 "\"")
		}
		field in object { next }
		$4 != "?" || !(word in source) {
			bad("is in " table ", and no field of the kernel")
		}
		END {
			for (s in structs) {
				n++
				if (!(s in has)) {
					$0 = s " all"
					bad("not in the debug information")
				}
			}
			for (field in object) {
				$0 = field
				if (!(field in listed))
					bad("decide what becomes of it, and say it in " table)
				m++
			}
			if (!failed)
				printf "%4d fields of %d structures, all in %s\n",
				       m, n, table
			exit failed
		}' "$out/fields.source" "$out/fields.object" "$out/fields.table" | LC_ALL=C sort
}

compile || exit 1
read_table >"$out/fields.table"
[ -s "$out/fields.table" ] || die "$TABLE has no tables"
read_source >"$out/fields.source"
read_object "$(cut -d' ' -f1 "$out/fields.table" | sort -u | tr '\n' ' ')" \
	>"$out/fields.object" || die "$(shorten "$out/$OBJECT") cannot be read"
compare
