# SPDX-License-Identifier: Apache-2.0
"""One PostgreSQL, one Gatehouse and a fleet, for all that is measured in a run."""

import itertools
import json
import os
import pathlib
import shutil
import socket
import sys
import time

from bench import spent
from bench.programs import Load, TlsFloor, copy_floor
from harness.estate import Estate
from harness.world import Failed, Postgres, World, make_folder, psql, wait_until

# The same for the floor of COPY and for Gatehouse: it is one cluster.  Autovacuum comes
# by chance, to either; a checkpoint comes when the measurement asks for it.
PG_SETTINGS = """
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
"""
# Our own leases would alarm for fleets that were sent home between measurements.
DAEMON_SETTINGS = {"fleet.lease_s": 86400, "node.connections_max": 18000}
ROWS_PER_TRANSACTION = 20000  # postgresql.batch_records: the floor has it best
RECORDS_COLUMNS = ("device_time, received_at, epoch, seq, position, site_id, controller_id, "
                   "door_id, flags, kind, reason, node_id, card_token, raw_code, detail")
DAYS = "select gatehouse.make_partition(current_date + d) from generate_series(-1, 1) d"
FIRST = 100  # controllers before this one are the simulator's
POLL_S = 0.02


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


class Rig:
    """Nothing runs before begin(); end() ends what runs, also after half a beginning."""

    def __init__(self, build, plan):
        self.build = pathlib.Path(build).resolve()
        self.plan = plan
        self.folder = make_folder()
        self._epochs = itertools.count(1)
        self._ends = []
        self._worlds = []
        self.postgres = None

    def begin(self):
        plan = self.plan
        os.environ["PG_SETTINGS"] = PG_SETTINGS
        self.postgres = Postgres(self.folder / "pg")
        controllers = FIRST + max(*plan.growth, plan.storm, plan.fleet)
        say(f"enrolling {controllers:,} controllers and {max(plan.consoles):,} consoles")
        self.world = self.make_world("gatehouse", controllers, max(plan.consoles))
        self.copies = self.make_world("copy", 1)  # the same tables, for the floor
        self.world.start()
        self.suite, self.group = self._negotiated()

    def make_world(self, name, controllers, consoles=1, settings=None, stations=("north",)):
        folder = self.folder / name
        folder.mkdir()
        world = World(folder, self.build, self.postgres.create_database())
        self._worlds.append(world)
        world.initialise()
        world.configure({**DAEMON_SETTINGS, **(settings or {})})
        world.furnish(Estate(controllers, stations=stations, consoles=consoles))
        world.sql(DAYS)
        return world

    def end(self):
        for thing in reversed(self._ends):
            thing.end()
        for world in self._worlds:
            world.end()
        if self.postgres is not None:
            self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- programs ---------------------------------------------------------------

    def epoch(self):
        """Higher than all before it: sequences begin at 1 again."""
        return next(self._epochs)

    def load(self, controllers, port=None, first=FIRST):
        load = Load(self.build, self.folder / "load.log", self.world.fleet,
                    port or self.world.port, first, controllers, self.epoch())
        self._ends.append(load)
        return load

    def ends_with(self, thing):
        """Ended with us, where whoever began it does not come to that."""
        self._ends.append(thing)

    def tls_floor(self, tickets=0):
        floor = TlsFloor(self.build, self.folder, self.world.home, self.suite, self.group, tickets)
        self._ends.append(floor)
        return floor

    def _negotiated(self):
        """What the daemon agrees on with a client that takes everything: the floor's, too."""
        load = self.load(1)
        said = load.say("connect 1")
        load.end()
        return said["suite"], said["group"]

    def restart(self, prefix=()):
        """A daemon that has the memory of a new one."""
        if self.world.stop() != 0:
            raise Failed(f"the daemon did not stop well\n{self.world.daemon.log_tail()}")
        self.world.start(prefix=prefix)

    def some_consoles(self, count):
        """A folder with so many of the consoles."""
        folder = self.folder / f"desks-{count}"
        if not folder.exists():
            folder.mkdir()
            for console in sorted(self.world.desks.iterdir())[:count]:
                (folder / console.name).symlink_to(console)
        return folder

    # ---- what was spent ----------------------------------------------------------

    def daemon_s(self):
        return spent.cpu_s(self.world.daemon.pid)

    def postgres_s(self):
        return spent.family_cpu_s(self.postgres.pids()[0])

    # ---- what is stored ------------------------------------------------------------

    def status(self, world=None):
        """Without a program that is started for it: asked often, it must cost nothing."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(30)
            control.connect(str((world or self.world).home / "run/control.sock"))
            control.sendall(b'{"verb":"status"}\n')
            reply = b""
            while not reply.endswith(b"\n"):
                part = control.recv(65536)
                if not part:
                    raise Failed("the daemon closed its control socket")
                reply += part
        return json.loads(reply)

    def wait_stored(self, world=None, deadline_s=300):
        end = time.monotonic() + deadline_s
        while True:
            at = self.status(world)["positions"]
            if at["stored"] == at["durable"] == at["appended"]:
                return
            if time.monotonic() > end:
                raise Failed(f"not stored in {deadline_s} s: {at}")
            time.sleep(POLL_S)

    def checkpoint(self):
        """PostgreSQL's: what was put off is part of the cost."""
        psql(self.postgres.conninfo, "checkpoint")

    def empty(self, world=None):
        (world or self.world).sql("truncate gatehouse.records")

    def check_stored(self, load, each):
        """Exactly once, none missing, in order: of each controller the last `each` records."""
        bad = self.world.sql(f"""
            select count(*), coalesce(sum(n), 0),
                   count(*) filter (where n <> {each} or n <> seqs or last - first + 1 <> n),
                   coalesce(sum(disordered), 0)
            from (select count(*) n, count(distinct seq) seqs, min(seq) first, max(seq) last,
                         count(*) filter (where position <= before) disordered
                  from (select controller_id, seq, position, lag(position) over
                               (partition by controller_id order by seq) before
                        from gatehouse.records where epoch = {load.epoch}) r
                  group by controller_id) c""")[0]
        if bad != [str(load.controllers), str(load.controllers * each), "0", "0"]:
            raise Failed(f"stored of {load.controllers} x {each}: controllers, records, wrong "
                         f"ones, out of order: {bad}")

    def save_rows(self, path, world=None):
        """All of the table, for the floor of COPY."""
        (world or self.world).sql(f"\\copy (select {RECORDS_COLUMNS} from gatehouse.records "
                       f"order by position) to '{path}' (format binary)")

    def copy_floor(self, path):
        """(CPU of both sides per row, rows a second)."""
        self.empty(self.copies)
        self.checkpoint()
        before = self.postgres_s()
        done = copy_floor(self.build, self.copies.conninfo, path, ROWS_PER_TRANSACTION)
        self.checkpoint()
        cpu = done["cpu_s"] + self.postgres_s() - before
        return cpu / done["rows"], done["rows"] / done["seconds"]


def wait_connected(rig, controllers):
    wait_until(f"{controllers} are connected", lambda: (
        rig.status()["connections"]["controllers"] == controllers))
