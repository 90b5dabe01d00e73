# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The hooks: hooks/<file>.patch holds our change to the kernel's <file>.
#
#   $PRISTINE/<file>	as the kernel has it
#   $APPLIED/<file>	with the hook applied: what $SRC/<file> is unless
#			somebody edited it there
#   $APPLIED/<file>.patch	the hook that made it so

HOOKS=$TOP/hooks
PRISTINE=$B/pristine
APPLIED=$B/applied

kernel_version()
{
	gawk '/^(VERSION|PATCHLEVEL|SUBLEVEL) = /{ v = v sep $3; sep = "." }
	      END { print v }' "$1/Makefile"
}

# The files that have a hook in directory $1.
list_hooks()
{
	[ -d "$1" ] || return 0
	(cd "$1" && find . -name '*.patch' -type f) |
		sed -e 's,^\./,,' -e 's,\.patch$,,' | LC_ALL=C sort
}

# Files of $SRC, other than our own, that were written since it was unpacked.
list_touched()
{
	(cd "$SRC" && find . -type f -newer "$B/source.id" \
		! -name '.*' ! -name '*~' ! -name '*.orig' \
		! -name '*.rej' ! -name '*.pyc' | sed 's,^\./,,') |
		LC_ALL=C sort | LC_ALL=C comm -23 - "$B/overlay.list"
}

# The patch in hook file $1 without the text above it, or only that text.
hook_body()
{
	sed -n '/^\(diff --git \|--- a\/\)/,$p' "$1"
}

hook_header()
{
	sed '/^\(diff --git \|--- a\/\)/,$d' "$1"
}

# Make sure that $PRISTINE has all the named files.
need_pristine()
{
	local f src missing=()

	for f in "$@"; do
		[ -f "$PRISTINE/$f" ] && continue
		mkdir -p "$(dirname "$PRISTINE/$f")"
		if [ -f "$SRC/$f" ] && [ ! "$SRC/$f" -nt "$B/source.id" ]; then
			cp -p "$SRC/$f" "$PRISTINE/$f"
		else
			missing+=("$f")
		fi
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	src=$(cut -d' ' -f1 "$B/source.id")
	for f in "${missing[@]}"; do
		if [ -d "$src" ]; then
			cp -p "$src/$f" "$PRISTINE/$f" ||
				die "hooks/$f.patch: the kernel has no $f"
		fi
	done
	[ -d "$src" ] && return
	tar -xf "$src" -C "$PRISTINE" --strip-components=1 --wildcards \
		"${missing[@]/#/*/}" 2>/dev/null
	for f in "${missing[@]}"; do
		[ -f "$PRISTINE/$f" ] ||
			die "hooks/$f.patch: the kernel has no $f"
	done
}

# apply_hook FILE DIR: leave the file with its hook applied in DIR.
apply_hook()
{
	local f=$1 dir=$2 touched

	mkdir -p "$(dirname "$dir/$f")"
	cp "$PRISTINE/$f" "$dir/$f"
	# Outside any repository git apply takes paths as they stand.
	touched=$(cd "$dir" &&
		GIT_CEILING_DIRECTORIES=$(realpath "$dir/..") git apply -p1 \
			--numstat "$HOOKS/$f.patch" | cut -f3)
	[ "$touched" = "$f" ] ||
		die "hooks/$f.patch must change $f and nothing else"
	(cd "$dir" &&
		GIT_CEILING_DIRECTORIES=$(realpath "$dir/..") git apply -p1 \
			--whitespace=nowarn "$HOOKS/$f.patch") ||
		die "hooks/$f.patch does not apply"
}

# Was $SRC/$1 changed by hand since its hook was applied?
edited()
{
	if [ -f "$APPLIED/$1" ]; then
		! cmp -s "$SRC/$1" "$APPLIED/$1"
	else
		! cmp -s "$SRC/$1" "$PRISTINE/$1"
	fi
}

may_overwrite()
{
	edited "$1" || return 0
	[ ! -f "$2" ] || ! cmp -s "$SRC/$1" "$2" || return 0
	[ -n "${FORCE:-}" ] ||
		die "$(shorten "$SRC/$1") has edits of its own, and its hook changed: merge by hand, or FORCE=1 to drop the edits"
	say "edits dropped: $(shorten "$SRC/$1") (kept as $1.edited)"
	mkdir -p "$(dirname "$B/edited/$1")"
	cp "$SRC/$1" "$B/edited/$1.edited"
}

put_source()
{
	cmp -s "$1" "$SRC/$2" && return
	cp "$1" "$SRC/$2.new~" && mv "$SRC/$2.new~" "$SRC/$2" ||
		die "cannot write $SRC/$2"
}

sync_hooks()
{
	local f tmp changed=()

	# Hooks that are gone.
	for f in $(list_hooks "$APPLIED"); do
		[ -f "$HOOKS/$f.patch" ] && continue
		may_overwrite "$f" "$PRISTINE/$f"
		put_source "$PRISTINE/$f" "$f"
		rm -f "$APPLIED/$f" "$APPLIED/$f.patch"
	done

	for f in $(list_hooks "$HOOKS"); do
		cmp -s "$HOOKS/$f.patch" "$APPLIED/$f.patch" || changed+=("$f")
	done
	[ ${#changed[@]} -gt 0 ] || return 0

	need_pristine "${changed[@]}"
	tmp=$(mktemp -d "$B/hooks.XXXXXX") || exit 1
	for f in "${changed[@]}"; do
		# In a subshell, so that nothing is left behind on failure.
		(apply_hook "$f" "$tmp" && may_overwrite "$f" "$tmp/$f") || {
			rm -rf "$tmp"
			exit 1
		}
		put_source "$tmp/$f" "$f"
		mkdir -p "$(dirname "$APPLIED/$f")"
		cp "$tmp/$f" "$APPLIED/$f"
		cp "$HOOKS/$f.patch" "$APPLIED/$f.patch"
	done
	rm -rf "$tmp"
}
