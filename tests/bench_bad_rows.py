# SPDX-License-Identifier: Apache-2.0
"""What rows that PostgreSQL refuses cost the others: two drains in one run, compared.

    tests/bench_bad_rows.py [--build build] [--records 600000]

The same backlog is stored twice, by the same daemon and cluster: once as it is, once
with a check on the table that refuses one row in a hundred.  Prints both rates and
their ratio; the target is a half.  Run by hand.
"""

import argparse
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.estate import Estate  # noqa: E402
from harness.world import Postgres, World, make_folder  # noqa: E402

CONTROLLERS = 20
TARGET = 0.5


def drain_rate(bench, postgres, build, name, records, check):
    """Rows a second, bad ones included, from PostgreSQL's return to the last commit."""
    folder = bench / name
    folder.mkdir()
    world = World(folder, build, postgres.create_database())
    world.initialise()
    world.furnish(Estate(CONTROLLERS))
    if check:
        world.sql("alter table gatehouse.records add constraint no_bad_rows"
                  " check (seq % 100 <> 0 or epoch < 0)")
    try:
        world.start()
        postgres.stop()
        world.sim_to_end("--backlog", records // CONTROLLERS, timeout=600)
        postgres.start()
        world.wait_status("the store runs", lambda s: s["store"]["state"] == "running")
        since = time.monotonic()
        store = world.wait_stored()["store"]
        took_s = time.monotonic() - since
        world.assert_ledger_holds()
    finally:
        world.end()
    print(f"{name}: {store['records_total']} stored, {store['quarantined_total']} in quarantine,"
          f" {store['slow_batches_total']} slow batches, {took_s:.2f} s", flush=True)
    return (store["records_total"] + store["quarantined_total"]) / took_s


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--records", type=int, default=600000)
    args = parser.parse_args()
    bench = make_folder()
    postgres = Postgres(bench / "pg")
    try:
        good = drain_rate(bench, postgres, args.build, "all good", args.records, False)
        bad = drain_rate(bench, postgres, args.build, "one in a hundred bad", args.records, True)
    finally:
        postgres.stop()
        shutil.rmtree(bench, ignore_errors=True)
    print(f"{good:,.0f} and {bad:,.0f} rows/s: {bad / good:.2f}, target {TARGET}")
    return 0 if bad / good >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
