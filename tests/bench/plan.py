# SPDX-License-Identifier: Apache-2.0
"""How much is measured: everything (some twenty minutes) or quickly (two).

Quick runs are shorter and smaller; their rows say with how much they were made.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    rounds: int            # runs of each figure, of which the median is taken
    fleet: int             # controllers with windows
    each: dict             # window: records from each controller in one run
    handshakes: int        # in one run
    drain: int             # records in the journal that the store drains
    sustained_s: int       # length of the run with the ledger
    alarms_s: int          # length of each run with alarms
    alarm_rate_s: int      # ... of the one with a thousand alarms a second
    fan_out_s: int         # ... of each run with many consoles
    growth: tuple          # connections
    growth_records: int    # over all connections
    consoles: tuple
    pages: tuple
    pages_s: int           # length of each run with pages
    storm: int             # controllers that come back at once
    storm_each: int        # records that wait in each
    rows_before: int       # in the table; then a hundred times as many
    start_records: int     # in the journal


FULL = Plan(rounds=5, fleet=1000, each={64: 600, 8: 200, 1: 60}, handshakes=1000,
            drain=1000000, sustained_s=30, alarms_s=20, alarm_rate_s=60, fan_out_s=60,
            growth=(1000, 5000, 15000), growth_records=150000, consoles=(1, 100, 1000),
            pages=(1, 50, 200), pages_s=20,
            storm=10000, storm_each=100, rows_before=100000, start_records=10000000)

QUICK = Plan(rounds=3, fleet=500, each={64: 200, 8: 60, 1: 20}, handshakes=250,
             drain=200000, sustained_s=5, alarms_s=4, alarm_rate_s=10, fan_out_s=4,
             growth=(250, 500, 1000), growth_records=30000, consoles=(1, 10, 100),
             pages=(1, 50, 200), pages_s=5,
             storm=500, storm_each=100, rows_before=20000, start_records=1000000)
