# SPDX-License-Identifier: Apache-2.0
"""The figures that must hold, measured on this machine, with targets beside them.

Run by `make bench`.  Daemon, PostgreSQL and simulator share the machine: the
figures are those of all three together.  Each one has a world of its own, and
counts only when the ledger agrees with PostgreSQL afterwards.
"""

import argparse
import os
import shutil
import sys

from harness.estate import Estate
from harness.world import Failed, Postgres, World, make_folder, wait_until

MIB = 1024 * 1024


class Bench:
    def __init__(self, build):
        self.build = build
        self.folder = make_folder()
        self.postgres = Postgres(self.folder / "pg")
        self.rows = []

    def add(self, what, value, target, good):
        self.rows.append((what, value, target, "ok" if good else "NOT OK"))

    def world(self, name, controllers):
        folder = self.folder / name
        folder.mkdir()
        world = World(folder, self.build, self.postgres.create_database())
        world.initialise()
        print(f"  enrolling {controllers} controllers", file=sys.stderr, flush=True)
        world.furnish(Estate(controllers))
        return world

    def end(self):
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def rss_bytes(world):
    return world.status()["memory"]["rss_bytes"]


def ledger(result):
    figures = result.figures
    return f"{figures['lost']} lost, {figures['duplicate']} double"


def sustained(bench, rate=20000, seconds=30):
    """Durable before the ack, and stored, at the pace at which records come."""
    offered = rate * 21 // 20  # so that the connecting and draining at the ends is no excuse
    print(f"{offered} records/s from 1,000 connections for {seconds} s", file=sys.stderr, flush=True)
    world = bench.world("sustained", 1000)
    world.start()
    try:
        summary = world.sim_to_end("--rate", offered, "--duration", seconds, "--drain")
        lag = summary["records"]["acked"] - world.status()["store"]["records_total"]
        world.wait_stored()
        result = world.verify()
    finally:
        world.end()
    reached = summary["records"]["acked"] / summary["duration_s"]
    bench.add("records/s acknowledged, 1,000 connections", f"{reached:,.0f}", f"{rate:,}",
              reached >= rate)
    bench.add("  of them not stored yet at the end", f"{lag:,}", f"{rate * 2:,}", lag <= rate * 2)
    bench.add("  ledger against PostgreSQL", ledger(result), "0 lost, 0 double",
              result.returncode == 0)


def alarm_latency(bench, rate=5000, seconds=20):
    print(f"alarms to consoles at {rate} records/s for {seconds} s", file=sys.stderr, flush=True)
    world = bench.world("alarms", 1000)
    world.start()
    try:
        summary = world.sim_to_end("--rate", rate, "--alarms", 50, "--duration", seconds, "--drain",
                         "--console-dir", world.desks)
        result = world.verify()
    finally:
        world.end()
    latency = summary["alarms"]["latency_ms"]
    bench.add(f"alarm to console p50 at {rate:,} records/s", f"{latency['p50']:.1f} ms", "-", True)
    bench.add(f"alarm to console p99 at {rate:,} records/s", f"{latency['p99']:.1f} ms", "20 ms",
              latency["p99"] < 20 and result.returncode == 0)


def idle_memory(bench, controllers=5000):
    print(f"{controllers} idle connections", file=sys.stderr, flush=True)
    world = bench.world("idle", controllers)
    world.start()
    empty = rss_bytes(world)
    sim = world.sim("--rate", 0, "--duration", 3600)
    try:
        wait_until("all are connected", lambda: (
            world.status()["connections"]["controllers"] == controllers), 180)
        full = rss_bytes(world)
    finally:
        world.end()
    assert sim.exit_code is not None
    bench.add(f"RSS with {controllers:,} idle connections", f"{full / MIB:.0f} MiB", "200 MiB",
              full < 200 * MIB)
    bench.add("  for each of them", f"{(full - empty) / controllers / 1024:.1f} KiB", "-", True)


BENCHES = {"sustained": sustained, "alarms": alarm_latency, "idle": idle_memory}


def print_table(rows):
    rows = [("figure", "measured", "target", ""), *rows]
    width = [max(len(row[i]) for row in rows) for i in range(4)]
    print()
    for what, value, target, verdict in rows:
        print(f"{what:<{width[0]}}  {value:>{width[1]}}  {target:>{width[2]}}  {verdict}".rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("which", nargs="*", metavar="|".join(BENCHES), default=list(BENCHES))
    args = parser.parse_args()
    bench = Bench(args.build)
    try:
        for name in args.which:
            BENCHES[name](bench)
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        bench.add("a bench that did not end", "-", "-", False)
    finally:
        bench.end()
    print(f"\n{os.cpu_count()} cores, shared by daemon, PostgreSQL and simulator")
    print_table(bench.rows)
    return 0 if all(row[3] == "ok" for row in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
