# SPDX-License-Identifier: Apache-2.0
"""The main job, shown once: 200 controllers, 3 consoles, one daemon, one PostgreSQL, and
the page of a station.

Run by `make demo`.  Everything is below one new folder, on 127.0.0.1 and unix
sockets; at the end all of it is stopped and removed.  With --keep (make demo
KEEP=1) it stays, with live traffic, until the `stop` script in the folder runs.
"""

import argparse
import json
import shutil
import signal
import sys
import time

from harness.estate import Estate
from harness.web import Web
from harness.world import TOP, Failed, Postgres, World, make_folder

CONTROLLERS = 200
REPLAYING = 20
LIVE_RATE = 400
ALARM_RATE = 4
KEPT_RATE = 20
SECONDS = 20
CONSOLE = "desk-north"
BADGE_LOG = TOP / "tests/data/badge-log.csv"
MAP = "time=timestamp,card=prox-id,door=floor+zone,type=type"

STOP = """#!/bin/bash
# Stops what `make demo KEEP=1` left running, and removes {folder}.
end()
{{
	# only if the process of this number is still the program that we started
	[ "$(cat /proc/$1/comm 2>/dev/null)" = "$2" ] || return 0
	kill "$1"
	while [ "$(cat /proc/$1/comm 2>/dev/null)" = "$2" ]; do sleep 0.1; done
}}
end {sim} gatehouse-sim
end {web} gatehouse-web
end {daemon} gatehoused
{top}/tests/pg.sh stop {folder}/pg
rm -rf {folder}
echo "stopped, and removed {folder}"
"""


class Progress:
    """One line for each step, with the seconds since the start."""

    def __init__(self):
        self._start = time.monotonic()

    def __call__(self, text):
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)


def set_up(world, say):
    estate = Estate(CONTROLLERS, two_doors=REPLAYING)
    say("gatehousectl init: private CA, keys, configuration")
    world.initialise()
    say(f"gatehousectl migrate, setup, enrol: {len(estate.stations)} stations, "
        f"{estate.door_count} doors, {CONTROLLERS} controllers, {len(estate.consoles)} consoles")
    world.furnish(estate)
    say("gatehoused: starting")
    world.start()
    say("gatehouse-web: the page of station north; this link signs in once:")
    web = Web(world)
    web.start()
    print(f"\n    {web.link(CONSOLE)}\n", flush=True)
    return web


def show_progress(world, sim, say):
    """Once in two seconds, until the fleet is done."""
    while sim.exit_code is None:
        time.sleep(2)
        status = world.status()
        positions = status["positions"]
        say(f"{status['connections']['controllers']} controllers, "
            f"{status['connections']['consoles']} consoles, "
            f"{status['fleet']['records_total']} records taken, "
            f"{status['store']['records_total']} stored, "
            f"{positions['durable'] - positions['stored']} bytes to store, "
            f"{status['desk']['alarms_open']} alarms open")


def run_fleet(world, say):
    say(f"gatehouse-sim: {REPLAYING} controllers replay a badge log, the others live traffic")
    sim = world.sim("--console-dir", world.desks, "--rate", LIVE_RATE, "--alarms", ALARM_RATE,
                    "--replay", BADGE_LOG, "--map", MAP, "--speed", 0, "--replay-controllers",
                    REPLAYING, "--duration", SECONDS, "--drain")
    show_progress(world, sim, say)
    if sim.exit_code != 0:
        raise Failed(f"gatehouse-sim ended with {sim.exit_code}\n{sim.log_tail()}")
    return json.loads(sim.out.read_text())


def report(world, summary, verified):
    figures = verified.figures
    stored = world.value("select count(*) from gatehouse.records where epoch > 0")
    alarms = world.value("select count(*) from gatehouse.alarms")
    records, sent = summary["records"], summary["alarms"]
    latency = sent["latency_ms"]
    print(f"""
What happened
  acknowledged  {records['acked']:7} records, each on disk before its ack
  stored        {stored:7} records in PostgreSQL, and {alarms} alarms
  verified      lost {figures['lost']}, duplicate {figures['duplicate']}, invented \
{figures['invented']}, out of order {figures['out_of_order']}
  alarms        {sent['sent']:7} sent, {sent['seen']} seen by the consoles of their stations;
                        from sending to screen p50 {latency['p50']:.1f} ms, \
p99 {latency['p99']:.1f} ms
""")


def how_to_look(world, web, kept):
    ctl = f"{world.build}/gatehousectl -c {world.config}"
    if kept:
        print(f"It keeps running, with {KEPT_RATE} records a second, in {world.folder}")
    else:
        print(f"All of it was in {world.folder}, and is removed now.\n"
              "`make demo KEEP=1` leaves it running, and these at hand:")
    print(f"""  home/    configuration, certificates, keys, journal      gatehoused.log
  fleet/   enrolled controllers     desks/  consoles       ledger/  what the fleet saw

Look further
  {web.link(CONSOLE) if kept else web.origin}
      the page; its certificate is signed by home/ca/ca.pem
  {ctl} console login {CONSOLE}
  {ctl} status
  {ctl} tail
  psql "{world.conninfo}" -c 'select * from gatehouse.records_named limit 10'
Stop, and remove it
  {world.folder}/stop
""")


def keep_running(world, web):
    """Leaves live traffic behind, and a script that ends it."""
    sim = world.sim("--console-dir", world.desks, "--rate", KEPT_RATE, "--alarms", 0.2,
                    "--duration", 365 * 86400)
    stop = world.folder / "stop"
    stop.write_text(STOP.format(folder=world.folder, sim=sim.pid, daemon=world.daemon.pid,
                                web=web.program.pid, top=TOP))
    stop.chmod(0o755)


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    say = Progress()
    postgres = world = None
    kept = False
    folder = make_folder()
    try:
        say(f"PostgreSQL of our own in {folder}")
        postgres = Postgres(folder / "pg")
        world = World(folder, args.build, postgres.conninfo)
        web = set_up(world, say)
        summary = run_fleet(world, say)
        say("gatehouse-sim verify: the fleet's ledger against PostgreSQL")
        verified = world.verify()
        report(world, summary, verified)
        if args.keep:
            keep_running(world, web)
            kept = True
        how_to_look(world, web, kept)
        return verified.returncode
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except Failed as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    finally:
        if not kept:
            say("stopping, and removing everything")
            if world is not None:
                world.end()
            if postgres is not None:
                postgres.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
