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

checkpatch()
{
	local ignore=FILE_PATH_CHANGES,SPDX_LICENSE_TAG f n=0

	{
		for f in $(overlay '\.[chS]$'); do
			(cd "$SRC" && perl scripts/checkpatch.pl --strict -q \
				--show-types --ignore "$ignore" -f "$f")
		done
		# A hook is no mail: its text is not that of a commit.
		for f in $(cd "$TOP" && find hooks -name '*.patch' | sort); do
			(cd "$SRC" && perl scripts/checkpatch.pl --strict -q \
				--show-types --no-signoff --ignore \
				"$ignore,COMMIT_MESSAGE,COMMIT_LOG_LONG_LINE" \
				"$TOP/$f")
		done
	} >"$OUT/checkpatch" 2>&1
	n=$(overlay '\.[chS]$' | wc -l)
	verdict checkpatch "$n files, $(find "$TOP/hooks" -name '*.patch' |
		wc -l) hooks"
}

# Compile our objects, in a build directory of their own so that the kernel's
# stay as they are.  One run for sparse, one for W=1.
compile()
{
	local objects=() f

	for f in $(overlay '^(checkpoint|arch|fs|mm|kernel|ipc|lib|net)/.*\.c$'); do
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
	# Headers of the kernel are not ours to judge.
	overlay . >"$OUT/ours"
	grep -E '(warning|error):|the build failed' "$OUT/compile.log" |
		grep -F -f "$OUT/ours" -e 'the build failed' |
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
	verdict kernel-doc "$(printf '%s\n' $files | wc -l) files"
}

shell()
{
	local files

	files=$(cd "$TOP" && find .ci tools hooks Documentation -type f \
		! -name '*.[chS]' -exec grep -lE '^#! ?/bin/(ba)?sh|^# shellcheck shell' \
		{} + 2>/dev/null | sort)
	# shellcheck disable=SC2086
	(cd "$TOP" && shellcheck -x -e SC1090,SC1091,SC2015 $files) \
		>"$OUT/shellcheck" 2>&1
	# shellcheck disable=SC2086
	verdict shellcheck "$(printf '%s\n' $files | wc -l) scripts"
}

for tool in sparse shellcheck perl; do
	command -v $tool >/dev/null || die "$tool is missing ('make deps')"
done
checkpatch
compile
kernel_doc
shell
exit $bad
