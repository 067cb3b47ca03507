# SPDX-License-Identifier: Apache-2.0
"""gatehouse-web over restarts and reloads: who may sign in, and with which certificates.

Seen to fail with: the consoles not kept; the lists not read again; connections and sessions
of whom a list names left as they are.
"""

import http.client
import signal
import socket
import ssl

import pytest
from harness.certificates import new_certificate, revoke
from harness.web import Web
from harness.world import wait_until


@pytest.fixture
def web(make_world):
    town = make_world(controllers=1)
    town.start()
    web = Web(town, {"session.attempts_per_minute": 100000, "postgresql.refresh_s": 1})
    web.start()
    yield web
    town.end()


def logged(web, text):
    wait_until(f"the log says: {text}", lambda: text in web.program.log.read_text())


def test_a_restart_while_postgresql_is_away_lets_people_sign_in(web, postgres):
    desk = web.world.desks / "desk-north"
    first = web.browser(certificate=desk)
    assert first.sign_in_by_certificate().status == 200
    web.stop()
    postgres.kill()
    try:
        web.start()
        assert "consoles as they were kept" in web.program.log.read_text()
        assert first.get("/api/v1/session").status == 401, "a restart signs everybody out"
        assert first.sign_in_by_certificate().json["station"] == "north"
        stream = web.browser("desk-north").stream()
        stream.snapshot()
        stream.close()
        web.stop()
        web.configure({"postgresql.kept_s": 0})
        web.program = web.world.spawn("gatehouse-web", "-c", web.config, name="without")
        logged(web, "ready version=")
        assert first.sign_in_by_certificate().status == 503
    finally:
        postgres.start()
    wait_until("the register was read", lambda: web.status().get("register_known"))
    assert first.sign_in_by_certificate().status == 200


def has_ended(stream):
    try:
        while stream.next() is not None:
            pass
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        pass  # in the middle of a chunk, and without a goodbye
    return True


def served_certificate(web):
    context = ssl.create_default_context(cafile=web.home / "tls/ca.pem")
    with socket.create_connection(("127.0.0.1", web.port)) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            return connection.getpeercert()["serialNumber"]


def test_new_certificates_are_taken_and_broken_ones_are_not(web):
    before = served_certificate(web)
    stream = web.browser("desk-north").stream()
    stream.snapshot()
    new_certificate(web.world, 30, web.home / "tls")
    web.program.signal(signal.SIGHUP)
    logged(web, "certificates loaded")
    after = served_certificate(web)
    assert after != before
    (web.home / "tls/certificate.pem").write_text("no certificate\n")
    web.program.signal(signal.SIGHUP)
    logged(web, "certificates not loaded, those of before stay: could not load certificate")
    assert served_certificate(web) == after
    assert web.status()["pages"] == 1, "who is connected stays"
    stream.close()


def test_whom_a_list_names_is_signed_out_and_refused(web):
    north, east = (web.world.desks / name for name in ("desk-north", "desk-east"))
    lists = web.home / "tls/revoked.pem"
    revoke(web.world, web.world.fleet / web.world.estate.controllers[0] / "certificate.pem", lists)
    web.stop()
    web.configure({"tls.revoked": lists})
    web.start()
    lost, other = web.browser(certificate=north), web.browser(certificate=east)
    linked = web.browser("desk-north")
    assert lost.sign_in_by_certificate().status == other.sign_in_by_certificate().status == 200
    stream = lost.stream()
    stream.snapshot()
    revoke(web.world, north / "certificate.pem", lists)
    web.program.signal(signal.SIGHUP)
    logged(web, "certificates loaded")
    assert has_ended(stream), "its connections end"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        lost.get("/api/v1/session")
    thief = web.browser()
    thief.cookie, thief.token = lost.cookie, lost.token
    assert thief.get("/api/v1/session").status == 401, "and what it had signed in"
    assert other.get("/api/v1/session").status == 200
    assert linked.get("/api/v1/session").status == 200, "a link's session has no certificate"
