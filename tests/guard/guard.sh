#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Counts the instructions that each step of a record's way takes, under callgrind, and
# holds them against tests/guard/figures.tsv:
#
#   tests/guard/guard.sh check    prints the table; fails when a step got dearer
#   tests/guard/guard.sh renew    writes what it counts into figures.tsv
#
# The input is fixed and valgrind's processor is the same everywhere, so the figures
# repeat to a few in ten thousand.  They are those of Debian 12's compiler and libraries,
# with the Makefile's own flags.  $BUILD/guard/hot_path must be there: make guard.

set -euo pipefail
cd "$(dirname "$0")/../.." || exit 1

BUILD=${BUILD:-build}
figures=tests/guard/figures.tsv
# percent: what is more is no noise, what is less is not worth a rejected change
tolerance=5

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints lines of stage and instructions for one record.
count()
{
	local out stage records total
	out=$work/out
	mkdir "$work/dir"
	records=$(valgrind --tool=callgrind --collect-atstart=no --callgrind-out-file="$out" \
		"$BUILD/guard/hot_path" "$work/dir" 2>"$work/log" | awk '$1 == "records" {print $2}')
	if [ -z "$records" ]; then
		cat "$work/log" >&2
		return 1
	fi
	for file in "$out".[0-9]*; do
		stage=$(sed -nE 's/^desc: Trigger: Client Request: (.*)/\1/p' "$file")
		total=$(sed -nE 's/^(summary|totals): //p' "$file" | head -n 1)
		[ "$stage" = warm ] || echo "$stage $((total / records))"
	done | order
}

# Lines of stages in the order of a record's way.
order()
{
	local stage line
	while read -r line; do
		lines[${#lines[@]}]=$line
	done
	for stage in decode validate tokenise encode append read copy; do
		printf '%s\n' "${lines[@]}" | grep "^$stage " || {
			echo "guard: nothing was counted for $stage" >&2
			return 1
		}
	done
}

renew()
{
	local stage now
	{
		echo "# Instructions for one record, by step: make guard RENEW=1 writes them anew."
		while read -r stage now; do
			printf '%s\t%s\n' "$stage" "$now"
		done <"$work/now"
	} >"$figures"
}

# Prints the table; fails when a step is above its figure by more than the tolerance.
check()
{
	local stage now was percent bad=0
	printf '%-10s %12s %12s %8s\n' step now committed ratio
	while read -r stage now; do
		was=$(awk -v stage="$stage" '$1 == stage {print $2}' "$figures")
		if [ -z "$was" ]; then
			echo "guard: $figures has no figure for $stage"
			return 1
		fi
		percent=$((now * 1000 / was))
		printf '%-10s %12d %12d %6d.%03d\n' "$stage" "$now" "$was" \
			$((percent / 1000)) $((percent % 1000))
		if [ $((now * 100)) -gt $((was * (100 + tolerance))) ]; then
			bad=1
			echo "guard: $stage takes $now instructions for a record, $((percent / 10)) % of" \
				"the $was committed; $((100 + tolerance)) % are allowed"
		elif [ $((now * 100)) -lt $((was * (100 - tolerance))) ]; then
			echo "guard: $stage takes less now: make guard RENEW=1 holds it there"
		fi
	done <"$work/now"
	return $bad
}

lines=()
count >"$work/now"
case ${1:-check} in
check) check ;;
renew) renew && check ;;
*)
	echo "$0: unknown verb \"$1\", expected check or renew" >&2
	exit 2
	;;
esac
