# SPDX-License-Identifier: Apache-2.0
"""gatehouse-web calls those who want to be called.

Guards that what is delivered is signed and is what the stream says; that nothing is lost
over errors, time-outs, kills and restarts; that changes of one alarm keep their order; that
a receiver that is dead, or is not who it should be, costs nobody else anything.

Seen to fail with: the certificate, or the name in it, not verified; redirects followed; the
place saved as all that was taken from the daemon, or within a resync; a later change of an
alarm that does not wait; a 410 taken for any other error; a full queue that goes on taking;
an answer that is read to its end; ids that are new at each attempt; a place that was another
wish's.
"""

import signal
import threading

import pytest
from harness.receiver import Receiver, make_certificate
from harness.web import Web
from harness.world import run, wait_until
from stranger.client import Controller
from stranger.wire import Enrolment

QUICK = {"webhook.retry_first_ms": 20, "webhook.retry_factor": 1, "webhook.attempts": 100,
         "webhook.save_ms": 10, "postgresql.refresh_s": 1}


@pytest.fixture(scope="module")
def first(town):
    """Whose certificates and consoles the others use; not started."""
    return Web(town)


@pytest.fixture
def web(town, first):
    web = Web(town, QUICK, beside=first)
    yield web
    if web.program is not None and web.program.exit_code is None:
        assert web.stop() == 0


@pytest.fixture
def receivers(first):
    """Makes receivers with the certificate of our authority; ends them."""
    made = []

    def make():
        made.append(Receiver(first.home / "tls/certificate.pem", first.home / "tls/key.pem"))
        return made[-1]
    yield make
    for receiver in made:
        receiver.answer = lambda request: 503
        receiver.close()


@pytest.fixture
def receiver(receivers):
    return receivers()


@pytest.fixture
def controllers(controllers):
    """All at station north: the first of each three."""
    return controllers[::3]


def add(web, name, receiver, **keys):
    return web.add_webhook(name, **{"url": receiver.url, "station": "north",
                                    "ca_file": web.home / "tls/ca.pem", **keys})


def happens(controller, *kinds):
    for kind in kinds:
        controller.send_record(f"KIND_{kind}", door=1)
    controller.wait_ack()


class Witness:
    """A page that is open all the time: what there was to be told."""

    def __init__(self, web):
        self._stream = web.browser("desk-north").stream()
        self._stream.snapshot()

    def changes(self, count):
        """The next so many."""
        return [self._stream.alarm() for _ in range(count)]

    def close(self):
        self._stream.close()


@pytest.fixture
def witness(town, first):
    """Beside the one that is tested, and alive when that one is not."""
    other = Web(town, QUICK, beside=first)
    other.start()
    made = Witness(other)
    yield made
    made.close()
    assert other.stop() == 0


def assert_in_order(receiver):
    """Of each alarm, an earlier change never comes after a later one; doubles are dropped, as
    receivers do."""
    newest, seen = {}, set()
    for request in receiver.taken:
        if request.id in seen:
            continue
        seen.add(request.id)
        if request.kind == "resync":
            newest = {}
        elif request.kind == "alarm":
            data = request.data
            assert newest.get(data["alarm_id"], 0) <= data["change"], data
            newest[data["alarm_id"]] = data["change"]


# ---- What is sent ---------------------------------------------------------------------


def test_a_change_is_posted_signed_and_as_the_stream_has_it(web, receiver, controllers):
    secret = add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    stream = web.browser("desk-north").stream()
    stream.snapshot()
    happens(controllers[0], "EMERGENCY_CALL")
    told = stream.until(lambda e: e.name == "alarm")[-1]
    receiver.wait_position(told.data["position"])
    stream.close()

    kinds = [request.kind for request in receiver.taken]
    assert kinds[0] == "resync" and "snapshot_end" in kinds, "it began with all that stands"
    request = receiver.taken[-1]
    assert request.event == told.event
    assert request.headers["Content-Type"].startswith("application/cloudevents+json")
    for request in receiver.requests:
        assert request.is_signed_by(secret)
        assert not request.is_signed_by("whsec_" + "A" * 40 + "AAA=")
        assert request.id.startswith("brigade_") and "." not in request.id
    assert len({request.id for request in receiver.requests}) == len(receiver.requests)
    status = wait_until("all is counted", lambda: (
        lambda s: s if s["waiting"] == 0 else None)(web.webhook("brigade")))
    assert status["state"] == "on" and status["connected"] and status["last_error"] == ""
    assert status["delivered"] == len(receiver.taken)


