# SPDX-License-Identifier: Apache-2.0
"""Descriptors and memory that run out.

Which protection each test guards, and how it was seen to fail without it:
"""

import signal
import socket

import pytest
from harness.process import CpuShare, descriptors
from harness.world import wait_until
from stranger.client import Controller
from stranger.wire import Closed, Enrolment, TimedOut


def assert_ledger_holds(world):
    result = world.verify()
    assert result.returncode == 0, result.stdout


# ---- Descriptors ----------------------------------------------------------------------


def occupy(port, count):
    """Connections that say nothing, as many as the kernel lets us begin."""
    return [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]


def can_enter(world, name):
    try:
        with Controller(Enrolment.load(world.fleet / name), timeout=2) as controller:
            controller.hello(epoch=1)
            return True
    except (TimedOut, Closed):
        return False


def test_descriptors_run_out_and_come_back(make_world, postgres):
    world = make_world(controllers=6)
    # so that nobody is sent away for saying nothing; and files change meanwhile
    world.configure({"tls.handshake_timeout_ms": 120000, "journal.segment_mb": 1})
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
