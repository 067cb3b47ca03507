# SPDX-License-Identifier: Apache-2.0
"""The daemon dies at any moment, and nothing that it acknowledged is lost.

Guarded here:
- an ack is written only from a group that came back durable (src/fleet/batch.c).
  With batch_answer() called from batch_post(), the rounds lose records.
- a start depends on how much the journal holds only as far as it has to be read
  once, and not on PostgreSQL.  There is no protection to switch off; the share of
  processor time is what would break.

The short form is in `make check`; `make torture` runs the long one.
"""

import random
import re

import pytest
from harness.process import cpu_s
from harness.world import wait_until

ROUNDS, ROUNDS_OF_TORTURE = 20, 200
RATE = 5000
MILLION = 1000000
READY_SHARE = 1 / 3  # of the time that the same records took to come in


def taken(world):
    return world.status()["fleet"]["records_total"]


def kill_rounds(world, rounds):
    """Kills the daemon under load at moments given by chance, and compares at the end."""
    chance = random.Random(rounds)
    sim = world.sim("--rate", RATE, "--alarms", 5, "--duration", 36000, "--drain",
                    "--console-dir", world.desks)
    for _ in range(rounds):
        enough = chance.randrange(1, RATE)
        wait_until(f"{enough} records, or the fleet's end",
                   lambda: sim.exit_code is not None or taken(world) > enough)
        assert sim.exit_code is None, (sim.exit_code, sim.log_tail())
        world.kill()
        world.start(wait_for_store=False)
    wait_until("records after the last start", lambda: taken(world) > 0)
    world.end_load(sim)
    world.assert_ledger_holds()


def test_nothing_is_lost_by_kill_9_under_load(make_world):
    world = make_world(controllers=200)
    world.start()
    kill_rounds(world, ROUNDS)


@pytest.mark.torture
def test_nothing_is_lost_by_kill_9_under_load_torture(make_world):
    world = make_world(controllers=200)
    world.start()
    kill_rounds(world, ROUNDS_OF_TORTURE)


def said_last(world, what):
    """The number that the daemon's log gave last for this."""
    return int(re.findall(what + r"=(\d+)", world.daemon.log.read_text())[-1])


def start_with_a_million(make_world):
    """Killed, and without a checkpoint: the whole journal has to be read.

    Returns the daemon's processor time until it is ready, as a share of what it had
    used to take the same records; that it was ready in so many ms is printed.
    """
    world = make_world(controllers=200)
    world.configure({"desk.checkpoint_s": 3600})
    world.start()
    world.sim_to_end("--backlog", MILLION // 200)
    taken_s = cpu_s(world.daemon.pid)
    world.kill()
    (world.home / "state" / "checkpoint").unlink(missing_ok=True)
    world.start(wait_for_store=False)
    ready_s = cpu_s(world.daemon.pid)
    world.assert_ledger_holds()
    assert said_last(world, "replayed entries") >= MILLION
    print(f"ready within {said_last(world, 'ready .*took_ms')} ms; processor time {ready_s} s"
          f" of the {taken_s} s that the records took to come in")
    return ready_s / taken_s


def test_is_ready_soon_with_a_million_records_in_the_journal(make_world):
    assert start_with_a_million(make_world) < READY_SHARE