def test_only_what_was_asked_for_is_told(web, receivers, controllers, witness):
    severe, forced = receivers(), receivers()
    add(web, "severe", severe, severity_min="critical")
    add(web, "forced", forced, kinds="door.forced,door.held_open")
    web.start()
    severe.wait_snapshot()
    forced.wait_snapshot()
    happens(controllers[0], "DOOR_HELD_OPEN", "PANIC", "DOOR_FORCED")
    changes = witness.changes(3)
    wanted = {severe: [c["position"] for c in changes if c["severity"] == "critical"],
              forced: [c["position"] for c in changes if c["kind"].startswith("door.")]}
    for receiver, positions in wanted.items():
        assert positions
        for position in positions:
            receiver.wait_position(position)
    assert {a["severity"] for a in severe.alarms()} == {"critical"}
    assert {a["kind"] for a in forced.alarms()} <= {"door.forced", "door.held_open"}


def test_while_a_secret_is_changed_both_sign(web, receiver, controllers, witness):
    old = add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    assert receiver.taken[-1].is_signed_by(old)
    file = web.home / "brigade.secret"
    web.world.ctl("web", "webhook-secret", web.home / "new.secret")
    new = (web.home / "new.secret").read_text().strip()
    file.write_text(f"{old}\n{new}\n")
    web.program.signal(signal.SIGHUP)
    wait_until("it was loaded again", lambda: "loaded again" in web.program.log_tail())
    happens(controllers[0], "EMERGENCY_CALL")
    receiver.wait_position(witness.changes(1)[0]["position"])
    assert receiver.taken[-1].is_signed_by(old) and receiver.taken[-1].is_signed_by(new)

    file.write_text("whsec_rubbish!\n")
    web.program.signal(signal.SIGHUP)
    wait_until("it kept its secret", lambda: "keeps its secret" in web.program.log_tail())
    happens(controllers[0], "EMERGENCY_CALL")
    receiver.wait_position(witness.changes(1)[0]["position"])
    assert receiver.taken[-1].is_signed_by(new)
    for secret in (old, new, "whsec_rubbish!"):
        assert secret.removeprefix("whsec_") not in web.program.log.read_text()
        assert secret.removeprefix("whsec_") not in str(web.status())


# ---- What fails is tried again ---------------------------------------------------------


def test_after_an_error_it_is_tried_again_under_the_same_id(web, receiver, controllers, witness):
    secret = add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    answers = [500, 404, 301, 503]
    receiver.answer = lambda request: answers.pop(0) if answers else 200
    happens(controllers[0], "EMERGENCY_CALL")
    position = witness.changes(1)[0]["position"]
    receiver.wait_position(position)
    tries = [r for r in receiver.requests if r.data.get("position") == position]
    assert len(tries) == 5
    assert len({(r.id, r.body) for r in tries}) == 1
    assert all(r.is_signed_by(secret) for r in tries)


def test_after_a_time_out_it_is_tried_again(web, receiver, controllers, witness):
    web.configure({"webhook.timeout_ms": 200})
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    release = threading.Event()
    receiver.answer = lambda request: 200 if release.wait(60) else 500
    happens(controllers[0], "EMERGENCY_CALL")
    position = witness.changes(1)[0]["position"]
    wait_until("a request timed out", lambda: web.webhook("brigade").get("failed_in_row"))
    assert "time" in web.webhook("brigade")["last_error"].lower()
    assert web.webhook("brigade")["waiting"] == 1
    release.set()
    wait_until("it was delivered", lambda: web.webhook("brigade")["waiting"] == 0)
    assert len({r.id for r in receiver.requests if r.data.get("position") == position}) == 1


