# SPDX-License-Identifier: Apache-2.0
"""How long an alarm takes to the pages of dispatchers, by one gatehouse-web."""

import json

from bench import spent
from bench.alarms import Watch, pause
from bench.figures import Row
from bench.programs import Told
from bench.rig import say
from harness.web import Web
from harness.world import Failed

ALARMS_PER_S = 10
SHOWN_AFTER_MS = 250  # as web/app.js has it
MOST = 200
TARGET_MS = 50
# All pages come from one address, and sign in at once.
WEB_SETTINGS = {"http.requests_per_minute": 1000000, "session.attempts_per_minute": 100000}


class Pages(Told):
    """So many pages, each signed in by a link: see tests/bench/pages.c."""

    def __init__(self, rig, web, pages, show_after_ms):
        consoles = sorted(folder.name for folder in rig.world.desks.iterdir())
        secrets = [web.secret(consoles[i % len(consoles)]) for i in range(pages)]
        super().__init__([rig.build / "bench/pages", "127.0.0.1", web.port, pages, show_after_ms],
                         rig.folder / "pages.log", "".join(f"{s}\n" for s in secrets))

    def result(self, changes):
        return self.say(f"result {changes}")


def _changes_since(world, position):
    return [int(row[0]) for row in world.sql(
        f"select position from gatehouse.alarm_changes where position > {position}"
        " order by position")]


def _check(seen, stored):
    """Each page had each change once, in the order of the journal, and nothing else.

    What the server has found due since PostgreSQL was asked may come behind.
    """
    if seen["wrong"] or seen["resyncs"] or seen["least"] < len(stored) or (
            seen["positions"][:len(stored)] != stored):
        raise Failed(f"of {len(stored)} changes a page had {seen['least']}, pages had "
                     f"{len(seen['positions'])} together, {seen['wrong']} of them lost or double, "
                     f"and {seen['resyncs']} resyncs")


class Run:
    """Alarms to so many pages for a while."""

    def __init__(self, rig, web, count, show_after_ms=0):
        say(f"alarms to {count} pages" + (", which say what they show" if show_after_ms else ""))
        before = rig.status()["positions"]["durable"]
        pages = Pages(rig, web, count, show_after_ms)
        rig.ends_with(pages)
        cpu = [spent.cpu_s(pid) for pid in (web.program.pid, pages.pid)]
        watch = Watch(rig, others=1)  # that of gatehouse-web
        sim = watch.begin(ALARMS_PER_S)
        pause(rig, rig.plan.pages_s)
        self.alarms = watch.end(sim)
        rig.wait_stored()
        stored = _changes_since(rig.world, before)
        self.seen = pages.result(len(stored))
        _check(self.seen, stored)
        self.web_us, self.pages_us = (
            (spent.cpu_s(pid) - was) / (len(stored) * count) * 1e6
            for pid, was in zip((web.program.pid, pages.pid), cpu))
        pages.end()


def _rows(run, count, what, target):
    sent, last = run.seen["since_sent_ms"], run.seen["last_page_ms"]
    note = (f"{last['samples']:,} changes, each once on each page, longest "
            f"{sent['max']:.1f} ms")
    yield Row(f"alarm sent to {what}, p99 over all", "ms", [sent["p99"]], target, note=note)
    yield Row("  p50", "ms", [sent["p50"]])
    yield Row("  the last page of an alarm, p50", "ms", [last["p50"]])
    yield Row("  since it was durable, p99", "ms", [run.seen["since_durable_ms"]["p99"]],
              note=f"alarm to console beside it {run.alarms['latency_ms']['p99']:.1f} ms")
    yield Row("  CPU of gatehouse-web per change and page", "us", [run.web_us],
              note=f"of the pages themselves {run.pages_us:.0f} us")


def pages(rig):
    web = Web(rig.world, WEB_SETTINGS)
    web.start()
    for count in rig.plan.pages:
        target = TARGET_MS if count == MOST else None
        yield from _rows(Run(rig, web, count), count, f"{count} pages", target)
    yield from _rows(Run(rig, web, MOST, SHOWN_AFTER_MS), MOST,
                     f"{MOST} pages that say what they show", TARGET_MS)
    web.stop()
