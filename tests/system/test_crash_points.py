# SPDX-License-Identifier: Apache-2.0
"""Killed between any two steps, and again on the way back: it always comes back.

Protection tested: the order of the steps of a roll, of an unlink, of a checkpoint, of
a replaced file and of a commit, and recovery from the middle of each.  Seen to fail
with groups returned before they are written, with a segment named before its header is
written, and with the cursor committed apart from the rows.  (A process that dies takes
nothing out of the kernel's cache: syncs are the business of unit/journal/test_power.)

Every crash point alone, and a sample of pairs in a row; with GATEHOUSE_ALL_PAIRS=1
(make torture) each pair.  GATEHOUSE_PAIRS_SEED=n draws the sample that a failed run
printed.  Each of them ends in the ledger.
"""

import itertools
import os
import pathlib
import random
import signal
import subprocess

import pytest
from harness.estate import RightsEstate
from harness.world import TOP, wait_until

BUILD = TOP / os.environ.get("BUILD", "build")
CRASHING = pathlib.Path(BUILD / "crash/gatehoused")
ALL_PAIRS = bool(os.environ.get("GATEHOUSE_ALL_PAIRS"))
SAMPLE = 10
AT_A_TIME = 20  # pairs in one test, which has a deadline
# The small segment, the short times and the rate bring it to every point within seconds.
QUICK = {
    "journal.segment_mb": 1,
    "journal.retain_s": 1,
    "node.workers": 1,
    "desk.checkpoint_s": 1,
    "rights.snapshot_s": 1,
    "postgresql.retry_ms": 100,
}
RATE = 6000


def crash_points():
    if not CRASHING.exists():
        return []
    done = subprocess.run([CRASHING, "--crash-points"], check=True, capture_output=True, text=True)
    return done.stdout.split()


POINTS = crash_points()
SEED = int(os.environ.get("GATEHOUSE_PAIRS_SEED", random.randrange(1_000_000)))


def pairs():
    """All, in an order of their own, or the sample."""
    every = list(itertools.product(POINTS, repeat=2))
    random.Random(SEED).shuffle(every)
    return every if ALL_PAIRS else every[:SAMPLE]


def slices(of):
    return [of[i:i + AT_A_TIME] for i in range(0, len(of), AT_A_TIME)]


class Mortal:
    """A world whose daemon dies where it is told to, under a fleet that never rests."""

    def __init__(self, world):
        self.world = world
        programs = world.folder / "programs"
        programs.mkdir()
        for name in ("gatehousectl", "gatehouse-sim"):
            (programs / name).symlink_to((BUILD / name).resolve())
        (programs / "gatehoused").symlink_to(CRASHING.resolve())
        world.build = programs
        world.start()
        self.fleet = world.sim("--rate", RATE, "--alarms", 20, "--duration", 3600,
                               "--desk-dir", world.managers, "--registrations", 100, "--drain")
        self.live()

    def live(self):
        """Whatever it died of, it takes records again."""
        if self.world.daemon.exit_code is not None:
            self.world.start(wait_for_store=False)
        wait_until("records are taken",
                   lambda: self.world.status()["fleet"]["records_total"] > 0)

    def die_at(self, *points):
        """At one after the other, each in the life after the one before."""
        if self.world.daemon.exit_code is None:
            self.world.kill()
        for point in points:
            daemon = self.world.daemon = self.world.spawn(
                "gatehoused", "-c", self.world.config,
                prefix=["env", f"GATEHOUSE_CRASH_AT={point}"])
            wait_until(f"death at {point}", lambda d=daemon: d.exit_code is not None)
            assert daemon.exit_code == -signal.SIGKILL, daemon.log_tail()

    def end(self):
        """The ledger over all lives: nothing lost, doubled, invented or out of order."""
        self.live()
        self.fleet.signal(signal.SIGTERM)
        assert self.fleet.wait() == 0, self.fleet.log_tail()
        self.world.wait_stored()
        result = self.world.verify()
        assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def mortal(make_world):
    """One world for all: what one death left behind is what the next life begins with."""
    assert POINTS, f"{CRASHING} is missing: make crash"
    world = make_world(controllers=4, kind=RightsEstate)
    world.configure(QUICK)
    return Mortal(world)


@pytest.mark.parametrize("point", POINTS)
def test_comes_back_from(mortal, point):
    mortal.die_at(point)
    mortal.live()


def slice_name(some):
    return f"seed-{SEED}-{some[0][0]}+{some[0][1]}"


@pytest.mark.parametrize("some", slices(pairs()), ids=map(slice_name, slices(pairs())))
def test_comes_back_from_two_in_a_row(mortal, some):
    for pair in some:
        print(f"GATEHOUSE_PAIRS_SEED={SEED}: {pair[0]}, then {pair[1]}")
        mortal.die_at(*pair)
    mortal.live()


def test_nothing_was_lost_over_all_deaths(mortal):
    mortal.end()


def test_the_shipped_daemon_has_no_crash_points():
    shipped = BUILD / "gatehoused"
    done = subprocess.run([shipped, "--crash-points"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert b"GATEHOUSE_CRASH_AT" not in shipped.read_bytes()