def test_changes_of_one_alarm_wait_and_others_go(web, receiver, controllers, witness):
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    blocked = threading.Event()
    name = controllers[0].enrolment.name
    before = len(receiver.requests)

    def answer(request):
        return 500 if request.data.get("controller") == name and not blocked.is_set() else 200
    receiver.answer = answer
    happens(controllers[0], "DOOR_HELD_OPEN", "DOOR_HELD_OPEN_RESTORED", "DOOR_HELD_OPEN")
    mine = witness.changes(3)
    happens(controllers[1], "EMERGENCY_CALL")
    other = witness.changes(1)[0]
    receiver.wait_position(other["position"])
    came = [r.data["position"] for r in receiver.requests[before:]
            if r.data.get("controller") == name]
    assert set(came) == {mine[0]["position"]}, "later ones have waited"
    blocked.set()
    receiver.wait_position(mine[2]["position"])
    taken = [a["position"] for a in receiver.alarms() if a["controller"] == name]
    assert taken[-3:] == [change["position"] for change in mine]


def test_at_the_last_attempt_it_is_given_up_counted_and_said(web, receiver, controllers, witness):
    web.configure({"webhook.attempts": 3})
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    receiver.answer = lambda request: 500
    happens(controllers[0], "EMERGENCY_CALL")
    lost = witness.changes(1)[0]["position"]
    wait_until("it was given up", lambda: web.webhook("brigade")["given_up"] == 1)
    assert len([r for r in receiver.requests if r.data.get("position") == lost]) == 3
    assert "given up" in web.program.log_tail()
    receiver.answer = lambda request: 200
    happens(controllers[0], "EMERGENCY_CALL")
    receiver.wait_position(witness.changes(1)[0]["position"])


def test_gone_is_switched_off_until_it_is_loaded_again(web, receiver, controllers, witness):
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    receiver.answer = lambda request: 410
    happens(controllers[0], "EMERGENCY_CALL")
    position = witness.changes(1)[0]["position"]
    wait_until("it is off", lambda: web.webhook("brigade")["state"] == "gone")
    assert web.webhook("brigade")["last_error"] == "answered 410"
    count = len(receiver.requests)
    happens(controllers[0], "EMERGENCY_CALL")
    later = witness.changes(1)[0]["position"]
    receiver.answer = lambda request: 200
    assert len(receiver.requests) == count, "nobody was called"
    web.program.signal(signal.SIGHUP)
    receiver.wait_position(later)
    receiver.wait_position(position)
    assert "resync" not in [r.kind for r in receiver.requests[count:]], "it went on where it was"
    assert web.webhook("brigade")["state"] == "on"


# ---- Restarts ---------------------------------------------------------------------------


def test_kill_9_and_a_restart_lose_nothing(web, receiver, controllers, witness):
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    receiver.answer = lambda request: (500 if len(receiver.requests) % 3 else 200)
    for _ in range(4):
        for controller in controllers:
            happens(controller, "DOOR_HELD_OPEN", "DOOR_HELD_OPEN_RESTORED")
        web.kill()
        for controller in controllers:
            happens(controller, "EMERGENCY_CALL")
        web.start()
    changes = witness.changes(4 * 3 * len(controllers))
    receiver.answer = lambda request: 200
    for change in changes:
        receiver.wait_position(change["position"])
    assert [r.kind for r in receiver.requests].count("resync") == 1, "each start went on"
    assert_in_order(receiver)
    by_position = {}
    for request in receiver.requests:
        if request.kind == "alarm" and "-r" not in request.id:
            by_position.setdefault(request.data["position"], set()).add(request.id)
    assert all(len(ids) == 1 for ids in by_position.values()), "what comes again has its id"


