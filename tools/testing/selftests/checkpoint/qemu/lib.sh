# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the host scripts share.  The top Makefile exports TOP (the repository),
# B (the build directory) and the user's variables.

set -u -o pipefail

# mke2fs is there, and is of use to everybody.
PATH=$PATH:/usr/sbin:/sbin

TOP=${TOP:-$(realpath "${BASH_SOURCE[0]%/*}/../../../../..")}
B=${B:-$TOP/build}
SRC=$B/src
JOBS=${JOBS:-$(nproc)}
SELFTESTS=$TOP/tools/testing/selftests/checkpoint
QEMU_DIR=$SELFTESTS/qemu
export TOP B SRC JOBS SELFTESTS QEMU_DIR

say()
{
	printf '== %s\n' "$*"
}

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# A path as it is best shown: relative to the repository.
shorten()
{
	printf '%s' "${1#"$TOP"/}"
}

fail_with_log()
{
	{
		grep -nE '(error|Error|ERROR|undefined reference|warning):? ' "$1" |
			head -n 20
		printf -- '--- last lines of %s\n' "$(shorten "$1")"
		tail -n 25 "$1"
	} >&2
	die "$2 failed"
}

# make without what the user gave to the make above: the kernel and its tools
# know variables named O, DEBUG, CONFIG or V as well.
clean_make()
{
	env -i PATH="$PATH" HOME="${HOME:-/}" make --no-print-directory "$@"
}
