#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What takes too long for `make check`:
#
#   tests/torture.sh [SEEDS]     default: 200000
#
# Power cuts of the simulated disk by the seed, as many slices at a time as there
# are cores; then the daemon killed at each pair of two crash points in a row; then
# the system tests that are marked torture.  A failing seed prints itself and the
# command that replays it.  Exit 0 only when nothing failed.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

export BUILD=${BUILD:-build}
seeds=${1:-200000}
slice=2000
power=$BUILD/unit/journal/test_power
logs=$BUILD/torture
failed=0

# One slice of seeds: its log stays only when something is in it to be read.
# FIRST SEEDS
run_slice()
{
	local log=$logs/seeds-$1.log
	if JOURNAL_FIRST=$1 JOURNAL_SEEDS=$2 "$power" >"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	grep -aE 'seed [0-9]+:|JOURNAL_SEED=' "$log" >&2
	echo "  see $log" >&2
	return 1
}

# A wave is one slice per core; the progress line follows each.
run_seeds()
{
	local first=1 pid pids left
	while [ "$first" -le "$seeds" ]; do
		pids=()
		for _ in $(seq "$(nproc)"); do
			left=$((seeds - first + 1))
			[ "$left" -gt 0 ] || break
			[ "$left" -lt "$slice" ] || left=$slice
			run_slice "$first" "$left" &
			pids+=($!)
			first=$((first + left))
		done
		for pid in "${pids[@]}"; do
			wait "$pid" || failed=$((failed + 1))
		done
		echo "seeds: $((first - 1)) of $seeds, $failed slices failed"
	done
}

run_pairs()
{
	GATEHOUSE_ALL_PAIRS=1 /usr/bin/python3 -B -m pytest -c tests/pytest.ini -v \
		tests/system/test_crash_points.py </dev/null || failed=$((failed + 1))
}

# The long forms of the system tests.
run_system()
{
	/usr/bin/python3 -B -m pytest -c tests/pytest.ini -v -m torture \
		tests/system </dev/null || failed=$((failed + 1))
}

mkdir -p "$logs"
tests/setup.sh build test || exit 1
make -j"$(nproc)" BUILD="$BUILD" all crash "$power" || exit 1
run_seeds
run_pairs
run_system
[ "$failed" -eq 0 ]
