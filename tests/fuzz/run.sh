#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs fuzzers, each for so many seconds, as many at a time as there are cores, and
# prints one line for each:
#
#   tests/fuzz/run.sh FOLDER SECONDS NAME...     FOLDER holds the programs
#
# New inputs and logs go to FOLDER, where the next run goes on from them;
# tests/fuzz/corpus/NAME/ is only read.  The closing line is that of tests/check.sh.
# Exit 0 only when none found anything.

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
	local name=$1 found=$folder/$1.corpus seeds=tests/fuzz/corpus/$1
	mkdir -p "$found"
	[ -d "$seeds" ] || seeds=
	"$folder/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$folder/$name." \
		"$found" ${seeds:+"$seeds"} >"$folder/$name.log" 2>&1 </dev/null
}

# NAME CODE
say()
{
	local log=$folder/$1.log
	if [ "$2" -eq 0 ]; then
		printf '  %-24s %10d executions in %s s, %d new inputs\n' "fuzz/$1" \
			"$(stat number_of_executed_units "$log")" "$seconds" \
			"$(stat new_units_added "$log")"
		return
	fi
	printf '  %-24s FAILED: see %s\n' "fuzz/$1" "$log"
	tail -n 40 "$log" | sed 's/^/      | /'
	failed=$((failed + 1))
}

# A wave is one fuzzer per core.
names=("$@")
cores=$(nproc)
for ((at = 0; at < ${#names[@]}; at += cores)); do
	wave=("${names[@]:at:cores}")
	pids=()
	for name in "${wave[@]}"; do
		fuzz "$name" &
		pids+=($!)
	done
	for i in "${!wave[@]}"; do
		wait "${pids[i]}"
		say "${wave[i]}" $?
	done
done
echo "$((${#names[@]} - failed)) passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
