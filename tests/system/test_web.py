# SPDX-License-Identifier: Apache-2.0
"""gatehouse-web as a client meets it: signing in, the stream, what it refuses.

Seen to fail with: the comparison of Origin, and that of the token, left out; SELECT
granted on a table; handshakes with the daemon that get no turn; a chunk that is handed to
libevent in pieces.
"""

import http.client
import re
import socket
import ssl
import subprocess

import pytest
from harness.web import Web
from harness.world import Failed, psql, wait_until
from stranger.client import Controller
from stranger.wire import Enrolment

RULES = ("Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options",
         "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")


@pytest.fixture(scope="module")
def web(town):
    web = Web(town, {"session.attempts_per_minute": 100000, "http.requests_per_minute": 1000000,
                     "postgresql.refresh_s": 1})
    web.start()
    return web


def raise_alarm(controller, kind="KIND_EMERGENCY_CALL"):
    seq = controller.send_record(kind, door=1)
    controller.wait_ack()
    return seq


# ---- Signing in -----------------------------------------------------------------


def test_a_link_signs_in_once(web):
    secret = web.secret("desk-north")
    first, second = web.browser(), web.browser()
    reply = first.sign_in(secret)
    assert reply.status == 200
    assert (reply.json["console"], reply.json["station"]) == ("desk-north", "north")
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Host-gatehouse=")
    for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in cookie
    assert second.sign_in(secret).status == 403
    assert first.get("/api/v1/session").status == 200
    assert second.get("/api/v1/session").status == 401


def test_a_console_signs_in_by_its_certificate(web, town):
    browser = web.browser(certificate=town.desks / "desk-east")
    assert browser.get("/api/v1/session").status == 401, "a certificate alone is no session"
    assert browser.sign_in_by_certificate().json["station"] == "east"
    controller = web.browser(certificate=town.fleet / town.estate.controllers[0])
    assert controller.sign_in_by_certificate().status == 403
    assert web.browser().sign_in_by_certificate().status == 403


def test_a_certificate_of_somebody_else_ends_the_handshake(web, make_world):
    other = make_world(controllers=1)
    stranger = web.browser(certificate=other.desks / "desk-north")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stranger.sign_in_by_certificate()


def test_signing_out_ends_session_and_stream(web):
    browser = web.browser("desk-north")
    stream = browser.stream()
    stream.snapshot()
    assert browser.post("/api/v1/session/end").status == 204
    assert browser.get("/api/v1/session").status == 401
    assert stream.next() is None


def test_a_console_that_is_disabled_is_signed_out(web, town):
    browser = web.browser("desk-south")
    town.ctl("console", "disable", "desk-south")
    try:
        wait_until("desk-south is signed out",
                   lambda: browser.get("/api/v1/session").status == 401)
        refused = town.ctl("console", "login", "desk-south", check=False)
        assert refused.returncode == 1 and "disabled" in refused.stderr
    finally:
        town.ctl("console", "enable", "desk-south")


# ---- What a page elsewhere can't make a browser do ---------------------------------


