#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: hooks.sh update	write hooks/*.patch from what $SRC holds
#        hooks.sh check		fail unless they are in step and small

. "${0%/*}/lib.sh"
. "$QEMU_DIR/hooklib.sh"

PLACEHOLDER='TODO: say what this hook does and why.'

limit()
{
	case $1 in
	kernel/signal.c|fs/eventpoll.c)	echo 40 ;;
	*)				echo 30 ;;
	esac
}

# Files of the kernel that were changed in $SRC, whether they have a hook or
# not.
list_changed()
{
	{
		list_hooks "$HOOKS"
		list_touched
	} | LC_ALL=C sort -u
}

make_patch()
{
	printf 'diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n' "$1" "$1" "$1" "$1"
	git diff --no-index --no-ext-diff --no-color \
		"$PRISTINE/$1" "$SRC/$1" | sed -n '/^@@/,$p'
}

# Without the lines that depend on who made the patch.
hunks()
{
	sed -n -e 's/^\(@@ .* @@\).*/\1/' -e '/^[-+ @\\]/p' |
		sed -e '/^\(---\|+++\) /d'
}

update()
{
	local f hook

	for f in $changed; do
		hook=$HOOKS/$f.patch
		if cmp -s "$PRISTINE/$f" "$SRC/$f"; then
			[ ! -f "$hook" ] || say "no change left: hooks/$f.patch removed"
			rm -f "$hook" "$APPLIED/$f" "$APPLIED/$f.patch"
			continue
		fi
		mkdir -p "${hook%/*}" "$(dirname "$APPLIED/$f")"
		{
			if [ -f "$hook" ]; then
				hook_header "$hook"
			else
				say "new: hooks/$f.patch (write its header)" >&2
				printf '%s\n\n' "$PLACEHOLDER"
			fi
			make_patch "$f"
		} >"$hook.new"
		if cmp -s "$hook" "$hook.new"; then
			rm "$hook.new"
		else
			mv "$hook.new" "$hook"
			say "hooks/$f.patch"
		fi
		cp "$SRC/$f" "$APPLIED/$f"
		cp "$hook" "$APPLIED/$f.patch"
	done
}

check()
{
	local f hook added total=0 bad=0 pinned

	[ "$(kernel_version "$SRC")" = "$(cat "$TOP/kernel.version")" ]
	pinned=$?
	for f in $changed; do
		hook=$HOOKS/$f.patch
		if [ ! -f "$hook" ]; then
			cmp -s "$PRISTINE/$f" "$SRC/$f" && continue
			echo "$f: changed in the tree, has no hook ('make hooks')"
			bad=1
			continue
		fi
		if edited "$f"; then
			echo "$f: tree and hook differ ('make hooks')"
			bad=1
		elif [ $pinned = 0 ] &&
		     ! cmp -s <(make_patch "$f" | hunks) \
			      <(hook_body "$hook" | hunks); then
			echo "$f: the hook applies with an offset ('make hooks')"
			bad=1
		fi
		if ! hook_header "$hook" | grep -q '[[:alpha:]]' ||
		   hook_header "$hook" | grep -qF "$PLACEHOLDER"; then
			echo "$f: the hook has no header saying what and why"
			bad=1
		fi
		added=$(git apply --numstat "$hook" | cut -f1)
		total=$((total + added))
		printf '%4d %s\n' "$added" "$f"
		if [ "$added" -gt "$(limit "$f")" ]; then
			echo "$f: more than $(limit "$f") added lines"
			bad=1
		fi
	done
	printf '%4d lines added in total\n' "$total"
	return $bad
}

# shellcheck disable=SC2086
case ${1:-} in
update|check)
	changed=$(list_changed)
	need_pristine $changed
	$1
	;;
*)	die "usage: hooks.sh update|check" ;;
esac
