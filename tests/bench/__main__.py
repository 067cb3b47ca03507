# SPDX-License-Identifier: Apache-2.0
"""The floors and Gatehouse side by side, in one run, in one table.

Run by `make bench`.  Daemon, PostgreSQL and load share the machine: what counts is the
ratio of what was measured in turns, not the figure alone.  table.txt, table.md,
table.json and growth.svg are left in the build folder.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time

from bench import alarms, connections, pages, plot, records, starts
from bench.figures import NOT_OK, Row, markdown, table
from bench.plan import FULL, QUICK
from bench.rig import Rig, say
from harness.world import Failed

POINTS = {"connections": [], "consoles": []}  # of the plot

# In this order, each with what it is for.
BENCHES = {
    "windows": records.windows,
    "handshakes": connections.handshakes,
    "alarms": alarms.alarms,
    "consoles": lambda rig: alarms.fan_out(rig, POINTS),
    "pages": pages.pages,
    "alarm_rate": alarms.alarm_rate,
    "allocations": records.allocations,
    "table": records.table_growth,
    "growth": lambda rig: connections.growth(rig, POINTS),
    "reconnect": lambda rig: connections.storm(rig, alarms.Watch(rig)),
    "drain": starts.drain,
    "start": starts.start,
    "ledger": records.sustained,
}


def measure(rig, name, rows):
    """Adds the rows of one bench; one that does not come to its end says why."""
    try:
        for row in BENCHES[name](rig):
            rows.append(row)
    except (Failed, OSError, subprocess.SubprocessError, AssertionError) as failure:
        say(f"{name}: {failure}")
        why = str(failure).splitlines()
        rows.append(Row(f"{name}: did not come to its end", "", [], 0,
                        note=why[0] if why else type(failure).__name__))


def machine():
    """What the figures are of."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "cores": os.cpu_count(),
            "cpu": model.group(1) if model else platform.machine(),
            "kernel": platform.release(), "load_before": os.getloadavg()[0]}


def write_out(folder, host, rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.txt").write_text("\n".join(table(rows)) + "\n")
    (folder / "table.md").write_text("\n".join(markdown(rows)) + "\n")
    result = {"machine": host, "rows": [row.as_json() for row in rows], "growth": POINTS}
    (folder / "table.json").write_text(json.dumps(result, indent=1) + "\n")
    if plot.draw(POINTS, folder / "growth.svg"):
        say(f"{folder / 'growth.svg'}")
    return result


def interrupt(*_):
    """Also where a shell's & has SIGINT ignored: what runs is ended, what is there is shown."""
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="folder of the programs")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of twenty")
    parser.add_argument("--json", action="store_true", help="the table as JSON on stdout")
    parser.add_argument("which", nargs="*", metavar="BENCH",
                        help=f"only these: {', '.join(BENCHES)}")
    args = parser.parse_args()
    for name in args.which:
        if name not in BENCHES:
            parser.error(f"unknown bench \"{name}\", expected one of {', '.join(BENCHES)}")
    host, begun = machine(), time.monotonic()
    rows, rig = [], Rig(args.build, QUICK if args.quick else FULL)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        rig.begin()
        for name in args.which or BENCHES:
            measure(rig, name, rows)
    except KeyboardInterrupt:
        rows.append(Row("the rest: interrupted", "", [], 0))
    finally:
        rig.end()
    result = write_out(rig.build / "bench", host, rows)
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        print(f"\n{host['date']}, {host['cores']} cores ({host['cpu']}), shared by daemon, "
              f"PostgreSQL and load; load average before {host['load_before']:.1f}; "
              f"took {time.monotonic() - begun:.0f} s")
        print("\n".join(table(rows)))
    return 1 if any(row.verdict == NOT_OK for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
