# SPDX-License-Identifier: Apache-2.0
"""How long an alarm takes to a console: alone, beside a load, to very many."""

import time

from bench import spent
from bench.figures import Row, at_least
from bench.rig import FIRST, say
from harness.ledger import check_consoles

US = 1e6
ALARMS_PER_S = 50
# The simulator restores after two seconds: halfway between two alarms, or together with one.
FAN_OUT_PER_S, FAN_OUT_PAIRS_PER_S = 4.25, 4
RATE_STATIONS = [f"s{i:02d}" for i in range(20)]


class Watch:
    """Some controllers that raise alarms, and one console that sees them.

    In a simulator of their own, so that the latency is not that of a busy simulator.
    """

    def __init__(self, rig, consoles=1, others=0):
        """`others`: consoles that are there beside ours."""
        self._rig, self._consoles, self._others = rig, consoles, others

    def begin(self, rate=ALARMS_PER_S):
        rig, epoch = self._rig, self._rig.epoch()
        name = f"watch-{epoch}"
        sim = rig.world.sim("--controllers", FIRST, "--epoch", epoch, "--alarms", rate,
                            "--console-dir", rig.some_consoles(self._consoles),
                            "--duration", 3600, "--drain", name=name, ledger=name)
        rig.world.wait_status("controllers and consoles of the watch are there", lambda s: (
            s["desk"]["consoles"] == self._consoles + self._others and
            s["fleet"]["online"] >= FIRST))
        return sim

    def end(self, sim):
        return self._rig.world.end_load(sim)["alarms"]

    def rows(self, alarms, when, target):
        """`target`: p99 in milliseconds."""
        latency = alarms["latency_ms"]
        unseen = alarms["sent"] - alarms["seen"]
        note = f"{alarms['sent']:,} alarms, {unseen} not seen, longest {latency['max']:.1f} ms"
        yield Row(f"alarm to console {when}, p99", "ms",
                  [latency["p99"]] if unseen == 0 else [], target, note=note)
        yield Row("  p50", "ms", [latency["p50"]])


def pause(rig, seconds):
    """Lets time pass while the daemon is looked at: it must be there at the end."""
    time.sleep(seconds)
    rig.status()


def alarms(rig):
    watch, seconds = Watch(rig), rig.plan.alarms_s
    say(f"alarms, idle and beside 20,000 records/s, {seconds} s each")
    sim = watch.begin()
    pause(rig, seconds)
    yield from watch.rows(watch.end(sim), "idle", 3)
    for rate, target in ((5000, 20), (20000, 15)):
        load = rig.load(rig.plan.fleet)
        load.say("connect 100")
        sim = watch.begin()
        each = rate * seconds // rig.plan.fleet
        load.say(f"send {each} 64 {rate}")
        seen = watch.end(sim)
        rig.wait_stored()
        rig.check_stored(load, each)
        load.end()
        rig.empty()
        yield from watch.rows(seen, f"at {rate:,} records/s", target)


def _fan_out(rig, consoles, rate):
    """(what the simulator saw of the last console, CPU of the daemon for each alarm)."""
    watch = Watch(rig, consoles)
    sim = watch.begin(rate)
    cpu = rig.daemon_s()
    pause(rig, rig.plan.fan_out_s)
    cpu = rig.daemon_s() - cpu
    return watch.end(sim)["last_console_ms"], cpu / max(1, rig.plan.fan_out_s * rate) * US


def _last_console(what, last, target=None):
    return Row(f"{what}, the last of them, p99", "ms", [last["p99"]] if last["samples"] else [],
               target, note=f"p50 {last['p50']:.1f} ms, {last['samples']} alarms, longest "
                            f"{last['max']:.1f} ms, the simulator's own reading included")


def fan_out(rig, points):
    """One alarm to many consoles.  Fills points["consoles"] for the plot, too."""
    most = rig.plan.consoles[-1]
    for consoles in rig.plan.consoles:
        say(f"alarms to {consoles:,} consoles")
        last, us = _fan_out(rig, consoles, FAN_OUT_PER_S)
        points["consoles"].append({"consoles": consoles, "us": us,
                                   "p50_ms": last["p50"], "p99_ms": last["p99"]})
        yield _last_console(f"one alarm to {consoles:,} consoles", last,
                            20 if consoles == most else None)
        yield Row("  CPU of gatehoused per alarm and its restore", "us", [us])
    say(f"two changes at the same time to {most:,} consoles")
    last, _ = _fan_out(rig, most, FAN_OUT_PAIRS_PER_S)
    yield _last_console("  two changes at the same time to as many", last)


def _span_s(world):
    """From the first record of the fleet to the last."""
    return float(world.sql("select extract(epoch from max(received_at) - min(received_at))"
                           " from gatehouse.records where epoch > 0")[0][0])


def alarm_rate(rig, rate=1000):
    """Many alarms to the consoles of twenty stations, every one held against PostgreSQL."""
    seconds, offered = rig.plan.alarm_rate_s, rate * 21 // 20
    say(f"{offered:,} alarms/s to 40 consoles of 20 stations for {seconds} s, with the ledger")
    world = rig.make_world("rate", 1000, consoles=2, stations=RATE_STATIONS)
    world.start()
    try:
        rss, cpu = spent.rss_bytes(world.daemon.pid), spent.cpu_s(world.daemon.pid)
        # more is offered, so that the ends of the run are no excuse
        summary = world.sim_to_end("--console-dir", world.desks, "--alarms", offered,
                                   "--duration", seconds, "--drain")
        cpu = spent.cpu_s(world.daemon.pid) - cpu
        rig.wait_stored(world)
        rss = (rss, spent.rss_bytes(world.daemon.pid))
        figures = world.assert_ledger_holds()
        told = check_consoles(world)
        span = _span_s(world)
    finally:
        world.end()
    alarms, latency = summary["alarms"], summary["alarms"]["latency_ms"]
    yield Row("alarms/s to the consoles of 20 stations, two each", "alarms/s",
              [alarms["sent"] / span], rate, at_least,
              note=f"{sum(told.values()):,} changes told to {len(told)} consoles")
    yield Row("  lost or double, records in PostgreSQL and alarms at consoles", "",
              [figures["lost"] + figures["duplicate"] + figures["alarms"]["missing"] +
               figures["alarms"]["twice"]], 0)
    yield Row("  consoles that had to begin anew", "", [alarms["resyncs"] - len(told)], 0)
    yield Row("  alarm to console, p99", "ms", [latency["p99"]],
              note=f"p50 {latency['p50']:.1f} ms, longest {latency['max']:.1f} ms")
    yield Row("  CPU of gatehoused per alarm, with its restore", "us",
              [cpu / alarms["sent"] * US])
    yield Row("  resident memory of gatehoused at the end", "MiB", [rss[1] / 2 ** 20],
              note=f"{rss[0] / 2 ** 20:.0f} MiB at the start")
