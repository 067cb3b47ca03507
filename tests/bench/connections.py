# SPDX-License-Identifier: Apache-2.0
"""What a connection costs: its handshake, its memory, and all of them coming back."""

import time

from bench import spent
from bench.figures import Row, ratios
from bench.rig import say, wait_connected
from harness.world import Failed

MS, KIB, MIB = 1e3, 1024, 1024 * 1024
AT_ONCE = 50
FULL_TARGET, RESUMED_TARGET = 1.1, 0.4
KIB_TARGET = 22


# ---- Handshakes ---------------------------------------------------------------------------

def _handshake_ms(pid, load, expect_resumed=False):
    """Handshake and goodbye, no word in between: the server's CPU for each."""
    before = spent.cpu_s(pid)
    done = load.say(f"shake {AT_ONCE}")
    if expect_resumed and done["resumed"] < done["handshakes"]:
        raise Failed(f"only {done['resumed']} of {done['handshakes']} were resumed")
    return (spent.cpu_s(pid) - before) / done["handshakes"] * MS


def _collect_tickets(load):
    load.say("resume 0")
    if load.say(f"connect {AT_ONCE}")["tickets"] == 0:
        raise Failed("the server gives no tickets")
    load.say("close")
    load.say("resume 1")


def handshakes(rig):
    """Full ones beside a bare server without tickets; resumed ones beside the same."""
    n, pid = rig.plan.handshakes, rig.world.daemon.pid
    say(f"{n} handshakes a run")
    server = rig.tls_floor()
    ours, theirs = rig.load(n), rig.load(n, port=server.port)
    full, floor, resumed = [], [], []
    for _ in range(rig.plan.rounds):
        full.append(_handshake_ms(pid, ours))
        floor.append(_handshake_ms(server.pid, theirs))
    yield Row("full handshake with client certificate / bare server", "x", ratios(full, floor),
              FULL_TARGET)
    yield Row("  gatehoused", "ms", full)
    yield Row("  bare OpenSSL server, no tickets", "ms", floor)
    yield from _floor_resumed(rig, n)
    try:
        _collect_tickets(ours)
        resumed = [_handshake_ms(pid, ours, expect_resumed=True) for _ in range(rig.plan.rounds)]
        why = ""
    except Failed as failure:
        why = str(failure)
    yield Row("resumed handshake / bare server's full one", "x",
              ratios(resumed, floor) if resumed else [], RESUMED_TARGET, note=why)
    for thing in (ours, theirs, server):
        thing.end()


def _floor_resumed(rig, n):
    server = rig.tls_floor(tickets=1)
    load = rig.load(n, port=server.port)
    _collect_tickets(load)
    yield Row("  bare server with a ticket, resumed", "ms",
              [_handshake_ms(server.pid, load, expect_resumed=True)
               for _ in range(rig.plan.rounds)])
    load.end()
    server.end()


# ---- Growth ---------------------------------------------------------------------------------

class Grown:
    """A new daemon with so many connections: memory and CPU."""

    def __init__(self, rig, connections):
        say(f"{connections:,} connections")
        rig.empty()
        rig.restart()
        pid = rig.world.daemon.pid
        empty, cpu = spent.rss_bytes(pid), spent.cpu_s(pid)
        load = rig.load(connections)
        load.say(f"connect {AT_ONCE}")
        wait_connected(rig, connections)
        self.connections = connections
        self.connect_ms = (spent.cpu_s(pid) - cpu) / connections * MS
        self.rss = spent.rss_bytes(pid)
        self.kib = (self.rss - empty) / connections / KIB
        self.us = self._records_us(rig, load)
        load.end()

    def _records_us(self, rig, load):
        each, samples = max(1, rig.plan.growth_records // self.connections), []
        for _ in range(3):
            rig.empty()
            rig.checkpoint()
            before = rig.daemon_s()
            records = load.say(f"send {each} 8 0")["acked"]
            rig.wait_stored()
            samples.append((rig.daemon_s() - before) / records * 1e6)
            rig.check_stored(load, each)
        return samples


def _floor_kib(rig, connections):
    server = rig.tls_floor()
    empty = spent.rss_bytes(server.pid)
    load = rig.load(connections, port=server.port)
    load.say(f"connect {AT_ONCE}")
    kib = (spent.rss_bytes(server.pid) - empty) / connections / KIB
    load.end()
    server.end()
    return kib


def growth(rig, points):
    """Fills points["connections"] for the plot, too."""
    for connections in rig.plan.growth:
        grown = Grown(rig, connections)
        last = connections == rig.plan.growth[-1]
        points["connections"].append({"connections": connections, "us": grown.us,
                                      "kib": grown.kib, "connect_ms": grown.connect_ms})
        yield Row(f"resident memory per idle connection, {connections:,} of them", "KiB",
                  [grown.kib], KIB_TARGET if last else None,
                  note=f"the whole process: {grown.rss / MIB:.0f} MiB")
        if connections == 5000:
            yield Row("  the whole process with 5,000", "MiB", [grown.rss / MIB], 200)
        yield Row("  CPU of gatehoused per record there, window 8", "us", grown.us)
        yield Row("  CPU of gatehoused per connection, handshake and hello", "ms",
                  [grown.connect_ms])
    yield Row(f"  bare OpenSSL server, {rig.plan.growth[-1]:,} connections", "KiB",
              [_floor_kib(rig, rig.plan.growth[-1])])


# ---- All come back at once ----------------------------------------------------------------------

def storm(rig, watch):
    """`watch`: rows of the alarms that are raised meanwhile, by other controllers."""
    plan = rig.plan
    say(f"{plan.storm:,} controllers come back at once, {plan.storm_each} records each")
    rig.empty()
    rig.restart()
    load = rig.load(plan.storm)
    load.say("spacing 1000000")
    load.say("resume 1")
    load.say(f"connect {AT_ONCE}")
    wait_connected(rig, plan.storm)
    load.say("close")
    sim = watch.begin()
    begun = time.monotonic()
    try:
        done = load.say(f"backlog {plan.storm_each} 64 {plan.storm}")
        rig.wait_stored()
        stored_s = time.monotonic() - begun
    except Failed as failure:
        seen = rig.status()["connections"]
        raise Failed(f"{seen['controllers']:,} in service after {time.monotonic() - begun:.0f} s, "
                     f"refused: {seen['refused']}") from failure
    finally:
        alarms = watch.end(sim)
    rig.check_stored(load, plan.storm_each)
    load.end()
    note = (f"{done['resumed']:,} of {done['handshakes']:,} handshakes resumed, "
            f"{done['failed']:,} tried again")
    scale = plan.storm / 10000
    what = f"{plan.storm:,} controllers back at once, {plan.storm_each} records each"
    yield Row(f"{what}: in service again", "s", [done["ready_s"]], 25 * scale, note=note)
    yield Row("  all served", "s", [done["seconds"]], 45 * scale)
    yield Row("  all stored", "s", [stored_s], 45 * scale)
    yield from watch.rows(alarms, "during that reconnect", 50)
