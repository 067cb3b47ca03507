#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs fuzzers, each for so many seconds, and prints one line for each:
#
#   tests/fuzz/run.sh FOLDER SECONDS NAME...     FOLDER holds the programs
#
# New inputs and logs go to FOLDER, where the next run goes on from them;
# tests/fuzz/corpus/NAME/ is only read.  Exit 0 only when none found anything.

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

folder=$1 seconds=$2
shift 2
failed=0

# The value of one of libFuzzer's closing figures.
stat()
{
	sed -nE "s/^stat::$1: *([0-9]+)$/\\1/p" "$2"
}

fuzz()
{
	local name=$1 found=$folder/$1.corpus seeds=tests/fuzz/corpus/$1 log=$folder/$1.log
	mkdir -p "$found"
	[ -d "$seeds" ] || seeds=
	printf '  %-20s ' "fuzz/$name"
	if "$folder/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$folder/$name." \
		"$found" ${seeds:+"$seeds"} >"$log" 2>&1 </dev/null; then
		printf '%10d executions in %s s, %d new inputs\n' \
			"$(stat number_of_executed_units "$log")" "$seconds" \
			"$(stat new_units_added "$log")"
		return 0
	fi
	echo "FAILED: see $log"
	tail -n 40 "$log" | sed 's/^/      | /'
	return 1
}

for name in "$@"; do
	fuzz "$name" || failed=1
done
exit $failed
