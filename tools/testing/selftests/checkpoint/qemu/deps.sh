#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Install the Debian packages the build and the tests need, or say which are
# missing.

. "${0%/*}/lib.sh"

# kernel
packages="build-essential flex bison bc libelf-dev libssl-dev kmod cpio rsync"
packages="$packages git gawk perl xz-utils python3"
# user tools and tests; the tests are built for i386 as well
packages="$packages libjson-c-dev pkg-config gcc-multilib libc6-dev-i386"
# guest
packages="$packages qemu-system-x86 busybox-static e2fsprogs xfsprogs"
packages="$packages btrfs-progs"
# programs that are checkpointed in the guest
packages="$packages sqlite3 gzip bash mawk esbuild python3-numpy redis-tools"
# lint
packages="$packages sparse shellcheck"
[ -n "${KSRC:-}" ] || packages="$packages linux-source-6.12"

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for p in $packages; do
	installed "$p" || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

how_to()
{
	cat >&2 <<-END
	These Debian packages are missing:

		${missing[*]}

	Install them as root with

		apt-get update && apt-get install --no-install-recommends ${missing[*]}

	END
	case " ${missing[*]} " in
	*" linux-source-6.12 "*)
		cat >&2 <<-END
		On Debian 12 linux-source-6.12 comes from bookworm-security or
		bookworm-backports.  A kernel source from elsewhere is used with
		KSRC=<directory or tarball>.

		END
		;;
	esac
	die "packages are missing"
}

command -v apt-get >/dev/null || how_to
if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	root=sudo
else
	how_to
fi

mkdir -p "$B"
log=$B/deps.log
say "installing ${missing[*]}"

install_packages()
{
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
		--no-install-recommends "${missing[@]}"
}

: >"$log"
install_packages >>"$log" 2>&1 && exit 0
# The package lists may be missing or old.
$root apt-get -q update >>"$log" 2>&1
install_packages >>"$log" 2>&1 && exit 0
tail -n 20 "$log" >&2
how_to
