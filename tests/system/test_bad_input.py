# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: an end or a reject with a reason, a counter that moved,
and nobody else who noticed.

After each test a neighbour, connected since the first one, still gets its
answer on the same connection.
"""

import shutil

import pytest
from harness.world import run, wait_until
from stranger import misbehave
from stranger.client import Console, Controller
from stranger.wire import TIMEOUT_S, Closed, Enrolment, Refused


@pytest.fixture(scope="module")
def town(make_world):
    world = make_world(controllers=8)
    world.start()
    return world


@pytest.fixture(scope="module")
def neighbour(town):
    with Controller(enrolment(town, 7)) as controller:
        controller.hello()
        yield controller


@pytest.fixture(autouse=True)
def nobody_else_notices(neighbour):
    yield
    neighbour.send_record("KIND_DOOR_OPENED", door=1)
    neighbour.wait_ack()


def enrolment(world, index):
    return Enrolment.load(world.fleet / world.estate.controllers[index])


def count(world, where, reason):
    return world.status()["connections"][where].get(reason, 0)


class Moves:
    """Expects that a counter of status goes up by one; it may take a moment."""

    def __init__(self, world, where, reason):
        self._world, self._where, self._reason = world, where, reason
        self._before = count(world, where, reason)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is None:
            wait_until(f"{self._where} {self._reason} is counted once", lambda: (
                count(self._world, self._where, self._reason) == self._before + 1))


# ---- Closed, with a reason that the client is told ---------------------------

CLOSED = {
    "raw_bytes": "BAD_FRAME",
    "endless_length": "BAD_FRAME",
    "empty_frames": "BAD_FRAME",
    "frame_too_long": "FRAME_TOO_LONG",
    "frame_too_long_later": "FRAME_TOO_LONG",
    "huge_length": "FRAME_TOO_LONG",
    "record_before_hello": "PROTOCOL",
    "second_hello": "PROTOCOL",
    "wrong_version": "VERSION",
    "stale_epoch": "STALE_EPOCH",
    "foreign_door": "FOREIGN_DOOR",
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_with_a_reason(town, name):
    with Moves(town, "closed", CLOSED[name].lower()):
        outcome = misbehave.run(name, enrolment(town, 0), TIMEOUT_S)
    assert outcome.goaway == f"GOAWAY_REASON_{CLOSED[name]}", outcome
    assert outcome.detail
    assert outcome.ended != "open"


def test_a_message_cut_short_is_a_closed_connection(town):
    with Moves(town, "closed", "peer_closed"):
        misbehave.run("truncated", enrolment(town, 0), TIMEOUT_S)


def test_a_door_of_another_controller(town):
    mine, other = enrolment(town, 0), enrolment(town, 1)
    with Moves(town, "closed", "foreign_door"), Controller(mine) as controller:
        with pytest.raises(Refused) as refused:
            controller.hello(doors=other.doors)
    assert refused.value.reason == "GOAWAY_REASON_FOREIGN_DOOR"
    assert other.doors[0]["code"] in str(refused.value)


# ---- Refused in the handshake --------------------------------------------------

REFUSED = {
    "wrong_alpn": "wrong_alpn",
    "no_alpn": "wrong_alpn",
    "tls12": "bad_handshake",
    "no_certificate": "bad_certificate",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_the_handshake(town, name):
    with Moves(town, "refused", REFUSED[name]):
        outcome = misbehave.run(name, enrolment(town, 0), TIMEOUT_S)
    assert outcome.ended != "open"
    assert not outcome.goaway


def openssl(*args):
    run("openssl", *args)


def make_enrolment(town, folder, name, ca, *options):
    """A folder like that of another enrolment, with a certificate of our own making."""
    shutil.copytree(town.fleet / town.estate.controllers[0], folder)
    (folder / "names").write_text(f"subjectAltName=URI:urn:gatehouse:controller:{name}\n"
                                  "extendedKeyUsage=clientAuth\n")
    openssl("req", "-new", "-key", folder / "key.pem", "-subj", f"/CN={name}", "-out",
            folder / "request.pem")
    openssl("x509", "-req", "-in", folder / "request.pem", "-CA", f"{ca}.pem", "-CAkey",
            f"{ca}.key", "-extfile", folder / "names", "-out", folder / "certificate.pem",
            *options)
    return Enrolment.load(folder)


def refused_lines(town):
    return [line for line in town.daemon.log.read_text().splitlines()
            if "refused" in line and "bad_certificate" in line]


def test_unknown_and_expired_certificates(make_world, tmp_path):
    town = make_world(controllers=1)
    town.start()
    name = town.estate.controllers[0]
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", tmp_path / "foreign.key", "-out", tmp_path / "foreign.pem", "-subj",
            "/CN=some other authority", "-days", 10)
    unknown = make_enrolment(town, tmp_path / "unknown", name, tmp_path / "foreign", "-days", 10)
    expired = make_enrolment(town, tmp_path / "expired", name, town.home / "ca/ca", "-days", -1)
    for bad in (unknown, expired, unknown, expired, unknown, expired):
        with Moves(town, "refused", "bad_certificate"):
            outcome = misbehave.refused_connection(bad, TIMEOUT_S)
        assert outcome.ended != "open" and not outcome.goaway
    # six of one source within a minute: one line
    assert len(refused_lines(town)) == 1
    good = make_enrolment(town, tmp_path / "good", name, town.home / "ca/ca", "-days", 10)
    with Controller(good) as controller:
        assert controller.hello().controller == name


def test_a_good_certificate_that_the_register_does_not_know(town, tmp_path):
    stranger = make_enrolment(town, tmp_path / "nobody", "nobody", town.home / "ca/ca")
    with Moves(town, "closed", "unknown_identity"), Controller(stranger) as controller:
        with pytest.raises(Refused) as refused:
            controller.hello()
    assert refused.value.reason == "GOAWAY_REASON_UNKNOWN"


def test_a_console_at_the_controllers_door(town):
    console = Enrolment.load(town.desks / "desk-north")
    console.port = town.port
    with Moves(town, "refused", "wrong_role"), Console(console) as desk:
        with pytest.raises((Refused, Closed)) as refused:
            desk.hello()
    if isinstance(refused.value, Refused):
        assert refused.value.reason == "GOAWAY_REASON_WRONG_ROLE"


def test_a_controller_at_the_consoles_door(town):
    controller = enrolment(town, 0)
    controller.port = town.console_port
    with Moves(town, "refused", "wrong_role"), Controller(controller) as visitor:
        with pytest.raises((Refused, Closed)):
            visitor.hello()


def test_a_disabled_controller_is_sent_away_and_comes_back(town):
    name = town.estate.controllers[2]
    with Controller(enrolment(town, 2)) as controller:
        controller.hello()
        town.ctl("controller", "disable", name)
        with pytest.raises(Refused) as refused:
            controller.step(controller.deadline())
        assert refused.value.reason == "GOAWAY_REASON_DISABLED"
        controller.connect()
        with pytest.raises(Refused) as refused:
            controller.hello()
        assert refused.value.reason == "GOAWAY_REASON_DISABLED"
        town.ctl("controller", "enable", name)
        wait_until("it is let in again", lambda: is_welcome(controller))


def is_welcome(controller):
    controller.connect()
    try:
        return controller.hello()
    except Refused:
        return None


# ---- Rejected, and the stream goes on ------------------------------------------

REJECTED = {
    "unknown_door": "UNKNOWN_DOOR",
    "impossible_time": "IMPOSSIBLE_TIME",
    "bad_utf8": "BAD_TEXT",
    "zero_in_text": "BAD_TEXT",
    "long_text": "BAD_TEXT",
    "long_card": "BAD_CARD",
    "missing_card": "BAD_CARD",
    "missing_reason": "BAD_REASON",
    "forged_kind": "NOT_YOURS",
}


@pytest.mark.parametrize("name", REJECTED)
def test_rejected_by_sequence_and_kept_in_quarantine(town, name):
    mine = enrolment(town, 3)
    rejected = town.status()["fleet"]["rejected_total"]
    outcome = misbehave.run(name, mine, TIMEOUT_S)
    assert outcome.ended == "open", outcome
    (seq, reason, detail), = outcome.rejects
    assert reason == f"REJECT_REASON_{REJECTED[name]}"
    assert detail
    assert outcome.acked >= seq
    assert town.status()["fleet"]["rejected_total"] == rejected + 1
    town.wait_stored()
    kept = town.sql("select q.stage, q.detail from gatehouse.quarantine q"
                    " join gatehouse.controllers c using (controller_id)"
                    f" where c.name = '{mine.name}' order by q.position desc limit 1")
    assert kept == [["ingest", detail]]


# ---- Too much --------------------------------------------------------------------


def test_ten_windows_at_once_lose_nothing(town):
    mine = enrolment(town, 4)
    outcome = misbehave.run("over_the_window", mine, 30)
    town.wait_stored()
    stored = town.value("select count(*) from gatehouse.records r"
                        f" join gatehouse.controllers c using (controller_id)"
                        f" where c.name = '{mine.name}' and r.epoch > 0")
    assert stored == outcome.acked > 0


def test_a_controller_that_never_reads_is_bounded(town):
    before = town.status()["memory"]["rss_bytes"]
    outcome = misbehave.run("never_reading", enrolment(town, 5), 10)
    assert town.status()["memory"]["rss_bytes"] - before < 16 * 1024 * 1024
    assert outcome.goaway in ("", "GOAWAY_REASON_SLOW")


def test_a_silent_socket_is_closed_in_the_handshake(make_world):
    import socket
    town = make_world(controllers=1)
    town.configure({"tls.handshake_timeout_ms": 1000})
    town.start()
    with socket.create_connection(("127.0.0.1", town.port)) as silent:
        silent.settimeout(TIMEOUT_S)
        with Moves(town, "refused", "handshake_timeout"):
            assert silent.recv(1) == b""


def test_no_hello_is_closed(make_world):
    town = make_world(controllers=1)
    town.configure({"fleet.hello_timeout_ms": 1000})
    town.start()
    with Moves(town, "closed", "idle"), Controller(enrolment(town, 0)) as silent:
        with pytest.raises(Refused) as refused:
            silent.step(silent.deadline())
    assert refused.value.reason == "GOAWAY_REASON_IDLE"