@pytest.mark.parametrize("headers", [
    {"Origin": "https://elsewhere.example"}, {"Origin": None}, {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"}, {"X-Gatehouse-Token": None},
    {"X-Gatehouse-Token": "0" * 64}])
def test_a_post_from_elsewhere_is_refused(web, headers):
    browser = web.browser("desk-north")
    assert browser.post("/api/v1/session/end", headers=headers).status == 403
    assert browser.get("/api/v1/session").status == 200, "nothing was changed"


@pytest.mark.parametrize("path, status", [
    ("/", 200), ("/nothing.js", 404), ("/api/v1/nothing", 404), ("/api/v1/session", 401),
    ("/../etc/passwd", 404), ("/%2e%2e/conf", 404), ("/vendor/../index.html", 404)])
def test_every_reply_has_its_rules(web, path, status):
    reply = web.browser().get(path)
    assert reply.status == status
    for rule in RULES:
        assert reply.headers[rule], rule
    policy = reply.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    if path.startswith("/api/"):
        assert reply.headers["Cache-Control"] == "no-store"


def test_a_page_has_no_inline_script_and_loads_nothing_from_elsewhere(web):
    page = web.browser().get("/").body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=|javascript:", page)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)


# ---- The stream -------------------------------------------------------------------


def test_the_stream_says_what_stands_and_then_what_happens(web, controllers):
    raise_alarm(controllers[0])
    browser = web.browser("desk-north")
    stream = browser.stream()
    assert stream.headers["Content-Type"] == "text/event-stream"
    standing = {alarm["alarm_id"] for alarm in stream.snapshot()}
    assert standing
    raise_alarm(controllers[0], "KIND_PANIC")
    alarm = stream.alarm(lambda data: data["kind"] == "panic")
    assert alarm["alarm_id"] not in standing
    assert alarm["severity"] == "critical" and alarm["silent"]
    assert alarm["address"] == "1 North Road"
    stream.close()


def test_events_are_cloudevents(web, controllers):
    stream = web.browser("desk-north").stream()
    stream.snapshot()
    raise_alarm(controllers[0], "KIND_HOLD_UP")
    event = stream.until(lambda e: e.name == "alarm" and e.data["kind"] == "hold_up")[-1]
    assert event.id == f"1-{event.data['position']}"
    assert event.event["specversion"] == "1.0"
    assert event.event["type"] == "gatehouse.alarm"
    assert event.event["source"] == "urn:gatehouse:node:1"
    assert event.event["subject"] == event.data["alarm_id"]
    assert event.event["id"] and event.event["time"].endswith("Z")
    stream.close()


def test_an_event_leaves_as_one_tls_record(web, controllers):
    """More are more system calls for each page, and wait for each other on a long line."""
    stream = web.browser("desk-north").stream()
    stream.snapshot()
    sock = stream.socket
    raise_alarm(controllers[0], "KIND_FIRE")
    record = b""
    while b"event: alarm" not in record:
        record = sock.recv(65536)  # of one TLS record, never more
        length, _, rest = record.partition(b"\r\n")
        assert rest[int(length, 16):] == b"\r\n", record
    stream.close()


def test_a_page_that_was_away_gets_each_change_once(web, controllers):
    browser = web.browser("desk-north")
    stream = browser.stream()
    stream.snapshot()
    stream.close()
    for _ in range(5):
        raise_alarm(controllers[0], "KIND_DOOR_FORCED")
        raise_alarm(controllers[0], "KIND_DOOR_FORCED_RESTORED")
    # a witness that was there all the time
    witness = web.browser("desk-north").stream(stream.last_id)
    told = [witness.alarm() for _ in range(10)]
    again = browser.stream(stream.last_id)
    events = again.until(lambda e: e.name == "alarm" and e.data["position"] ==
                         told[-1]["position"])
    assert [e.name for e in events] == ["state"] + ["alarm"] * 10, "no resync was needed"
    assert [e.data["position"] for e in events[1:]] == [a["position"] for a in told]
    again.close()
    witness.close()


@pytest.mark.parametrize("last_id", ["2-17", "1-99999999999", "0-0", "nonsense", "1-1 or 1=1"])
def test_an_id_from_elsewhere_gets_a_resync(web, last_id):
    stream = web.browser("desk-north").stream(last_id)
    events = stream.until(lambda event: event.name == "snapshot_end")
    assert "resync" in [event.name for event in events]
    stream.close()


def test_a_controller_is_online_lost_or_was_never_seen(web, make_world):
    """Guards that one which was never connected is not taken for one that is."""
    world = make_world(controllers=6)
    world.configure({"fleet.heartbeat_s": 1, "fleet.lease_s": 3})
    world.start()
    own = Web(world, {"postgresql.refresh_s": 1})
    own.start()
    browser = own.browser("desk-north")

    def figures(what):
        answer = browser.get("/api/v1/overview").json
        return tuple(answer[f"{what}_{state}"] for state in ("online", "lost", "unseen"))

    total = browser.get("/api/v1/overview").json["controllers"]
    assert total >= 2 and figures("controllers") == (0, 0, total) and figures("sites") == (0, 0, 1)
    name = world.estate.controllers[0]
    one = Controller(Enrolment.load(world.fleet / name))
    one.hello(epoch=1)
    one.send_record("KIND_DEVICE_BOOT")
    one.wait_ack()
    wait_until("one is online", lambda: figures("controllers") == (1, 0, total - 1))
    assert figures("sites") == (1, 0, 0)
    one.close()
    wait_until("it is lost", lambda: figures("controllers") == (0, 1, total - 1))
    assert figures("sites") == (0, 1, 0)


def test_a_station_sees_its_own_alarms_alone(web, town, controllers):
    north, east = web.browser("desk-north"), web.browser("desk-east")
    streams = {"north": north.stream(), "east": east.stream()}
    for stream in streams.values():
        stream.snapshot()
    for controller in controllers:
        raise_alarm(controller, "KIND_TAMPER_READER")
    seen = {}
    for station, stream in streams.items():
        for _ in range(2):
            alarm = stream.alarm(lambda data: data["kind"] == "tamper.reader")
            assert alarm["area"] == f"{station}-district"
            seen[station] = alarm["alarm_id"]
        stream.close()
    town.wait_stored()
    path = f"/api/v1/alarms/{seen['north']}"
    assert north.get(path).status == 200
    assert east.get(path).status == 404, "nor by its number"
    listed = {alarm["alarm_id"] for alarm in east.get("/api/v1/alarms").json["alarms"]}
    assert seen["east"] in listed and seen["north"] not in listed


def test_nothing_is_lost_when_the_daemon_starts_again(web, town, controllers):
    stream = web.browser("desk-east").stream()
    stream.snapshot()
    town.stop()
    assert not stream.until(lambda e: e.name == "state")[-1].data["connected"]
    town.start()
    controllers[1].reconnect()
    raise_alarm(controllers[1], "KIND_FIRE")
    events = stream.until(lambda e: e.name == "alarm" and e.data["kind"] == "fire")
    assert [e.data["connected"] for e in events if e.name == "state"] == [True]
    stream.close()


def test_alarms_come_while_postgresql_is_away(web, town, controllers, postgres):
    browser = web.browser("desk-east")
    stream = browser.stream()
    stream.snapshot()
    postgres.kill()
    try:
        raise_alarm(controllers[1], "KIND_TAMPER_CABINET")
        alarm = stream.alarm(lambda data: data["kind"] == "tamper.cabinet")
        reply = browser.get(f"/api/v1/alarms/{alarm['alarm_id']}")
        assert reply.status == 503 and "postgresql" in reply.json["detail"]
        assert browser.get("/api/v1/session").status == 200, "who is signed in stays"
    finally:
        postgres.start()
    town.wait_stored()
    details = wait_until("the database answers again", lambda: (
        lambda r: r.status == 200 and r.json)(browser.get(f"/api/v1/alarms/{alarm['alarm_id']}")))
    assert [record["kind"] for record in details["records"]] == ["tamper.cabinet"]
    stream.close()


class Locked:
    """Nobody writes the changes of alarms, and everybody may read them, within this."""

    def __init__(self, conninfo):
        self._psql = subprocess.Popen(["psql", "-XqAt", conninfo], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self._psql.stdin.write("begin; lock table gatehouse.alarm_changes in exclusive mode;"
                               " select 'locked';\n")
        self._psql.stdin.flush()
        assert self._psql.stdout.readline() == "locked\n"

    def __exit__(self, *_):
        self._psql.communicate("rollback;\n")


def test_what_is_not_stored_yet_is_no_mistake(web, town, controllers):
    """A browser writes to its console what is answered by 404."""
    browser = web.browser("desk-east")
    stream = browser.stream()
    stream.snapshot()
    with Locked(town.conninfo):
        raise_alarm(controllers[1], "KIND_TAMPER_CONTROLLER")
        alarm = stream.alarm(lambda data: data["kind"] == "tamper.controller")
        path = f"/api/v1/alarms/{alarm['alarm_id']}"
        assert browser.get(path).status == 204
        assert web.browser("desk-north").get(path).status == 404, "it stands elsewhere"
    town.wait_stored()
    assert browser.get(path).status == 200
    stream.close()


# ---- Site plans -----------------------------------------------------------------------

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000"
                    "1f15c4890000000d49444154789c6360f8cfc000000301010018dd8db0"
                    "0000000049454e44ae426082")
PLAN_MAX = 8 << 20


def test_the_plan_of_a_site(web, controllers):
    """Guards that a plan is given to whoever has an alarm there, and nothing else is."""
    raise_alarm(controllers[0], "KIND_FIRE")
    browser = web.browser("desk-north")
    stream = browser.stream()
    site = stream.snapshot()[0]["site"]
    stream.close()
    plans, path = web.home / "plans", f"/api/v1/plans/{site}"
    (plans / "other-site.png").write_bytes(PNG)
    (web.home / "plans.png").write_bytes(PNG)
    assert browser.get(path).status == 204, "it has none"
    (plans / f"{site}.webp").write_bytes(b"RIFF")
    assert browser.get(path).headers["Content-Type"] == "image/webp"
    (plans / f"{site}.png").write_bytes(PNG)
    reply = browser.get(path)
    assert (reply.status, reply.body) == (200, PNG) and reply.headers["Content-Type"] == "image/png"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    head = browser.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    # as much as there may be, and a byte more
    (plans / f"{site}.webp").unlink()
    (plans / f"{site}.png").write_bytes(bytes(PLAN_MAX))
    assert len(browser.get(path).body) == PLAN_MAX
    (plans / f"{site}.png").write_bytes(bytes(PLAN_MAX + 1))
    assert browser.get(path).status == 204
    assert "no plan shown: " in web.program.log.read_text()
    (plans / f"{site}.png").unlink()
    for wrong in ("other-site", "nowhere", "..%2fplans", "%2e%2e", f"{site}%00", "", "x" * 65):
        assert browser.get(f"/api/v1/plans/{wrong}").status == 404, wrong
    assert web.browser("desk-east").get(path).status == 404
    assert web.browser().get(path).status == 401


# ---- What it takes ------------------------------------------------------------------


def test_what_is_too_long_is_refused(web):
    browser = web.browser()
    for ask in (lambda: browser.post("/api/v1/session/link", {"secret": "x" * 20000}),
                lambda: browser.get("/", headers={"X-Long": "x" * 40000})):
        try:
            assert ask().status in (400, 413)
        except (OSError, http.client.HTTPException):
            pass  # it was closed while we were still sending
    assert browser.get("/").status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{\"secret\": 7}", b"\xff\xfe", b"null",
                                  b"{\"secret\":\"a\",\"secret\":\"b\"}"])
