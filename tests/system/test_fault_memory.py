# SPDX-License-Identifier: Apache-2.0
"""Descriptors and memory that run out.

Seen to fail: descriptors, before connections_max was fitted to the limit of open
files (clients took them all, and the operator got no answer); allocations, before
OpenSSL's went through ours (after one that failed at the wrong moment, each
handshake failed for ever).
"""

import mmap
import os
import random
import signal
import socket
import struct

import pytest
from harness.process import CpuShare, descriptors
from harness.world import TOP, run, wait_until
from stranger.client import Controller
from stranger.wire import Closed, Enrolment, Refused, TimedOut

BUILD = TOP / os.environ.get("BUILD", "build")


def assert_ledger_holds(world):
    result = world.verify()
    assert result.returncode == 0, result.stdout


# ---- Descriptors ----------------------------------------------------------------------


def occupy(port, count):
    """Connections that say nothing, as many as the kernel lets us begin."""
    return [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]


def can_enter(world, name):
    try:
        with Controller(Enrolment.load(world.fleet / name), timeout=5) as controller:
            controller.hello(epoch=1)
            return True
    except (TimedOut, Closed):
        return False


def test_descriptors_run_out_and_come_back(make_world, postgres):
    world = make_world(controllers=6)
    # so that nobody is sent away for saying nothing; and files change meanwhile
    # few linger, or nobody would be left a descriptor
    world.configure({"tls.handshake_timeout_ms": 120000, "journal.segment_mb": 1,
                     "tls.linger_max": 4})
    world.start(prefix=["prlimit", "--nofile=128"])
    sim = world.sim("--controllers", 5, "--rate", 3000, "--duration", 3600, "--drain",
                    "--console-dir", world.desks)
    world.wait_status("all are there", lambda s: s["fleet"]["online"] == 5)
    occupying = occupy(world.port, 300)
    try:
        world.wait_status("no more are taken", lambda s: (
            s["connections"]["handshaking"] > 10))
        assert not can_enter(world, world.estate.controllers[5])
        cpu = CpuShare(world.daemon.pid)
        # everything that needs a descriptor now and then: new segments, a connection to
        # PostgreSQL, the operator's questions
        postgres.kill()
        postgres.start()
        segments = world.status()["journal"]["segments"]
        world.wait_status("the journal begins new files, and the store runs again", lambda s: (
            s["journal"]["segments"] >= segments + 2 and s["store"]["state"] == "running"))
        # 3,000 records a second take a fifth of a core; accepting without end, all of one
        assert cpu.share() < 0.8, f"used {cpu.share():.0%} of a core for {cpu.seconds():.1f} s"
        assert descriptors(world.daemon.pid) < 128, "some are kept for those who are in"
        assert world.status()["fleet"]["online"] == 5
    finally:
        for one in occupying:
            one.close()
    wait_until("there is room again", lambda: can_enter(world, world.estate.controllers[5]))
    sim.signal(signal.SIGTERM)
    assert sim.wait() == 0, sim.log_tail()
    assert_ledger_holds(world)


# ---- Memory -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shim():
    """The library that fails the Nth allocation, built beside the programs."""
    library = BUILD / "fault" / "malloc_fail.so"
    library.parent.mkdir(exist_ok=True)
    run("cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o",
        library, TOP / "tests/fault/malloc_fail.c")
    return library


class Scenario:
    """A start, a controller with ten records and an alarm, a stop: each time the same."""

    RECORDS = 10

    def __init__(self, world, shim):
        self.world = world
        self.shim = shim
        self.enrolment = Enrolment.load(world.fleet / world.estate.controllers[0])
        self.counts = world.folder / "counts"
        self.acked = 0

    def run(self, fail_at):
        """Returns the daemon's exit code."""
        self.world.launch(["env", f"LD_PRELOAD={self.shim}", f"MALLOC_FAIL_AT={fail_at}",
                           f"MALLOC_FAIL_COUNT={self.counts}"])
        # one that lost an allocation for a connection closes that one, and serves the next
        wait_until(f"the daemon with {fail_at} serves, or has ended", lambda: (
            self.talk() or self.world.daemon.exit_code is not None))
        return self.world.stop()

    def talk(self):
        controller = None
        try:
            with Controller(self.enrolment, timeout=5) as controller:
                welcome = controller.hello(epoch=1, acked_seq=self.acked)
                assert welcome.resume_after >= self.acked, "what was acknowledged is forgotten"
                for i in range(self.RECORDS):
                    controller.send_record("KIND_PANIC" if i == 5 else "KIND_DOOR_OPENED", door=1)
                controller.wait_ack()
        except (Closed, Refused, TimedOut):
            return False
        finally:
            if controller is not None:
                self.acked = max(self.acked, controller.acked)
        return True

    def measure(self):
        """How many allocations it makes, and how many are left at its end."""
        assert self.run(0) == 0
        made, kept = self.counts.read_text().split()
        return int(made), int(kept)


