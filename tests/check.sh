#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds everything and runs the tests: unit (cmocka), then system (pytest, with
# the real programs and a real PostgreSQL).
#
#   tests/check.sh [unit] [system]     default: both; $BUILD is the build folder
#
# One line for each program of tests, and at the very end, alone on its line,
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

# Counts from the TAP output of one cmocka program.
unit_test()
{
	local program=$1 name=${1#"$BUILD"/} log ok not_ok skip
	log=$logs/${name//\//-}.log
	CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$program" >"$log" 2>&1 </dev/null
	local code=$?
	# cmocka writes a skipped test as "not ok N # SKIP"
	skip=$(grep -cE '^(not )?ok [0-9]+ # SKIP' "$log")
	ok=$(grep -cE '^ok [0-9]+ - ' "$log")
	not_ok=$(grep -cE '^not ok [0-9]+ - ' "$log")
	if [ $code -ne 0 ] && [ "$not_ok" -eq 0 ]; then
		echo "ended with exit code $code" >>"$log"
		not_ok=1
	elif [ $((ok + not_ok + skip)) -eq 0 ]; then
		echo "ran no test" >>"$log"
		not_ok=1
	fi
	count "$name" "$ok" "$not_ok" "$skip" "$log"
}

run_unit()
{
	local source name
	for source in tests/unit/*/test_*.c; do
		name=${source#tests/unit/}
		unit_test "$BUILD/unit/${name%.c}"
	done
}

# One figure of the <testsuite> element that pytest writes.
junit()
{
	sed -nE "s/.*<testsuite [^>]*\\b$1=\"([0-9]+)\".*/\\1/p" "$logs/system.xml" | head -n 1
}

run_system()
{
	local log=$logs/system.log xml=$logs/system.xml tests bad skip
	rm -f "$xml"
	/usr/bin/python3 -B -m pytest -c tests/pytest.ini -v --junitxml="$xml" \
		tests/bench tests/stranger tests/system </dev/null 2>&1 | tee "$log" | sed -u 's/^/  /'
	local code=${PIPESTATUS[0]}
	if [ ! -s "$xml" ]; then
		count system 0 1 0 "$log"
		return
	fi
	tests=$(junit tests) skip=$(junit skipped) bad=$(($(junit failures) + $(junit errors)))
	[ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	count system $((tests - bad - skip)) "$bad" "$skip" "$log"
}

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
