#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the compilers and checkers say, apart from the tests' outcome:
#
#   tests/lint.sh [format] [rooms] [gcc] [headers] [clang] [cppcheck] [sanitized]
#                 [scripts] [guard]
#
# Default: all.  Each is one check; `sanitized` runs the unit tests under ASan
# and UBSan and counts those.  The closing line is that of tests/check.sh.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
logs=$BUILD/lint
passed=0 failed=0 skipped=0

# Tracked files of these patterns, one a line.
tracked()
{
	git ls-files -- "$@"
}

lint_format()
{
	tracked '*.c' '*.h' | xargs -r clang-format-14 --dry-run --Werror
}

lint_gcc()
{
	make -j"$(nproc)" BUILD="$BUILD" CC=gcc WERROR=-Werror all unit bench-programs
}

lint_clang()
{
	make -j"$(nproc)" BUILD="$BUILD-clang" CC=clang-14 WERROR=-Werror all unit bench-programs
}

# Each header stands alone: includes what it needs, and nothing warns.
lint_headers()
{
	make -j"$(nproc)" BUILD="$BUILD" headers
}

# A room uses only rooms above it, a library shows in its own room only.
lint_rooms()
{
	tests/rooms.sh
}

lint_cppcheck()
{
	local queue
	# its macros are for loops and types, which cppcheck has to see to parse them
	queue=$(echo '#include <sys/queue.h>' | cc -E -M -x c - | grep -o '[^ ]*sys/queue\.h')
	tracked 'src/*.c' 'tests/bench/*.c' | xargs -r cppcheck -q -j 2 --std=c11 --platform=unix64 \
		--library=posix,gnu --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/cppcheck.supp --error-exitcode=1 \
		-D_GNU_SOURCE -Iinclude --include="$queue"
}

lint_sanitized()
{
	UBSAN_OPTIONS=print_stacktrace=1 BUILD="$BUILD-asan" SAN=address,undefined \
		tests/check.sh unit
}

# A record's way takes no more instructions than it did.
lint_guard()
{
	make BUILD="$BUILD" guard
}

lint_scripts()
{
	local file bad=0
	while read -r file; do
		bash -n "$file" && shellcheck "$file" || bad=1
	done < <(tracked '*.sh' '.ci/*')
	tracked '*.py' | xargs -r /usr/bin/python3 -c \
		'import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)' || bad=1
	return $bad
}

# Prints a line for one check; adds the closing line of a check that counts by itself.
check()
{
	local name=$1 log=$logs/$1.log closing
	printf '  %-36s ' "lint/$name"
	"lint_$name" >"$log" 2>&1 </dev/null
	local code=$?
	closing=$(tail -n 1 "$log" | grep -xE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
	if [ -z "$closing" ]; then
		closing="$((code == 0)) passed, $((code != 0)) failed, 0 skipped"
	fi
	read -r p _ f _ s _ <<<"$closing"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ $code -eq 0 ]; then
		echo "ok"
	else
		echo "FAILED: see $log"
		tail -n 60 "$log" | sed 's/^/      | /'
	fi
}

[ $# -gt 0 ] || set -- format rooms gcc headers clang cppcheck scripts guard sanitized
mkdir -p "$logs"
tests/setup.sh build test lint || exit 1
for name in "$@"; do
	check "$name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
