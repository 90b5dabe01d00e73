#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Plots of a benchmark run: time against N, both axes logarithmic.
#
# usage: plot.sh DIR

set -eu
dir=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# KIND WHO FIGURE: "N ms" per line, medians
points()
{
	gawk -F'\t' -v kind="$1" -v who="$2" -v figure="$3" '
		$1 == kind && $3 == who && $4 == figure { v[$2][++c[$2]] = $5 }
		END {
			for (n in v) {
				k = asort(v[n], s)
				print n, s[int((k + 1) / 2)] / 1000
			}
		}' "$dir/results" | sort -n
}

cut -f1 "$dir/results" | grep -v "^#" | sort -u | while read -r kind; do
	what=()
	for line in "ours save" "ours restore" "criu save" "criu restore" \
		    "bound create" "bound write" "bound read"; do
		read -r who figure <<<"$line"
		points "$kind" "$who" "$figure" >"$tmp/$who-$figure"
		style=linespoints
		[ "$who" != bound ] || style="lines dashtype 2 linecolor 'black'"
		[ "$(wc -l <"$tmp/$who-$figure")" -lt 2 ] ||
			what+=("'$tmp/$who-$figure' with $style title '$line'")
	done
	[ ${#what[@]} -gt 0 ] || continue
	gnuplot <<-END
	set terminal svg size 720,480 background 'white'
	set grid
	set output '$dir/$kind.svg'
	set logscale xy
	set key left top
	set xlabel 'N ($kind)'
	set ylabel 'ms'
	plot $(IFS=,; echo "${what[*]}")
	END
done
