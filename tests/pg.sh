#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A private PostgreSQL for tests and the demo: data, socket and log in one
# folder, no TCP port, nothing shared with a cluster of the system.
#
#   tests/pg.sh start DIR    make it where it is missing, start it, print its conninfo
#   tests/pg.sh stop DIR     stop it in order; what it holds stays for the next start
#   tests/pg.sh kill DIR     stop it at once, without a checkpoint: it recovers at start
#   tests/pg.sh standby DIR FROM    make it a copy of the one in FROM, which runs, and
#                            let it follow by streaming replication; print its conninfo
#   tests/pg.sh promote DIR  the standby follows no longer, and takes writes
#
# Its only role, gatehouse, is its superuser, and owns the empty database
# gatehouse.  PostgreSQL refuses root; then user postgres runs it, who must be
# able to reach DIR (so: below /tmp).  The path is at most 80 bytes, because a
# socket's path is limited.  PG_SETTINGS may hold further lines for
# postgresql.conf; they count when the cluster is made.

set -euo pipefail

fail()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# Runs a command as the user that owns the cluster, in a folder that it can read.
unprivileged()
{
	cd "$dir"
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

make_cluster()
{
	# a half-made one of an interrupted attempt is no cluster
	rm -rf "$data"
	unprivileged "$bin/initdb" --pgdata="$data" --username=gatehouse --auth=trust \
		--encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >"$dir/initdb.log" ||
		fail "could not make a cluster: see $dir/initdb.log"
	cat >>"$data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$dir'
		unix_socket_permissions = 0700
		max_connections = 30
		shared_buffers = 64MB
		timezone = 'UTC'
		log_timezone = 'UTC'
		${PG_SETTINGS:-}
	CONF
	start_cluster
	unprivileged "$bin/createdb" --host="$dir" --username=gatehouse gatehouse
	touch "$dir/made"
}

# What was in the folder before is gone: also a primary that failed can follow anew.
make_standby()
{
	stop_cluster immediate
	rm -rf "$data"
	unprivileged "$bin/pg_basebackup" --pgdata="$data" --host="$1" --username=gatehouse \
		--write-recovery-conf --checkpoint=fast --no-sync >"$dir/basebackup.log" 2>&1 ||
		fail "could not copy the cluster: see $dir/basebackup.log"
	# the last line of a name counts
	echo "unix_socket_directories = '$dir'" >>"$data/postgresql.conf"
	touch "$dir/made"
	start_cluster
}

# Standard output goes elsewhere, or whoever reads our conninfo from a pipe would
# wait for the end of a server that holds it open.
start_cluster()
{
	unprivileged "$bin/pg_ctl" start --wait --silent --timeout=60 --pgdata="$data" \
		--log="$dir/server.log" >/dev/null ||
		fail "could not start: see $dir/server.log"
}

running()
{
	unprivileged "$bin/pg_ctl" status --pgdata="$data" >/dev/null 2>&1
}

stop_cluster()
{
	[ -d "$data" ] && running || return 0
	unprivileged "$bin/pg_ctl" stop --wait --silent --pgdata="$data" --mode="$1"
}

[ $# -eq 2 ] || [ "$1 $#" = "standby 3" ] ||
	fail "expected start, stop, kill or promote and a folder, or standby and two"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
data=$dir/data
[ ${#dir} -le 80 ] || fail "the path \"$dir\" is too long for a socket"

for bin in "${PG_BINDIR:-}" /usr/lib/postgresql/15/bin; do
	[ -x "$bin/initdb" ] && break
done
[ -x "$bin/initdb" ] || fail "PostgreSQL 15 is not installed"

# The folder belongs to who runs the cluster.
own_folder()
{
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres: "$dir"
	fi
	unprivileged test -w "$dir" || fail "the cluster's user can't reach \"$dir\""
}

case $1 in
start)
	own_folder
	if [ ! -e "$dir/made" ]; then
		make_cluster
	elif ! running; then
		start_cluster
	fi
	echo "host=$dir user=gatehouse dbname=gatehouse"
	;;
standby)
	own_folder
	make_standby "$(cd "$3" && pwd)"
	echo "host=$dir user=gatehouse dbname=gatehouse"
	;;
promote)
	unprivileged "$bin/pg_ctl" promote --wait --silent --timeout=60 --pgdata="$data" >/dev/null
	;;
stop)
	stop_cluster fast
	;;
kill)
	stop_cluster immediate
	;;
*)
	fail "unknown word \"$1\", expected start, stop, kill, standby or promote"
	;;
esac
