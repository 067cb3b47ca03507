# SPDX-License-Identifier: Apache-2.0
"""The stranger's clients against a server of a few lines, so that a system test
which fails points at the daemon, and not at its own tools.

That server keeps to the contract's happy path, says BAD_FRAME and FRAME_TOO_LONG
where it must, and is as little Gatehouse's as the clients are.
"""

import json
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from stranger import misbehave  # noqa: E402
from stranger.client import Console, Controller, main  # noqa: E402
from stranger.wire import (ALPN, Closed, Enrolment, Refused, TimedOut, frame, pb,  # noqa: E402
                           take_frame, varint)

BY_HAND = pathlib.Path(__file__).parent / "by_hand.sh"


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def make_certificate(folder, ca, name, usage):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            f"/CN={name}", "-keyout", folder / "key.pem", "-out", folder / "request.pem")
    extensions = folder / "extensions.cnf"
    extensions.write_text(f"extendedKeyUsage={usage}\n"
                          f"subjectAltName=URI:urn:gatehouse:controller:{name}\n")
    openssl("x509", "-req", "-in", folder / "request.pem", "-CA", ca / "ca.pem", "-CAkey",
            ca / "ca.key", "-days", 1, "-extfile", extensions, "-out", folder / "certificate.pem")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=test", "-days", 1, "-keyout", folder / "ca.key", "-out",
            folder / "ca.pem")
    for name, usage in (("server", "serverAuth"), ("ctl-1", "clientAuth")):
        (folder / name).mkdir()
        make_certificate(folder / name, folder, name, usage)
    (folder / "ctl-1" / "ca.pem").write_bytes((folder / "ca.pem").read_bytes())
    return folder


