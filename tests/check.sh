#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds everything and runs the tests: unit (cmocka), then system (pytest, with
# the real programs and a real PostgreSQL).
#
#   tests/check.sh [unit] [system]     default: both; $BUILD is the build folder
#
# Programs of tests run side by side, each with files, ports and a PostgreSQL of its own.
# One line for each as it ends, and at the very end, alone on its line,
# "N passed, N failed, N skipped" over all of them.  Exit 0 only when none failed.
# A program that dies without saying which test failed counts as one failure.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

export BUILD=${BUILD:-build}
logs=$BUILD/check
passed=0 failed=0 skipped=0

# Adds a suite's figures to the whole and prints its line.
# NAME PASSED FAILED SKIPPED LOG
count()
{
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	printf '  %-36s %4d passed' "$1" "$2"
	[ "$4" -eq 0 ] || printf ', %d skipped' "$4"
	if [ "$3" -eq 0 ]; then
		printf '\n'
		return
	fi
	printf ', %d FAILED: see %s\n' "$3" "$5"
	tail -n 60 "$5" | sed 's/^/      | /'
}

build()
{
	local log=$logs/build.log
	echo "building into $BUILD/"
	if ! make -j"$(nproc)" BUILD="$BUILD" all unit crash >"$log" 2>&1; then
		count build 0 1 0 "$log"
		return 1
	fi
}

# ---- Side by side ----------------------------------------------------------------

declare -A running=() # by process: the program of tests

# Each of the programs by RUN, at most so many at a time, and by COUNT as it ends.
# MOST RUN COUNT PROGRAM...
side_by_side()
{
	local most=$1 run=$2 count=$3 program
	shift 3
	for program in "$@"; do
		[ ${#running[@]} -lt "$most" ] || count_one "$count"
		# in a process group of its own, which an interrupt reaches
		set -m
		"$run" "$program" &
		set +m
		running[$!]=$program
	done
	while [ ${#running[@]} -gt 0 ]; do
		count_one "$count"
	done
}

count_one()
{
	local pid code
	wait -n -p pid "${!running[@]}"
	code=$?
	"$1" "${running[$pid]}" $code
	unset "running[$pid]"
}

# Ctrl-C: the tests stop what they started, and so do we.
interrupt()
{
	local pid
	for pid in "${!running[@]}"; do
		kill -INT -- "-$pid"
	done
	wait
	exit 130
}
trap interrupt INT TERM

# ---- Unit tests ------------------------------------------------------------------

unit_log()
{
	local name=${1#"$BUILD"/}
	echo "$logs/${name//\//-}.log"
}

run_unit_test()
{
	CMOCKA_MESSAGE_OUTPUT=TAP timeout --foreground 300 "$1" >"$(unit_log "$1")" 2>&1 </dev/null
}

# Counts from the TAP output of one cmocka program.
count_unit_test()
{
	local program=$1 code=$2 log ok not_ok skip
	log=$(unit_log "$program")
	# cmocka writes a skipped test as "not ok N # SKIP"
	skip=$(grep -cE '^(not )?ok [0-9]+ # SKIP' "$log")
	ok=$(grep -cE '^ok [0-9]+ - ' "$log")
	not_ok=$(grep -cE '^not ok [0-9]+ - ' "$log")
	if [ "$code" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
		echo "ended with exit code $code" >>"$log"
		not_ok=1
	elif [ $((ok + not_ok + skip)) -eq 0 ]; then
		echo "ran no test" >>"$log"
		not_ok=1
	fi
	count "${program#"$BUILD"/}" "$ok" "$not_ok" "$skip" "$log"
}

run_unit()
{
	local source name programs=()
	for source in tests/unit/*/test_*.c; do
		name=${source#tests/unit/}
		programs+=("$BUILD/unit/${name%.c}")
	done
	side_by_side "$(nproc)" run_unit_test count_unit_test "${programs[@]}"
}

# ---- System tests: a program is a file, or a folder of quick ones ---------------------

# Those that take longest, which begin first, so that none of them is left to run alone.
# (Where this is no longer true, it costs a minute and nothing else.)
long=(fault_postgresql fault_clock web_browser fault_disk fault_clients dispatchers
	fault_network fault_memory floods crash_points web fault_operator rights fault_process)

system_name()
{
	local name=${1#tests/}
	name=${name%.py}
	echo "${name/\/test_/\/}"
}

system_log()
{
	local name
	name=$(system_name "$1")
	echo "$logs/${name//\//-}"
}

run_system_test()
{
	local log
	log=$(system_log "$1")
	rm -f "$log.xml"
	/usr/bin/python3 -B -m pytest -c tests/pytest.ini -v --junitxml="$log.xml" \
		"$1" </dev/null >"$log.log" 2>&1
}

# One figure of the <testsuite> element that pytest writes.  FIGURE FILE
junit()
{
	sed -nE "s/.*<testsuite [^>]*\\b$1=\"([0-9]+)\".*/\\1/p" "$2" | head -n 1
}

count_system_test()
{
	local code=$2 name log tests bad skip
	name=$(system_name "$1")
	log=$(system_log "$1")
	if [ ! -s "$log.xml" ]; then
		count "$name" 0 1 0 "$log.log"
		return
	fi
	tests=$(junit tests "$log.xml") skip=$(junit skipped "$log.xml")
	bad=$(($(junit failures "$log.xml") + $(junit errors "$log.xml")))
	[ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	count "$name" $((tests - bad - skip)) "$bad" "$skip" "$log.log"
}

# They wait for most of their time: one more than there are cores.
run_system()
{
	local name file files=(tests/bench tests/stranger)
	for name in "${long[@]}"; do
		files+=("tests/system/test_$name.py")
	done
	for file in tests/system/test_*.py; do
		[[ " ${files[*]} " == *" $file "* ]] || files+=("$file")
	done
	side_by_side $(($(nproc) + 1)) run_system_test count_system_test "${files[@]}"
}

# ---- All -------------------------------------------------------------------------

closing_line()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

[ $# -gt 0 ] || set -- unit system
mkdir -p "$logs"
tests/setup.sh build test browser || exit 1
if build; then
	for suite in "$@"; do
		"run_$suite"
	done
fi
closing_line
