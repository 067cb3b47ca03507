# SPDX-License-Identifier: Apache-2.0
"""Frames over TLS, and the contract as Python: what both kinds of client share.

Written from proto/ and docs/integrating.md; knows nothing of src/.
"""

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
PROTO = TOP / "proto" / "gatehouse.proto"
ALPN = "gatehouse/1"
TIMEOUT_S = 60
FRAME_BEFORE_WELCOME_BYTES = 4096


class TimedOut(Exception):
    """What was waited for did not come in time."""


class Closed(Exception):
    """The connection ended; the text says how: "end", "reset", or TLS's own words."""


class Refused(Exception):
    """The server said Goaway.  `goaway` is the message, `reason` the reason's name."""

    def __init__(self, goaway):
        self.goaway = goaway
        self.reason = pb.GoawayReason.Name(goaway.reason)
        super().__init__(f"{self.reason}: {goaway.detail}")


def load_contract():
    """Has protoc make gatehouse_pb2.py in a build folder, and imports it from there."""
    folder = TOP / os.environ.get("BUILD", "build") / "stranger"
    made = folder / "gatehouse_pb2.py"
    if not made.exists() or made.stat().st_mtime < PROTO.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        # in a folder of its own, then moved: another process may be at it, too
        with tempfile.TemporaryDirectory(dir=folder) as mine:
            subprocess.run(["protoc", f"--python_out={mine}", f"-I{PROTO.parent}", PROTO.name],
                           check=True)
            os.replace(pathlib.Path(mine) / made.name, made)
    spec = importlib.util.spec_from_file_location("gatehouse_pb2", made)
    module = sys.modules.get(spec.name)
    if module is None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return module


pb = load_contract()


def now_us():
    return time.time_ns() // 1000


def kind_number(kind):
    return pb.Kind.Value(kind) if isinstance(kind, str) else kind


# ---- Framing ------------------------------------------------------------------


def varint(number):
    """Seven bits a byte, lowest first; the high bit says that more follow."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def frame(payload):
    return varint(len(payload)) + payload


def take_frame(buffer):
    """Cuts one message off the front of a bytearray; None while it is not whole."""
    length = 0
    for i in range(min(len(buffer), 5)):
        length |= (buffer[i] & 0x7F) << 7 * i
        if buffer[i] < 0x80:
            begin, end = i + 1, i + 1 + length
            if len(buffer) < end:
                return None
            payload = bytes(buffer[begin:end])
            del buffer[:end]
            return payload
    if len(buffer) >= 5:
        raise Closed("the server announced a length without end")
    return None


# ---- Enrolment and connection -------------------------------------------------


@dataclasses.dataclass
class Enrolment:
    folder: pathlib.Path
    name: str
    role: str
    host: str
    port: int
    doors: list = dataclasses.field(default_factory=list)
    station: str = ""

    @classmethod
    def load(cls, folder):
        folder = pathlib.Path(folder)
        known = {field.name for field in dataclasses.fields(cls)}
        said = json.loads((folder / "client.json").read_text(encoding="utf-8"))
        return cls(folder=folder, **{key: said[key] for key in said if key in known})


def tls_context(enrolment, alpn=(ALPN,), tls12=False, certificate=True):
    """The last three are for clients that do it wrong."""
    # this also demands a certificate made for servers: a controller's won't do
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # the fleet has its own authority, and reaches servers by addresses
    context.check_hostname = False
    context.load_verify_locations(enrolment.folder / "ca.pem")
    if certificate:
        context.load_cert_chain(enrolment.folder / "certificate.pem",
                                enrolment.folder / "key.pem")
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def tls_words(error):
    """"[SSL] tlsv1 alert no application protocol (_ssl.c:992)" without Python's own part."""
    return str(error).partition("] ")[2].partition(" (_ssl")[0] or str(error)


@contextlib.contextmanager
def network_errors():
    """Tells apart what a test wants to tell apart, and no more."""
    try:
        yield
    except TimeoutError as error:
        raise TimedOut(str(error)) from error
    except ssl.SSLError as error:
        raise Closed(error.reason or tls_words(error)) from error
    except OSError as error:
        raise Closed("reset") from error


class Connection:
    """Frames over TLS.  `resume`: comes back by a short handshake.  `tls`: see tls_context()."""

    def __init__(self, enrolment, timeout=TIMEOUT_S, receive_buffer=None, resume=False, **tls):
        self.enrolment = enrolment
        self.timeout = timeout
        self._receive_buffer = receive_buffer
        self._tls = tls
        # a session belongs to its context
        self._context = tls_context(enrolment, **tls) if resume else None
        self._session = None
        self._socket = None
        self._input = bytearray()
        self.connect()

    def connect(self):
        self.close()
        self._input.clear()
        raw = socket.socket(socket.AF_INET6 if ":" in self.enrolment.host else socket.AF_INET)
        raw.settimeout(self.timeout)
        if self._receive_buffer:
            # before connecting, or the window has been promised already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        try:
            with network_errors():
                raw.connect((self.enrolment.host, self.enrolment.port))
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                context = self._context or tls_context(self.enrolment, **self._tls)
                self._socket = context.wrap_socket(raw, session=self._session)
        except BaseException:
            raw.close()
            raise

    def close(self):
        if self._socket is not None:
            if self._context is not None:
                # with TLS 1.3 the server sends it behind its handshake
                self._session = self._socket.session
            self._socket.close()
            self._socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def deadline(self, timeout=None):
        return time.monotonic() + (self.timeout if timeout is None else timeout)

    def send_bytes(self, data, timeout=None):
        if self._socket is None:
            raise Closed("by us")
        with network_errors():
            self._socket.settimeout(self.timeout if timeout is None else timeout)
            self._socket.sendall(data)

    def send(self, message):
        self.send_bytes(frame(message.SerializeToString()))

    def receive_bytes(self, deadline):
        """The next message's bytes."""
        if self._socket is None:
            raise Closed("by us")
        while True:
            payload = take_frame(self._input)
            if payload is not None:
                return payload
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut("no message in time")
            with network_errors():
                self._socket.settimeout(left)
                data = self._socket.recv(65536)
            if not data:
                raise Closed("end")
            self._input += data

    def has_ended(self, timeout):
        """Waits for the server's end of the connection, without reading what came before."""
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        return bool(poll.poll(timeout * 1000))

    def step(self, deadline):
        """Takes in one message; returns its name."""
        raise NotImplementedError

    def _step_until(self, condition, what, timeout):
        deadline = self.deadline(timeout)
        while not condition():
            try:
                self.step(deadline)
            except TimedOut as error:
                raise TimedOut(f"waited for {what}") from error