def test_an_interrupted_resync_is_begun_anew(web, receiver, controllers):
    happens(controllers[0], "EMERGENCY_CALL")
    add(web, "brigade", receiver)
    receiver.answer = lambda request: 200 if request.kind == "resync" else 500
    web.start()
    wait_until("the resync was told, and an alarm tried", lambda: any(
        request.kind == "alarm" for request in receiver.requests))
    web.kill()
    assert not any(request.kind == "snapshot_end" for request in receiver.requests)
    receiver.answer = lambda request: 200
    web.start()
    receiver.wait_snapshot()
    kinds = [request.kind for request in receiver.taken]
    assert kinds.count("resync") == 2 and kinds[0] == kinds[1] == "resync"
    assert len({r.id for r in receiver.taken}) == len(receiver.taken)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_of_the_daemon_loses_nothing(web, receiver, town, how):
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    controller = Controller(Enrolment.load(town.fleet / town.estate.controllers[0]))
    controller.hello(epoch=1)
    happens(controller, "EMERGENCY_CALL", "PANIC")
    controller.close()
    getattr(town, how)()
    town.start()
    controller = Controller(Enrolment.load(town.fleet / town.estate.controllers[0]))
    controller.hello(epoch=1)
    happens(controller, "HOLD_UP")
    controller.close()
    stream = web.browser("desk-north").stream()
    standing = {a["alarm_id"]: a["change"] for a in stream.snapshot()}
    stream.close()
    assert standing
    # by changes, or by a resync that was told: the receiver has each as it stands
    receiver.wait("all is told", lambda taken: standing.items() <= {
        r.data["alarm_id"]: r.data["change"] for r in taken if r.kind == "alarm"}.items())
    assert_in_order(receiver)


def test_who_wants_something_else_begins_anew(web, receiver, controllers):
    happens(controllers[0], "EMERGENCY_CALL")  # so that there is a place to go on from
    add(web, "brigade", receiver, severity_min="high")
    web.start()
    receiver.wait_snapshot()
    wait_until("all is counted", lambda: web.webhook("brigade")["waiting"] == 0)
    assert web.stop() == 0
    web.config.write_text(web.config.read_text().replace("severity_min: high",
                                                          "severity_min: low"))
    count = len(receiver.taken)
    web.start()
    receiver.wait("another snapshot", lambda taken: any(
        r.kind == "snapshot_end" for r in taken[count:]))
    assert receiver.taken[count].kind == "resync"


# ---- Who costs nobody else anything -----------------------------------------------------


def test_a_dead_one_delays_nobody_and_is_bounded(web, receivers, controllers, witness):
    web.configure({"webhook.queue": 4, "webhook.timeout_ms": 60000})
    dead, alive = receivers(), receivers()
    release = threading.Event()
    add(web, "dead", dead)
    add(web, "alive", alive)
    web.start()
    dead.wait_snapshot()
    dead.answer = lambda request: 200 if release.wait(120) else 500
    told = wait_until("all is counted", lambda: (
        lambda s: s if s["waiting"] == 0 else None)(web.webhook("dead")))["delivered"]
    page = web.browser("desk-north").stream()
    page.snapshot()
    for _ in range(5):
        for controller in controllers:
            happens(controller, "DOOR_HELD_OPEN", "DOOR_HELD_OPEN_RESTORED")
    changes = witness.changes(10 * len(controllers))
    alive.wait_position(changes[-1]["position"])
    for change in changes:
        alive.wait_position(change["position"])
    assert [page.alarm()["position"] for _ in changes] == [c["position"] for c in changes]
    page.close()
    status = web.webhook("dead")
    assert status["delivered"] == told and 0 < status["waiting"] <= 4
    release.set()
    for change in changes:
        dead.wait_position(change["position"])
    assert_in_order(dead)
    assert_in_order(alive)


def test_who_is_not_who_it_should_be_is_told_nothing(web, receivers, tmp_path, first):
    wrong, right = Receiver(*make_certificate(tmp_path / "other")), receivers()
    # of the right authority, under a name that its certificate does not have
    name = Receiver(first.home / "tls/certificate.pem", first.home / "tls/key.pem", "127.0.0.2")
    add(web, "wrong", wrong)
    add(web, "right", right)
    add(web, "name", name)
    web.start()
    right.wait_snapshot()
    for who, receiver in (("wrong", wrong), ("name", name)):
        why = wait_until("it failed", lambda who=who: web.webhook(who)["last_error"])
        assert "certificate" in why
        assert receiver.requests == []
        receiver.close()


def test_a_redirect_is_not_followed(web, receivers, controllers, witness):
    elsewhere, receiver = receivers(), receivers()
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    where = elsewhere.url
    answers = [(307, {"Location": where}, b""), (308, {"Location": where}, b"")]
    receiver.answer = lambda request: answers.pop(0) if answers else 200
    happens(controllers[0], "EMERGENCY_CALL")
    receiver.wait_position(witness.changes(1)[0]["position"])
    assert answers == [] and elsewhere.requests == []


