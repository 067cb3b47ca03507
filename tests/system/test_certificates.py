# SPDX-License-Identifier: Apache-2.0
"""Certificates while the daemon runs: short handshakes, new files, revocation, their end.

Seen to fail: test_a_restart without tls_sessions_save(), test_who_is_disabled with
the register's check left out for resumed connections, test_new_files and
test_a_broken_file without the reload, test_revoked without stream_set_end_revoked().
"""

import signal

import pytest
from harness.certificates import new_certificate, revoke
from harness.world import wait_until
from stranger.client import Controller
from stranger.wire import Closed, Enrolment, Refused


@pytest.fixture
def town(make_world):
    made = make_world(controllers=3)
    yield made
    made.end()


def handshakes(world):
    connections = world.status()["connections"]
    return connections["full_handshakes_total"], connections["short_handshakes_total"]


def enrolments(world):
    return sorted((Enrolment.load(folder) for folder in world.fleet.iterdir()),
                  key=lambda enrolment: enrolment.name)


def wait_logged(world, text):
    wait_until(f"the log says: {text}", lambda: text in world.daemon.log.read_text())


def test_a_restart(town):
    """The fleet that comes back at once after an upgrade comes back by short handshakes.

    The daemon ends with connections standing; a fleet that was there takes the
    sessions that it had before.
    """
    town.start()
    sim = town.sim("--rate", 50)
    town.wait_status("all are there", lambda s: s["connections"]["controllers"] == 3)
    assert handshakes(town) == (3, 0)
    assert town.stop() == 0
    sessions = town.home / "state/tls-sessions"
    assert sessions.stat().st_mode & 0o7777 == 0o600
    town.start()
    town.wait_status("all are back", lambda s: s["connections"]["controllers"] == 3)
    assert handshakes(town) == (0, 3)
    assert not sessions.exists()
    town.end_load(sim)
    town.assert_ledger_holds()


def test_switched_off(town):
    """At either end."""
    town.configure({"tls.resume_s": 0})
    town.start()
    for _ in range(2):
        town.sim_to_end("--backlog", 1, "--drain")
    assert handshakes(town)[1] == 0
    assert town.stop() == 0
    assert not (town.home / "state/tls-sessions").exists()


def test_who_is_disabled(town):
    """A short handshake is no way around the register."""
    town.start()
    first = enrolments(town)[0]
    with Controller(first, resume=True) as controller:
        controller.hello()
        controller.reconnect()
        assert handshakes(town) == (1, 1)
        town.ctl("controller", "disable", first.name)
        town.wait_status("it is gone", lambda s: s["connections"]["controllers"] == 0)
        controller.connect()
        with pytest.raises(Refused, match="disabled"):
            controller.hello()
    assert handshakes(town)[1] == 2
    town.ctl("controller", "enable", first.name)


def test_new_files(town):
    """A new certificate serves new connections; those that stand stay."""
    new_certificate(town, 5)
    town.start()
    wait_logged(town, "ends in 4 days")
    first, second, _ = enrolments(town)
    with Controller(first) as controller:
        controller.hello()
        new_certificate(town, 99)
        town.daemon.signal(signal.SIGHUP)
        town.wait_status("the new one is used",
                         lambda s: s["tls"]["certificate_days_left"] == 98)
        with Controller(second) as other:
            other.hello()
        controller.heartbeat()


def test_a_broken_file(town):
    """What is wrong is said, and everything goes on with what there was."""
    town.start()
    first, second, _ = enrolments(town)
    with Controller(first) as controller:
        controller.hello()
        (town.home / "tls/certificate.pem").write_text("no certificate\n")
        town.daemon.signal(signal.SIGHUP)
        wait_logged(town, "certificates not loaded, those of before stay: could not load "
                          "certificate from \"")
        with Controller(second) as other:
            other.hello()
        controller.heartbeat()


def test_revoked(town):
    """On a new list: sent away, and not let in again, with or without a session."""
    revoked = town.home / "tls/revoked.pem"
    first, second, third = enrolments(town)
    revoke(town, third.folder / "certificate.pem", revoked)
    town.configure({"tls.revoked": revoked})
    town.start()
    with pytest.raises(Closed, match="(?i)revoked"):
        with Controller(third) as controller:
            controller.hello()
    with Controller(first, resume=True) as controller, Controller(second) as other:
        controller.hello()
        other.hello()
        revoke(town, first.folder / "certificate.pem", revoked)
        town.daemon.signal(signal.SIGHUP)
        town.wait_status("it is gone", lambda s: s["connections"]["controllers"] == 1)
        with pytest.raises(Closed, match="(?i)revoked"):
            controller.reconnect()
        other.heartbeat()
    assert town.status()["connections"]["closed"]["bad_certificate"] == 1
    assert town.status()["connections"]["refused"]["bad_certificate"] == 2