class Server(threading.Thread):
    """Serves one connection after the other with `talk(receive, send)`; see below."""

    def __init__(self, authority, talk, certificate="server"):
        super().__init__(daemon=True)
        self.talk = talk
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(authority / "ca.pem")
        self.context.load_cert_chain(authority / certificate / "certificate.pem",
                                     authority / certificate / "key.pem")
        self.context.set_alpn_protocols([ALPN])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = []  # every message, in order

    def run(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(raw, server_side=True) as stream:
                    self.serve(stream)
            except (OSError, Closed):
                raw.close()

    def serve(self, stream):
        buffer = bytearray()

        def receive(kind=pb.FromController):
            while True:
                payload = take_frame(buffer)
                if payload is not None:
                    message = kind.FromString(payload)
                    self.heard.append(message)
                    return message
                data = stream.recv(65536)
                if not data:
                    raise Closed("end")
                buffer.extend(data)

        def send(message):
            stream.sendall(frame(message.SerializeToString()))

        self.talk(receive, send)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(10)
        assert not self.is_alive()


@pytest.fixture
def serve(authority):
    servers = []

    def start(talk, **how):
        server = Server(authority, talk, **how)
        server.start()
        servers.append(server)
        folder = authority / "ctl-1"
        (folder / "client.json").write_text(json.dumps({
            "name": "ctl-1", "role": "controller", "host": "127.0.0.1", "port": server.port,
            "doors": [{"number": 1, "code": "front"}]}))
        return server, Enrolment.load(folder)

    yield start
    for server in servers:
        server.stop()


def welcome(send, window=64, epoch=7, resume_after=0, **fields):
    send(pb.ToController(welcome=pb.Welcome(epoch=epoch, window=window, controller="ctl-1",
                                            resume_after=resume_after, **fields)))


def acking(receive, send):
    """Says Welcome, and acknowledges each record."""
    receive()
    welcome(send)
    while True:
        message = receive()
        if message.HasField("record"):
            send(pb.ToController(ack=pb.Ack(seq=message.record.seq)))
        elif message.HasField("heartbeat"):
            send(pb.ToController(heartbeat_reply=pb.HeartbeatReply(server_time_us=5)))


# ---- Framing ------------------------------------------------------------------


def test_lengths_are_those_of_the_encoding_guide():
    assert varint(0) == b"\x00"
    assert varint(127) == b"\x7f"
    assert varint(150) == b"\x96\x01"
    assert varint(0xFFFFFFFF) == b"\xff\xff\xff\xff\x0f"


def test_frames_split_anywhere_come_out_whole():
    whole = frame(b"a" * 200) + frame(b"") + frame(b"b")
    for cut in range(len(whole)):
        buffer, out = bytearray(), []
        for part in (whole[:cut], whole[cut:]):
            buffer += part
            while (payload := take_frame(buffer)) is not None:
                out.append(payload)
        assert out == [b"a" * 200, b"", b"b"]


# ---- The controller -----------------------------------------------------------


def test_a_conversation(serve):
    server, enrolment = serve(acking)
    with Controller(enrolment) as controller:
        assert controller.hello().controller == "ctl-1"
        assert controller.send_record("KIND_DOOR_OPENED", door=1) == 1
        assert controller.send_record("KIND_ACCESS_DENIED", door=1, card=b"\x01\x02",
                                      reason="REASON_EXPIRED") == 2
        assert controller.wait_ack() == 2
        assert not controller.waiting
        assert controller.heartbeat().server_time_us == 5
    hello, first, second, _ = server.heard
    assert hello.hello.doors[0].code == "front" and hello.hello.epoch == 0
    assert first.record.kind == pb.KIND_DOOR_OPENED
    assert second.record.reason == pb.REASON_EXPIRED and second.record.card == b"\x01\x02"


def test_the_window_is_kept(serve):
    windows = []

    def talk(receive, send):
        receive()
        welcome(send, window=3)
        for end in (3, 6, 9):
            windows.append([receive().record.seq for _ in range(3)])
            send(pb.ToController(ack=pb.Ack(seq=end)))
        receive()

    _, enrolment = serve(talk)
    with Controller(enrolment) as controller:
        controller.hello()
        for _ in range(9):
            controller.send_record("KIND_DOOR_OPENED", door=1)
        controller.wait_ack()
    assert windows == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_window_that_does_not_open_is_waited_for_in_vain(serve):
    def talk(receive, send):
        receive()
        welcome(send, window=1)
        receive()
        receive()

    _, enrolment = serve(talk)
    with Controller(enrolment) as controller:
        controller.hello()
        controller.send_record("KIND_DOOR_OPENED", door=1)
        with pytest.raises(TimedOut, match="window"):
            controller.send_record("KIND_DOOR_OPENED", door=1, timeout=0.3)
        assert list(controller.waiting) == [1, 2]


def test_what_was_not_acknowledged_is_sent_again(serve):
    connections = []

    def talk(receive, send):
        hello = receive().hello
        connections.append(hello)
        if len(connections) == 1:
            welcome(send)
            receive(), receive()
            send(pb.ToController(ack=pb.Ack(seq=1)))
            receive()
        else:
            welcome(send, resume_after=hello.acked_seq)
            send(pb.ToController(ack=pb.Ack(seq=receive().record.seq)))
            receive()

    server, enrolment = serve(talk)
    with Controller(enrolment) as controller:
        controller.hello()
        controller.send_record("KIND_DOOR_OPENED", door=1)
        controller.send_record("KIND_DOOR_CLOSED", door=1)
        controller.wait_ack(1)
        controller.reconnect()
        assert controller.wait_ack(2) == 2
    assert connections[1].epoch == 7 and connections[1].acked_seq == 1
    assert server.heard[-1].record.kind == pb.KIND_DOOR_CLOSED


def test_rejects_resends_and_goaway(serve):
    def talk(receive, send):
        receive()
        welcome(send)
        receive(), receive()
        send(pb.ToController(resend=pb.Resend(from_seq=2)))
        assert receive().record.seq == 2
        send(pb.ToController(reject=pb.Reject(seq=2, reason=pb.REJECT_REASON_BAD_TEXT)))
        send(pb.ToController(ack=pb.Ack(seq=2)))
        send(pb.ToController(goaway=pb.Goaway(reason=pb.GOAWAY_REASON_RESTART)))

    _, enrolment = serve(talk)
    with Controller(enrolment) as controller:
        controller.hello()
        controller.send_record("KIND_DOOR_OPENED", door=1)
        controller.send_record("KIND_DOOR_CLOSED", door=1)
        assert controller.wait_resend() == 2
        assert controller.wait_reject().reason == pb.REJECT_REASON_BAD_TEXT
        assert controller.wait_ack() == 2
        with pytest.raises(Refused) as refused:
            controller.step(controller.deadline())
        assert refused.value.reason == "GOAWAY_REASON_RESTART"


def test_state_survives(serve, tmp_path):
    _, enrolment = serve(acking)
    with Controller(enrolment) as controller:
        controller.hello()
        controller.send_record("KIND_DOOR_OPENED", door=1)
        controller.wait_ack()
        controller.record("KIND_DOOR_CLOSED", door=1)
        controller.save(tmp_path / "state")
    with Controller(enrolment) as controller:
        controller.restore(tmp_path / "state")
        assert (controller.epoch, controller.acked, controller.next_seq) == (7, 1, 3)


def test_a_server_with_a_controllers_certificate_is_not_believed(serve):
    _, enrolment = serve(acking, certificate="ctl-1")
    with pytest.raises(Closed, match="CERTIFICATE_VERIFY_FAILED"):
        Controller(enrolment)


def test_silence_has_an_end(serve):
    _, enrolment = serve(lambda receive, send: (receive(), receive()))
    with Controller(enrolment) as controller:
        with pytest.raises(TimedOut, match="Welcome"):
            controller.hello(timeout=0.2)


# ---- The console --------------------------------------------------------------


def alarm(position, alarm_id, state=pb.ALARM_STATE_UNACKNOWLEDGED):
    return pb.ToConsole(alarm=pb.Alarm(position=position, alarm_id=alarm_id, state=state,
                                       kind=pb.KIND_DOOR_FORCED))


def test_a_console_follows(serve):
    def talk(receive, send):
        receive(pb.FromConsole)
        send(pb.ToConsole(welcome=pb.ConsoleWelcome(station="n", keepalive_s=60)))
        assert receive(pb.FromConsole).subscribe.from_position == 0
        send(pb.ToConsole(resync=pb.Resync()))
        for message in (alarm(30, 3), alarm(10, 1), alarm(20, 2)):
            send(message)
        send(pb.ToConsole(snapshot_end=pb.SnapshotEnd(position=35)))
        send(alarm(40, 1, pb.ALARM_STATE_NORMAL))
        receive(pb.FromConsole)

    _, enrolment = serve(talk)
    with Console(enrolment) as console:
        assert console.hello().station == "n"
        console.subscribe()
        # a connection lost within the snapshot must not skip what had not come yet
        console.wait_alarm(lambda a: a.alarm_id == 3)
        assert console.position == 0
        assert sorted(console.wait_snapshot()) == [1, 2, 3]
        assert console.position == 35
        console.wait_alarm(lambda a: a.state == pb.ALARM_STATE_NORMAL)
        assert console.position == 40
        assert sorted(console.standing) == [2, 3]


def test_a_console_says_that_it_is_there(serve):
    heard = threading.Event()

    def talk(receive, send):
        receive(pb.FromConsole)
        send(pb.ToConsole(welcome=pb.ConsoleWelcome(keepalive_s=1)))
        assert receive(pb.FromConsole).HasField("keep_alive")
        heard.set()
        send(alarm(1, 1))
        receive(pb.FromConsole)

    _, enrolment = serve(talk)
    with Console(enrolment) as console:
        console.hello()
        console.wait_alarm()
    assert heard.is_set()


# ---- Misbehaviour -------------------------------------------------------------


# Python's server goes on without a common ALPN, so that one is left to the daemon
@pytest.mark.parametrize("name", ["tls12", "no_certificate"])
def test_a_refused_handshake_is_told(serve, name):
    _, enrolment = serve(acking)
    outcome = misbehave.run(name, enrolment, timeout=5)
    assert outcome.ended not in ("open", "")


@pytest.mark.parametrize("name, expected", [
    ("raw_bytes", b"GET /index"),
    ("frame_too_long", b"\x81\x20"),
    ("endless_length", b"\x80" * 64),
    ("huge_length", b"\xff\xff\xff\xff\x7f"),
    ("empty_frames", b"\x00" * 16),
])
def test_first_bytes_are_what_they_should_be(serve, name, expected):
    server, enrolment = serve(None)
    came = []

    def serve_bytes(stream):
        came.append(stream.recv(4096))
        goaway = pb.Goaway(reason=pb.GOAWAY_REASON_BAD_FRAME, detail="x")
        stream.sendall(frame(pb.ToController(goaway=goaway).SerializeToString()))

    server.serve = serve_bytes
    outcome = misbehave.run(name, enrolment, timeout=5)
    assert came[0].startswith(expected)
    assert outcome == misbehave.Outcome(ended="end", goaway="GOAWAY_REASON_BAD_FRAME", detail="x")


def test_text_that_no_library_writes(serve):
    came = []

    def talk(receive, send):
        receive()
        welcome(send)
        try:
            receive()
        except Exception as error:  # protobuf's own, which is the point
            came.append(type(error).__name__)
        send(pb.ToController(reject=pb.Reject(seq=1, reason=pb.REJECT_REASON_BAD_TEXT)))
        send(pb.ToController(ack=pb.Ack(seq=1)))
        receive()

    _, enrolment = serve(talk)
    outcome = misbehave.run("bad_utf8", enrolment, timeout=5)
    assert came == ["DecodeError"]
    assert outcome.rejects == [[1, "REJECT_REASON_BAD_TEXT", ""]] and outcome.acked == 1


def seqs_sent(serve, name, count):
    """What a misbehaviour sends as its first records; it is answered when all are there."""
    seqs = []

    def talk(receive, send):
        receive()
        welcome(send)
        seqs.extend(receive().record.seq for _ in range(count))
        send(pb.ToController(resend=pb.Resend(from_seq=2)))
        send(pb.ToController(ack=pb.Ack(seq=max(seqs))))
        receive()

    _, enrolment = serve(talk)
    outcome = misbehave.run(name, enrolment, timeout=5)
    assert outcome.ended == "open" and outcome.acked == max(seqs)
    return seqs


def test_gap(serve):
    assert seqs_sent(serve, "gap", 2) == [1, 3]


def test_duplicate(serve):
    assert seqs_sent(serve, "duplicate", 6) == [1, 2, 3, 1, 2, 3]


def test_a_deaf_client_stops_a_server_that_writes_on(serve):
    def talk(receive, send):
        receive()
        welcome(send)
        while True:
            receive()
            send(pb.ToController(heartbeat_reply=pb.HeartbeatReply(server_time_us=2 ** 62)))

    _, enrolment = serve(talk)
    deaf = misbehave.Deaf(enrolment, timeout=5)
    try:
        sent = deaf.ask(most=10_000_000, patience_s=0.5)
        # the answers filled the way back, then the questions the way there
        assert 0 < sent < 10_000_000
        assert not deaf.look(0)
    finally:
        deaf.close()


# ---- Command line, and by hand ------------------------------------------------


def test_the_command_line(serve, capsys, tmp_path):
    _, enrolment = serve(acking)
    state = str(tmp_path / "state")
    assert main(["controller", str(enrolment.folder), "--records", "2", "--state", state]) == 0
    assert "acknowledged up to 2" in capsys.readouterr().out


def test_the_command_line_says_why(serve, capsys):
    def talk(receive, send):
        receive()
        send(pb.ToController(goaway=pb.Goaway(reason=pb.GOAWAY_REASON_UNKNOWN, detail="who?")))

    _, enrolment = serve(talk)
    assert main(["controller", str(enrolment.folder)]) == 1
    assert "GOAWAY_REASON_UNKNOWN: who?" in capsys.readouterr().err


def test_the_command_line_misbehaves(serve, capsys):
    _, enrolment = serve(acking)
    assert main(["--timeout", "5", "misbehave", str(enrolment.folder), "duplicate"]) == 0
    assert json.loads(capsys.readouterr().out)["acked"] == 3


def test_by_hand(serve):
    server, enrolment = serve(acking)
    done = subprocess.run([BY_HAND, enrolment.folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "controller: \"ctl-1\"" in done.stdout and "ack {\n  seq: 1\n}" in done.stdout
    assert server.heard[1].record.kind == pb.KIND_DOOR_OPENED
