#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Configure and build the kernel in $SRC.
#
# usage: kernel.sh OUTDIR FRAGMENT...      tinyconfig plus the fragments
#        kernel.sh -c CONFIG OUTDIR        somebody's .config (or a fragment
#                                          over x86_64_defconfig), plus
#                                          CONFIG_CHECKPOINT=y
#
# TARGETS=	what to build instead of the kernel

. "${0%/*}/lib.sh"

user_config=
if [ "$1" = -c ]; then
	user_config=$(realpath -e "$2") || die "no such config: $2"
	shift 2
fi
out=$(realpath -m "$1")
shift
mkdir -p "$out"
log=$out/build.log

kmake()
{
	clean_make -C "$SRC" O="$out" ARCH=x86_64 LOCALVERSION= "$@"
}

# A symbol only our own Kconfig defines is asked for once it is there.
drop_unknown()
{
	local sym

	for sym in CHECKPOINT CHECKPOINT_KUNIT_TEST; do
		grep -qx "config $sym" "$SRC/checkpoint/Kconfig" 2>/dev/null ||
			sed -i "/^CONFIG_$sym=/d" "$1"
	done
}

# The last word of a fragment list on a symbol is what is asked for.
check_config()
{
	gawk -v config="$out/.config" '
		BEGIN {
			while ((getline line < config) > 0)
				if (match(line, /^CONFIG_[A-Za-z0-9_]+/))
					got[substr(line, 1, RLENGTH)] = line
		}
		match($0, /^(# )?CONFIG_[A-Za-z0-9_]+/) {
			sym = $0
			sub(/^# /, "", sym)
			sub(/[^A-Za-z0-9_].*/, "", sym)
			if (/ is not set$/)
				want[sym] = ""
			else if (/=/)
				want[sym] = $0
		}
		END {
			for (sym in want)
				if (got[sym] != want[sym]) {
					printf "%s: asked for \"%s\", got \"%s\"\n",
					       sym, want[sym], got[sym]
					bad = 1
				}
			exit bad
		}' "$1" >&2 ||
		die "the configuration did not keep what was asked for"
}

configure_tiny()
{
	local want=$out/.config.want

	cat "$@" >"$want.new"
	drop_unknown "$want.new"
	if [ -f "$out/.config" ] && cmp -s "$want" "$want.new"; then
		# Kconfig files may have changed.
		kmake olddefconfig >"$log" 2>&1 || fail_with_log "$log" olddefconfig
	else
		# What is not asked for is off (-n), as in tinyconfig.
		(cd "$SRC" && env -i PATH="$PATH" HOME="${HOME:-/}" ARCH=x86_64 \
			scripts/kconfig/merge_config.sh -n -Q -O "$out" \
			kernel/configs/tiny-base.config "$want.new") \
			>"$log" 2>&1 || fail_with_log "$log" merge_config.sh
	fi
	check_config "$want.new"
	mv "$want.new" "$want"
}

configure_user()
{
	local want=$out/.config.want

	# A whole configuration names its architecture, a fragment does not.
	if grep -q '^CONFIG_X86_64=y' "$user_config" ||
	   grep -q '^# Linux/x86' "$user_config"; then
		[ "$user_config" = "$out/.config" ] ||
			cp "$user_config" "$out/.config"
		: >"$want"
	else
		kmake x86_64_defconfig >"$log" 2>&1 ||
			fail_with_log "$log" x86_64_defconfig
		cp "$user_config" "$want"
	fi
	echo CONFIG_CHECKPOINT=y >>"$want"
	(cd "$out" && env -i PATH="$PATH" "$SRC/scripts/kconfig/merge_config.sh" \
		-m -Q -O "$out" "$out/.config" "$want") >>"$log" 2>&1 ||
		fail_with_log "$log" merge_config.sh
	kmake olddefconfig >>"$log" 2>&1 || fail_with_log "$log" olddefconfig
	check_config "$want"
}

# The long part: say how far it is, at most one line every ten seconds.
progress()
{
	gawk '
		{ print >>log_file; fflush(log_file) }
		/^  (CC|AS|LD|AR) / { n++ }
		systime() >= last + 10 {
			printf "  ... %d objects, %s\n", n, $NF
			fflush()
			last = systime()
		}
		BEGIN { last = systime() }' log_file="$log"
}

if [ -n "$user_config" ]; then
	configure_user
	target=bzImage
	grep -q '^CONFIG_MODULES=y' "$out/.config" && target="bzImage modules"
else
	configure_tiny "$@"
	target=vmlinux
fi
target=${TARGETS:-$target}

say "building ${TARGETS:-the kernel} in $(shorten "$out") (log: build.log there)"
# shellcheck disable=SC2086
kmake -j"$JOBS" $target 2>&1 | progress
[ "${PIPESTATUS[0]}" = 0 ] || fail_with_log "$log" "the kernel build"
if grep -q ' warning: ' "$log"; then
	grep -A4 ' warning: ' "$log" >&2
fi
