#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything that can be said about the source without running it: checkpatch,
# sparse, a W=1 build, kernel-doc, shellcheck.  Says nothing if all is well,
# but for a summary.

. "${0%/*}/lib.sh"

OUT=$B/lint
mkdir -p "$OUT"
bad=0

# verdict NAME COUNT: what is in $OUT/NAME are complaints.
verdict()
{
	if [ -s "$OUT/$1" ]; then
		printf '  FAIL %-12s %s\n' "$1" "$2"
		sed 's/^/    /' "$OUT/$1"
		bad=1
	else
		printf '  ok   %-12s %s\n' "$1" "$2"
	fi
}

overlay()
{
	grep -E "$1" "$B/overlay.list"
}

# run_checkpatch IGNORE OPTION FILE...
run_checkpatch()
{
	local ignore=FILE_PATH_CHANGES,SPDX_LICENSE_TAG,$1 option=$2

	shift 2
	(cd "$SRC" && printf '%s\0' "$@" | xargs -0 -n 8 -P "$JOBS" \
		perl scripts/checkpatch.pl --strict -q --show-types \
		--ignore "$ignore" "$option") | grep -v '^total: '
}

checkpatch()
{
	local kernel user hooks

	# A trace header is laid out by other rules than those of C.
	kernel=$(overlay '\.[chS]$' | grep -v -e '^tools/' -e '^include/trace/')
	user="$(overlay '^tools/.*\.[chS]$') $(find "$TOP/bench" -name '*.[ch]')"
	hooks=$(find "$TOP/hooks" -name '*.patch' | sort)
	# shellcheck disable=SC2086
	{
		[ -z "$kernel" ] || run_checkpatch "$kernel_ignore" -f $kernel
		# User programs have neither the kernel's macros nor its rules
		# about them.
		[ -z "$user" ] || run_checkpatch "$user_ignore" -f $user
		# A hook is no mail, and keeps to the style of its file.
		[ -z "$hooks" ] || run_checkpatch "$hook_ignore" --no-signoff \
			$hooks
	} >"$OUT/checkpatch" 2>&1
	# shellcheck disable=SC2086
	verdict checkpatch "$(count $kernel $user) files, $(count $hooks) hooks"
}

count()
{
	echo $#
}

# Lists of types are macros that take a macro, of which checkpatch thinks the
# worst.
kernel_ignore=COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,TRAILING_SEMICOLON
kernel_ignore=$kernel_ignore,MULTISTATEMENT_MACRO_USE_DO_WHILE,BRACKET_SPACE
user_ignore=ENOSYS,PREFER_DEFINED_ATTRIBUTE_MACRO,BIT_MACRO,ARRAY_SIZE
user_ignore=$user_ignore,CAMELCASE,MEMORY_BARRIER,EMBEDDED_FUNCTION_NAME
user_ignore=$user_ignore,MACRO_ARG_REUSE,COMPLEX_MACRO,PREFER_FALLTHROUGH
user_ignore=$user_ignore,CONST_STRUCT,NEW_TYPEDEFS,VOLATILE,STRCPY,STRNCPY,TYPO_SPELLING
hook_ignore=COMMIT_MESSAGE,COMMIT_LOG_LONG_LINE,BIT_MACRO,LINE_SPACING

# Compile our objects, in a build directory of their own so that the kernel's
# stay as they are.  One run for sparse, one for W=1.
compile()
{
	local objects=() f

	for f in $(overlay '^(checkpoint|arch|fs|mm|kernel|ipc|lib|net)/.*\.c$'); do
		# Some are a part of what they are named after.
		f=${f/%_ckpt.c/.c}
		# Only what this configuration builds.
		[ ! -f "$B/kernel/${f%.c}.o" ] || objects+=("${f%.c}.o")
	done
	if [ ${#objects[@]} -gt 0 ]; then
		TARGETS=prepare "$QEMU_DIR/kernel.sh" "$OUT/kernel" \
			"$SELFTESTS/config" >/dev/null || exit 1
		rm -f "${objects[@]/#/$OUT/kernel/}"
		clean_make -C "$SRC" O="$OUT/kernel" ARCH=x86_64 -k \
			-j"$JOBS" LOCALVERSION= W=1 C=2 "${objects[@]}" \
			>"$OUT/compile.log" 2>&1 ||
			echo "the build failed" >>"$OUT/compile.log"
	else
		: >"$OUT/compile.log"
	fi
	# Headers of the kernel are not ours to judge. Sparse cannot follow
	# a lock that a call takes only if it succeeds (pte_offset_map_lock);
	# lockdep watches those at run time.
	overlay . >"$OUT/ours"
	grep -E '(warning|error):|the build failed' "$OUT/compile.log" |
		grep -F -f "$OUT/ours" -e 'the build failed' |
		grep -v 'context imbalance' |
		sort -u >"$OUT/compiler"
	rm -f "$OUT/ours"
	verdict compiler "sparse and W=1, ${#objects[@]} objects"
}

kernel_doc()
{
	local files

	files=$(overlay '\.[ch]$' | grep -v '^tools/')
	# shellcheck disable=SC2086
	[ -z "$files" ] ||
		(cd "$SRC" && perl scripts/kernel-doc -none -Werror $files) \
			2>&1 | grep -E 'warning|error' >"$OUT/kernel-doc"
	# shellcheck disable=SC2086
	verdict kernel-doc "$(count $files) files"
}

shell()
{
	local files

	files=$(cd "$TOP" && find .ci bench tools hooks Documentation -type f \
		! -name '*.[chS]' -exec grep -lE '^#! ?/bin/(ba)?sh|^# shellcheck shell' \
		{} + 2>/dev/null | sort)
	# shellcheck disable=SC2086
	(cd "$TOP" && shellcheck -x -e SC1090,SC1091,SC2015 $files) \
		>"$OUT/shellcheck" 2>&1
	# shellcheck disable=SC2086
	verdict shellcheck "$(count $files) scripts"
}

for tool in sparse shellcheck perl; do
	command -v $tool >/dev/null || die "$tool is missing ('make deps')"
done
checkpatch
compile
kernel_doc
shell
exit $bad