def test_a_body_that_makes_no_sense_is_refused(web, body):
    connection = web.browser().connect()
    connection.request("POST", "/api/v1/session/link", body, {"Origin": web.origin})
    assert connection.getresponse().status in (400, 403)
    connection.close()


@pytest.fixture(scope="module")
def narrow(town, web):
    """One that lets few in."""
    narrow = Web(town, {"http.idle_s": 1, "http.connections_max": 8,
                        "session.attempts_per_minute": 8}, beside=web)
    narrow.start()
    return narrow


def test_an_address_may_try_to_sign_in_so_often(narrow):
    # a quarter of a minute's worth comes at once
    browser = narrow.browser()
    assert [browser.sign_in("0" * 64).status for _ in range(3)] == [403, 403, 429]


def test_a_session_has_a_share_of_its_own(web, town):
    """What others ask from the same address costs a dispatcher nothing, and the other way round."""
    few = Web(town, {"http.requests_per_minute": 40, "session.requests_per_minute": 80},
              beside=web)
    few.start()
    first, second, stranger = few.browser("desk-north"), few.browser("desk-north"), few.browser()
    asked = [stranger.get("/").status for _ in range(12)]
    assert asked[0] == 200 and asked[-1] == 429, "two were used to sign in"
    asked = [first.get("/api/v1/session").status for _ in range(30)]
    assert asked[0] == 200 and asked[-1] == 429, "a quarter of a minute's worth comes at once"
    assert second.get("/api/v1/session").status == 200
    few.stop()