def test_an_endless_answer_is_not_read(web, receiver, controllers, witness):
    add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    receiver.answer = lambda request: (200, {"Content-Length": str(1 << 40)}, b"x" * (1 << 20))
    happens(controllers[0], "EMERGENCY_CALL")
    position = witness.changes(1)[0]["position"]
    wait_until("it was delivered", lambda: web.webhook("brigade")["waiting"] == 0)
    assert len([r for r in receiver.requests if r.data.get("position") == position]) == 1


def test_plain_http_to_this_machine_where_it_is_allowed(web):
    receiver = Receiver()
    add(web, "brigade", receiver)
    refused = run(web.world.build / "gatehouse-web", "-t", "-c", web.config, check=False)
    assert refused.returncode == 2 and "webhook.loopback_http" in refused.stderr
    web.configure({"webhook.loopback_http": "true"})
    web.start()
    receiver.wait_snapshot()
    receiver.close()


# ---- The operator -----------------------------------------------------------------------


def test_a_test_is_sent_and_what_came_back_is_shown(web, receiver):
    secret = add(web, "brigade", receiver)
    web.start()
    receiver.wait_snapshot()
    receiver.answer = lambda request: (200, {}, b"thank\x1b[31m you")
    done = web.world.ctl("web", "webhook-test", "brigade", "--web", web.config)
    assert "answered 200" in done.stdout and "thank" in done.stdout
    assert "\x1b" not in done.stdout
    assert receiver.taken[-1].kind == "test" and receiver.taken[-1].is_signed_by(secret)
    receiver.answer = lambda request: 500
    refused = web.world.ctl("web", "webhook-test", "brigade", "--web", web.config, check=False)
    assert refused.returncode == 1 and "answered 500" in refused.stdout
    nobody = web.world.ctl("web", "webhook-test", "nobody", "--web", web.config, check=False)
    assert nobody.returncode == 1 and "no webhook of that name" in nobody.stderr


MISTAKES = {
    "not_https": ({"url": "http://alarms.example/"}, "https://"),
    "another_protocol": ({"url": "ftp://alarms.example/"}, "https://"),
    "a_password_in_it": ({"url": "https://user:word@alarms.example/"}, "without a user"),
    "no_such_station": ({"station": "nowhere"}, "no console is enrolled"),
    "no_such_kind": ({"kinds": "door.forced,door.flies"}, "door.flies"),
    "a_kind_without_alarm": ({"kinds": "access.granted"}, "access.granted"),
    "no_such_severity": ({"severity_min": "dreadful"}, "critical"),
    "a_bad_name": ({"name": "a.b"}, "letters, digits"),
    "no_secret": ({"secret_file": "/dev/null"}, "secret"),
    "no_authority": ({"ca_file": "/nonexistent/ca.pem"}, "/nonexistent/ca.pem"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(web, name):
    keys, word = MISTAKES[name]
    web.add_webhook(**{"name": "brigade", "url": "https://alarms.example/", "station": "north",
                       **keys})
    done = run(web.world.build / "gatehouse-web", "-t", "-c", web.config, check=False)
    assert done.returncode == 2 and word in done.stderr, done.stderr
    assert "webhooks[1]" in done.stderr and "word@" not in done.stderr


def test_a_secret_that_others_may_read_is_refused(web):
    web.add_webhook("brigade", url="https://alarms.example/", station="north")
    assert run(web.world.build / "gatehouse-web", "-t", "-c", web.config).returncode == 0
    (web.home / "brigade.secret").chmod(0o644)
    done = run(web.world.build / "gatehouse-web", "-t", "-c", web.config, check=False)
    assert done.returncode == 2 and "others must not read it" in done.stderr


def test_two_programs_do_not_share_a_folder(web, receiver, town, first):
    add(web, "brigade", receiver)
    web.start()
    other = Web(town, QUICK, beside=first)
    add(other, "brigade", receiver)
    other.configure({"state.dir": web.home / "state"})
    done = run(town.build / "gatehouse-web", "-c", other.config, check=False)
    assert done.returncode == 1 and "another gatehouse-web" in done.stderr