def fail_each(make_world, shim, choose):
    """`choose`: of 1 .. N those to try, given N."""
    world = make_world(controllers=1)
    scenario = Scenario(world, shim)
    scenario.measure()  # the first start makes files that later ones find
    made, kept = scenario.measure()
    survived = 0
    for fail_at in choose(made):
        code = scenario.run(fail_at)
        # "out of memory" and exit 1: systemd starts it again, with all that is durable
        assert code in (0, 1), f"allocation {fail_at} ended it with {code}"
        if code == 0:
            survived += 1
            left = int(scenario.counts.read_text().split()[1])
            assert left <= kept + 4, f"allocation {fail_at} leaked: {left} are left, not {kept}"
    world.start()
    world.wait_stored()
    seqs = [int(row[0]) for row in world.sql(
        "select seq from gatehouse.records where epoch = 1 order by position")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= scenario.acked > 0
    print(f"{made} allocations, {kept} left at the end; survived {survived}")


class Serving:
    """A daemon that is up, and the file by which its next allocations are told to fail."""

    def __init__(self, world, shim):
        self.world = world
        self.scenario = Scenario(world, shim)
        path = world.folder / "malloc-map"
        path.write_bytes(bytes(24))
        self._file = open(path, "r+b")
        self._map = mmap.mmap(self._file.fileno(), 24)
        self._prefix = ["env", f"LD_PRELOAD={shim}", f"MALLOC_FAIL_MAP={path}"]
        self.deaths = 0
        self.start()

    def start(self):
        self.world.start(wait_for_store=False, prefix=self._prefix)
        wait_until("a first conversation, which makes what the later ones find",
                   self.scenario.talk)

    def fail(self, number):
        """The allocation of this number from now on; 0: none.  Returns whether it came."""
        struct.pack_into("QQ", self._map, 0, 0, number)
        wait_until(f"it serves, or has ended, with {number}", lambda: (
            self.scenario.talk() or self.world.daemon.exit_code is not None))
        calls, = struct.unpack_from("Q", self._map, 0)
        struct.pack_into("QQ", self._map, 0, 0, 0)
        if self.world.daemon.exit_code is not None:
            assert self.world.daemon.exit_code == 1, f"allocation {number} was its end"
            self.deaths += 1
            self.start()
        return calls >= number


@pytest.mark.parametrize("stride", [41, pytest.param(1, marks=pytest.mark.torture)])
def test_each_allocation_while_serving_fails(make_world, shim, stride):
    """From a controller's connection to its last ack, one after the other; in make torture
    all of them.  (Leaks are looked for by test_an_allocation_fails, at the daemon's end.)"""
    serving = Serving(make_world(controllers=1), shim)
    number = 1
    while serving.fail(number):
        number += stride
    tried = number // stride
    print(f"{tried} of {number} allocations failed, of which {serving.deaths} ended the daemon")
    assert number > 500
    world = serving.world
    assert world.stop() == 0
    world.start()
    world.wait_stored()
    seqs = [int(row[0]) for row in world.sql(
        "select seq from gatehouse.records where epoch = 1 order by position")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= serving.scenario.acked > 0


def test_an_allocation_fails(make_world, shim):
    # some of them by chance, always the same ones for the same count
    fail_each(make_world, shim, lambda made: sorted(random.Random(11).sample(range(1, made), 40)))


@pytest.mark.torture
def test_each_allocation_fails(make_world, shim):
    fail_each(make_world, shim, lambda made: range(1, made + 1))
