#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bring $SRC up to date: unpack the kernel source if that has not been done,
# copy our own files into it, apply the hooks.  Only files whose content
# changes are written, so that kbuild rebuilds no more than it has to.
#
# KSRC=	a kernel tree or a tarball of one (default: Debian's linux-source)
# FORCE=1	drop edits made in $SRC that are in the way of a changed hook

. "${0%/*}/lib.sh"
. "$QEMU_DIR/hooklib.sh"

overlay_dirs="checkpoint include arch fs mm kernel ipc lib net init"
overlay_dirs="$overlay_dirs Documentation tools"

find_source()
{
	if [ -n "${KSRC:-}" ]; then
		realpath -e "$KSRC" || die "KSRC=$KSRC: no such file"
		return
	fi
	realpath -e /usr/src/linux-source-6.12.tar.xz 2>/dev/null ||
		die "no kernel source: install linux-source-6.12 or give KSRC="
}

# What tells one source from another: its path, size and time.
source_id()
{
	if [ -d "$1" ]; then
		printf '%s %s\n' "$1" "$(stat -c '%Y' "$1/Makefile")"
	else
		printf '%s %s\n' "$1" "$(stat -c '%s-%Y' "$1")"
	fi
}

# The old tree makes room for a new one; edits that are in no hook are kept.
retire()
{
	local f old=${SRC:?}

	if [ -f "$B/source.id" ] && [ -f "$B/overlay.list" ]; then
		for f in $(list_touched); do
			cmp -s "$old/$f" "$APPLIED/$f" && continue
			cmp -s "$old/$f" "$PRISTINE/$f" && continue
			rm -rf "$B/src.old"
			mv "$old" "$B/src.old"
			say "notice: $f was edited, the old tree is now" \
				"$(shorten "$B/src.old")"
			break
		done
	fi
	rm -rf "$old" "$PRISTINE" "$APPLIED"
	rm -f "$B/overlay.list" "$B/source.id"
}

unpack()
{
	local src=$1 pinned version

	say "unpacking $src"
	rm -rf "$B/src.new"
	mkdir -p "$B/src.new"
	if [ -d "$src" ]; then
		[ -f "$src/Kbuild" ] || die "$src: not a kernel tree"
		[ ! -e "$src/.config" ] && [ ! -d "$src/include/config" ] ||
			die "$src: has been built in; it needs 'make mrproper'"
		(cd "$src" && tar --exclude=./.git --exclude=./build -cf - .) |
			tar -xf - -C "$B/src.new" || die "cannot copy $src"
	else
		tar -xf "$src" -C "$B/src.new" --strip-components=1 ||
			die "cannot unpack $src"
	fi
	version=$(kernel_version "$B/src.new")
	pinned=$(cat "$TOP/kernel.version")
	case $version in
	"$pinned") ;;
	6.12.*)	say "notice: this is Linux $version, we are tested on $pinned" ;;
	*)	die "$src is Linux $version, wanted is 6.12.y ($pinned)" ;;
	esac
	[ ! -d "$SRC" ] || retire
	mv "$B/src.new" "$SRC"
	# Whatever is newer than this file has been changed since.
	source_id "$src" >"$B/source.id"
}

unpack_if_needed()
{
	local src old

	if [ -d "$SRC" ] && [ -f "$B/source.id" ]; then
		old=$(cut -d' ' -f1 "$B/source.id")
		[ -n "${KSRC:-}" ] || [ ! -e "$old" ] || KSRC=$old
		[ -n "${KSRC:-}" ] || return 0
	fi
	src=$(find_source) || exit 1
	[ -d "$SRC" ] && [ -f "$B/source.id" ] &&
		[ "$(cat "$B/source.id")" = "$(source_id "$src")" ] ||
		unpack "$src"
}

list_overlay()
{
	local d

	cd "$TOP" || exit 1
	for d in $overlay_dirs; do
		[ -d "$d" ] && find "$d" -name build -prune -o -type f \
			! -name '.*' ! -name '*.o' ! -name '*~' \
			! -name '*.orig' ! -name '*.rej' ! -name '*.pyc' -print
	done | LC_ALL=C sort
}

copy_overlay()
{
	local list=$B/overlay.list f

	touch "$list"
	list_overlay >"$list.new"
	# A file of the kernel itself is changed by a hook, never replaced.
	LC_ALL=C comm -13 "$list" "$list.new" | while read -r f; do
		[ ! -e "$SRC/$f" ] || echo "$f"
	done >"$list.clash"
	[ ! -s "$list.clash" ] ||
		die "the kernel has these files already: $(cat "$list.clash")"
	LC_ALL=C comm -23 "$list" "$list.new" | while read -r f; do
		rm -f "$SRC/$f"
		rmdir -p --ignore-fail-on-non-empty "$SRC/${f%/*}" 2>/dev/null
	done
	# Ours from here on, even if the copying is interrupted.
	cp "$list.new" "$list"
	while read -r f; do
		cmp -s "$TOP/$f" "$SRC/$f" && continue
		mkdir -p "$SRC/${f%/*}"
		# Not cp -p: kbuild goes by time.  By rename: never half a file.
		cp "$TOP/$f" "$SRC/$f.new~" && mv "$SRC/$f.new~" "$SRC/$f" ||
			die "cannot copy $f"
	done <"$list.new"
	rm -f "$list.new" "$list.clash"
}

mkdir -p "$B"
unpack_if_needed
copy_overlay
sync_hooks
