#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The system tests with programs that check themselves: once under ASan and UBSan,
# once under TSan.
#
#   tests/sanitized.sh [address] [thread] [-- PYTEST-ARGUMENTS]     default: both
#
# What a sanitizer can't live with is left out: libraries that are preloaded (the
# clock, the allocations that fail, short writes), bounds on memory, and the limit of
# descriptors.  A report fails the run, also where the test itself passed.  The closing
# line is that of tests/check.sh.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
passed=0 failed=0 skipped=0
left_out='not clock and not allocation and not short_writes and not descriptors
 and not never_reads and not outage and not stops_reading and not shipped_daemon'

# One figure of the <testsuite> element that pytest writes.  FIGURE FILE
junit()
{
	sed -nE "s/.*<testsuite [^>]*\\b$1=\"([0-9]+)\".*/\\1/p" "$2" | head -n 1
}

# NAME SANITIZERS PYTEST-ARGUMENTS...
run()
{
	local name=$1 san=$2 build=$BUILD-$1 logs reports tests bad skip
	shift 2
	logs=$PWD/$build/check
	mkdir -p "$logs"
	rm -f "$logs"/report.* "$logs/system.xml"
	if ! make -j"$(nproc)" BUILD="$build" SAN="$san" all >"$logs/build.log" 2>&1; then
		tail -n 20 "$logs/build.log"
		failed=$((failed + 1))
		return
	fi
	ASAN_OPTIONS="detect_leaks=0:log_path=$logs/report.asan" \
		UBSAN_OPTIONS="print_stacktrace=1:log_path=$logs/report.ubsan" \
		TSAN_OPTIONS="log_path=$logs/report.tsan:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp" \
		BUILD=$build /usr/bin/python3 -B -m pytest -c tests/pytest.ini \
		--junitxml="$logs/system.xml" -k "${left_out//$'\n'/}" \
		"${@:-tests/system}" </dev/null 2>&1 | tee "$logs/system.log" | tail -n 15
	tests=$(junit tests "$logs/system.xml") skip=$(junit skipped "$logs/system.xml")
	bad=$(($(junit failures "$logs/system.xml") + $(junit errors "$logs/system.xml")))
	reports=$(find "$logs" -name 'report.*' | wc -l)
	if [ "$reports" -gt 0 ]; then
		echo "$reports reports: see $logs/report.*"
		find "$logs" -name 'report.*' -exec head -n 30 {} \; | head -n 120
	fi
	echo "  system under $san: $((tests - bad - skip)) passed, $bad failed, $reports reports"
	passed=$((passed + tests - bad - skip))
	failed=$((failed + bad + reports)) skipped=$((skipped + skip))
}

which=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	which+=("$1")
	shift
done
[ $# -eq 0 ] || shift
[ ${#which[@]} -gt 0 ] || which=(address thread)
tests/setup.sh build test || exit 1
for name in "${which[@]}"; do
	case $name in
	address) run asan address,undefined "$@" ;;
	thread) run tsan thread "$@" ;;
	*) echo "${0##*/}: address or thread, not \"$name\"" >&2 && exit 2 ;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
