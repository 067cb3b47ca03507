#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the includes against docs/architecture.md: a room uses only rooms above
# it, and a library shows in its own room only.  Prints each breach.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

declare -A uses=(
	[base]="base"
	[wire]="base wire"
	[journal]="base journal"
	[register]="base wire register"
	[fleet]="base wire journal register fleet"
	[desk]="base wire register desk"
	[store]="base wire journal register store"
	[daemon]="base wire journal register fleet desk store daemon"
	[ctl]="base wire register store ctl"
	[sim]="base wire sim"
	[web]="base wire web"
)
bad=0

breach()
{
	echo "$1"
	bad=1
}

for room in "${!uses[@]}"; do
	while IFS=: read -r file include; do
		other=${include%%/*}
		case " ${uses[$room]} " in
		*" $other "*) continue ;;
		esac
		# the operator's program reads the servers' configuration files
		[[ $room/$include =~ ^ctl/(daemon|web)/settings\.h$ ]] && continue
		breach "$file: room $room must not include $include"
	done < <(grep -roE --include='*.[ch]' '^#include "[a-z]+/[a-z_0-9]+\.h"' \
		"src/$room" "include/$room" | sed -E 's/#include "(.*)"/\1/')
done

# LIBRARY'S HEADER, and the files that may include it
while read -r header allowed; do
	while IFS=: read -r file _; do
		[[ $file =~ ^($allowed) ]] || breach "$file: must not include $header"
	done < <(grep -rE --include='*.[ch]' "^#include [<\"]$header" src include)
done <<'TABLE'
openssl/ src/wire/|src/ctl/(ca|init|seal)
libpq-fe.h src/store/|src/sim/verify|src/web/reader
nettle/ src/wire/|src/sim/held
gatehouse.pb-c.h src/wire/|src/sim/|include/sim/|src/ctl/desk_msg
glib.h src/register/zone|src/ctl/when|src/sim/held
event2/ src/base/(loop|listen|operator)|src/wire/(stream|https)|src/daemon/gatehoused|src/web/(http|api|feeds|pending|web|caller)\.c
curl/ src/web/caller\.c
yaml.h src/base/conf|src/ctl/setup_yaml
TABLE

while IFS=: read -r file _; do
	[[ $file =~ ^src/(base/fs|ctl/files)\.c$ ]] || breach "$file: must not sync files"
done < <(grep -rE --include='*.c' '\b(fsync|fdatasync|syncfs)\(' src)

# What a bench is made of is no room of the programs': it may use these.
while IFS=: read -r file include; do
	case $include in
	base/* | wire/* | journal/* | register/* | sim/*) ;;
	*) breach "$file: a bench must not include $include" ;;
	esac
done < <(grep -roE --include='*.[ch]' '^#include "[a-z]+/[a-z_0-9]+\.h"' tests/bench |
	sed -E 's/#include "(.*)"/\1/')

exit $bad
