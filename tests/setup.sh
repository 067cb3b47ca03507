#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian 12 packages that are missing, and says nothing when none is.
#
#   tests/setup.sh [build] [test] [browser] [bench] [fuzz] [lint]     default: build test
#
# The only script here that changes the machine beyond the build folder, and it
# does that by apt-get alone.  Where postgresql-15 is new, Debian's package makes
# a cluster of its own and starts it.  Nothing here uses that one: tests and demo
# have their own, in their own folder, on a unix socket.

set -euo pipefail

packages_of()
{
	case $1 in
	build)
		echo gcc libc6-dev make pkg-config libevent-dev libssl-dev libpq-dev \
			libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libyaml-dev \
			libjansson-dev uthash-dev libcsv-dev libisal-dev libsystemd-dev nettle-dev \
			libglib2.0-dev libcurl4-openssl-dev \
			libqrencode-dev libpango1.0-dev fonts-dejavu-core
		;;
	test)
		echo postgresql-15 postgresql-client-15 libcmocka-dev python3 python3-protobuf \
			python3-pytest openssl procps strace faketime iproute2 nftables \
			poppler-utils zbar-tools
		;;
	browser)
		# a nodejs from elsewhere brings its npm, and conflicts with Debian's
		echo chromium fonts-noto-cjk
		command -v npm >/dev/null || echo nodejs npm
		;;
	bench)
		echo gnuplot-nox
		;;
	fuzz)
		# the sanitizers' runtime is no dependency of the compiler
		echo clang-14 libclang-rt-14-dev
		;;
	lint)
		echo clang-14 clang-format-14 cppcheck git shellcheck valgrind
		;;
	*)
		echo "$0: unknown set \"$1\", expected build, test, browser, bench, fuzz or lint" >&2
		return 2
		;;
	esac
}

is_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "$0: neither root nor sudo; install these first: ${missing[*]}" >&2
		return 1
	fi
}

apt_install()
{
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install "${missing[@]}"
}

[ $# -gt 0 ] || set -- build test
missing=()
for set in "$@"; do
	packages=$(packages_of "$set")
	for package in $packages; do
		is_installed "$package" || missing+=("$package")
	done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "$0: no apt-get here; install what these Debian 12 packages hold: ${missing[*]}" >&2
	exit 1
fi
echo "installing ${#missing[@]} missing packages: ${missing[*]}"

# The package lists of a fresh machine are empty or old, those of most machines
# are good: so they are fetched only when the first attempt fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if apt_install </dev/null >"$log" 2>&1; then
	exit 0
fi
echo "fetching the package lists first"
if ! { as_root apt-get -q update && apt_install; } </dev/null >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "$0: could not install: ${missing[*]}" >&2
	exit 1
fi