def test_a_byte_now_and_then_holds_no_connection(narrow):
    timed_out = narrow.status()["timed_out_total"]
    slow = narrow.browser().context.wrap_socket(
        socket.create_connection(("127.0.0.1", narrow.port)), server_hostname="127.0.0.1")
    slow.sendall(b"GET / HTTP/1.1\r\n")

    def closed_while_it_talks():
        try:
            slow.sendall(b"X")
        except OSError:
            pass
        return narrow.status()["timed_out_total"] > timed_out
    wait_until("the slow one is closed", closed_while_it_talks)
    slow.close()


def test_more_than_there_is_room_for_wait(narrow):
    held = [socket.create_connection(("127.0.0.1", narrow.port)) for _ in range(9)]
    # the ninth is the kernel's; when the eight are timed out it is let in, and us behind it
    assert narrow.browser().get("/").status == 200
    assert narrow.status()["timed_out_total"] >= 8
    for one in held:
        one.close()


# ---- What the role of the database may read --------------------------------------------


def test_the_role_reads_no_table(web, town):
    as_web = town.conninfo + " user=gatehouse-web"
    relations = [row[0] for row in town.sql(
        "select quote_ident(relname) from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where nspname = 'gatehouse' and relkind in ('r', 'p', 'v', 'm', 'S', 'f')")]
    assert {"records", "cards", "grants", "quarantine", "alarms", "consoles"} <= set(relations)
    for relation in relations:
        for query in (f"select * from gatehouse.{relation} limit 1",
                      f"select count(*) from gatehouse.{relation}"):
            with pytest.raises(Failed, match="permission denied"):
                psql(as_web, query)
        for right in ("select", "insert", "update", "delete", "truncate", "references", "trigger"):
            granted = f"has_table_privilege('gatehouse-web', 'gatehouse.{relation}', '{right}')"
            if relation.endswith("_seq"):
                continue
            assert town.sql(f"select {granted}") == [["f"]], (relation, right)
    for query in ("select gatehouse.make_partition('2030-01-01')",
                  "select gatehouse.web_station_sites('north')",
                  "create table gatehouse.mine (a int)", "create role other",
                  "select pg_read_file('/etc/passwd')", "copy (select 1) to program 'id'"):
        with pytest.raises(Failed, match="permission denied|must be superuser"):
            psql(as_web, query)
    functions = [row[0] for row in town.sql(
        "select proname from pg_proc p join pg_namespace n on n.oid = pronamespace where "
        "nspname = 'gatehouse' and has_function_privilege('gatehouse-web', p.oid, 'execute') "
        "and prosecdef order by 1")]  # others run with the asker's own rights, which are none
    assert functions == ["web_alarm", "web_consoles", "web_overview"]


def test_nothing_that_it_may_ask_names_a_card(web, town, controllers):
    as_web = town.conninfo + " user=gatehouse-web"
    card = bytes.fromhex("00c0ffee42")
    controllers[0].send_record("KIND_CARD_REVOKED_PRESENTED", door=1, card=card)
    controllers[0].wait_ack()
    town.wait_stored()
    number, token = town.sql(
        "select a.alarm_id, encode(r.card_token, 'hex') from gatehouse.alarms a "
        "join gatehouse.records r using (controller_id, epoch, seq) where a.kind = 610")[0]
    assert token
    said = "".join(row[0] for query in (
        f"select gatehouse.web_alarm('north', {number})", "select gatehouse.web_consoles()",
        "select gatehouse.web_overview('north')") for row in psql(as_web, query))
    assert "card.revoked_presented" in said
    for secret in (token, card.hex(), "token"):
        assert secret not in said


def test_no_secret_is_in_the_log(web):
    secret = web.secret("desk-north")
    browser = web.browser()
    browser.sign_in(secret)
    browser.sign_in(secret)
    log = web.program.log.read_text()
    for word in (secret, browser.token, browser.cookie.split("=")[1]):
        assert word not in log
    assert "signed in console=desk-north" in log
