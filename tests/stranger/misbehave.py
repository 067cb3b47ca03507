# SPDX-License-Identifier: Apache-2.0
"""Clients that do one thing wrong, and what they saw of the server's answer.

    outcome = run("gap", enrolment)

Each function below has its name in MISBEHAVIOURS, and its docstring says what
the contract lets one expect.  None of them decides whether the answer was right:
that is for the tests.
"""

import dataclasses

from stranger.client import Console, Controller
from stranger.wire import (FRAME_BEFORE_WELCOME_BYTES, TIMEOUT_S, Closed, Refused, TimedOut, frame,
                           now_us, pb, varint)

KIND = "KIND_DOOR_OPENED"
MISBEHAVIOURS = {}


@dataclasses.dataclass
class Outcome:
    """`ended`: "open" when the connection still stood, else how it ended (see Closed)."""
    ended: str = "open"
    goaway: str = ""    # name of the reason
    detail: str = ""
    acked: int = 0
    rejects: list = dataclasses.field(default_factory=list)  # [seq, name of the reason, detail]
    resends: list = dataclasses.field(default_factory=list)  # from_seq of each


def misbehaviour(function):
    MISBEHAVIOURS[function.__name__] = function
    return function


def run(name, enrolment, timeout=TIMEOUT_S):
    return MISBEHAVIOURS[name](enrolment, timeout)


def greeted(enrolment, timeout, **how):
    controller = Controller(enrolment, timeout=timeout, **how)
    controller.hello()
    controller.answer_resend = False
    return controller


def observe(client, until, timeout):
    """Reads on until the condition holds, the server ends it, or the time is over."""
    outcome = Outcome()
    deadline = client.deadline(timeout)
    try:
        while not until():
            client.step(deadline)
    except TimedOut:
        pass
    except Closed as closed:
        outcome.ended = str(closed)
    except Refused as refused:
        outcome.goaway, outcome.detail = refused.reason, refused.goaway.detail
        outcome.ended = end_after_goaway(client, deadline)
    if isinstance(client, Controller):
        outcome.acked = client.acked
        outcome.rejects = [[r.seq, pb.RejectReason.Name(r.reason), r.detail]
                           for r in client.rejects]
        outcome.resends = list(client.resends)
    client.close()
    return outcome


def end_after_goaway(client, deadline):
    """A server that says Goaway also closes."""
    try:
        while True:
            client.receive_bytes(deadline)
    except TimedOut:
        return "open"
    except Closed as closed:
        return str(closed)


def never():
    return False


def after_bytes(enrolment, timeout, data, before=Controller):
    """Sends bytes that are no frames of ours as the first ones."""
    client = before(enrolment, timeout=timeout)
    try:
        client.send_bytes(data)
    except Closed:
        pass  # already closed on us: reading tells how
    return observe(client, never, timeout)


def refused_connection(enrolment, timeout, **tls):
    """TLS 1.3 lets a client believe in its success until it reads."""
    try:
        client = Controller(enrolment, timeout=timeout, **tls)
    except Closed as closed:
        return Outcome(ended=str(closed))
    try:
        client.hello()
    except Refused as refused:
        client.close()
        return Outcome(ended="end", goaway=refused.reason, detail=refused.goaway.detail)
    except Closed as closed:
        return Outcome(ended=str(closed))
    client.close()
    return Outcome()


# ---- Before there are frames --------------------------------------------------


@misbehaviour
def wrong_alpn(enrolment, timeout):
    """Another protocol: the handshake fails."""
    return refused_connection(enrolment, timeout, alpn=("http/1.1",))


@misbehaviour
def no_alpn(enrolment, timeout):
    """No protocol named: closed."""
    return refused_connection(enrolment, timeout, alpn=())


@misbehaviour
def tls12(enrolment, timeout):
    """An old TLS: the handshake fails."""
    return refused_connection(enrolment, timeout, tls12=True)


@misbehaviour
def no_certificate(enrolment, timeout):
    """Nobody: the handshake fails."""
    return refused_connection(enrolment, timeout, certificate=False)


# ---- What is no frame ---------------------------------------------------------


@misbehaviour
def raw_bytes(enrolment, timeout):
    """HTTP: its first letter announces 71 bytes, which are no message.  BAD_FRAME."""
    request = b"GET /index.html HTTP/1.1\r\nHost: gatehouse\r\nUser-Agent: curl/7.88.1\r\n"
    return after_bytes(enrolment, timeout, request + b"Accept: */*\r\n\r\n")


@misbehaviour
def frame_too_long(enrolment, timeout):
    """Announces one byte more than may be sent before the Welcome.  FRAME_TOO_LONG."""
    return after_bytes(enrolment, timeout, varint(FRAME_BEFORE_WELCOME_BYTES + 1))


@misbehaviour
def frame_too_long_later(enrolment, timeout):
    """Announces one byte more than Welcome.frame_max_bytes.  FRAME_TOO_LONG."""
    controller = greeted(enrolment, timeout)
    controller.send_bytes(varint(controller.welcome.frame_max_bytes + 1))
    return observe(controller, never, timeout)


@misbehaviour
def endless_length(enrolment, timeout):
    """A length whose bytes all say that more follow.  BAD_FRAME."""
    return after_bytes(enrolment, timeout, b"\x80" * 64)


@misbehaviour
def huge_length(enrolment, timeout):
    """Nearly 2^35: must not wrap to something small.  FRAME_TOO_LONG."""
    return after_bytes(enrolment, timeout, b"\xff\xff\xff\xff\x7f")


@misbehaviour
def truncated(enrolment, timeout):
    """Announces 100 bytes, sends 10, and is gone.  Nobody is left to be told."""
    controller = greeted(enrolment, timeout)
    controller.send_bytes(varint(100) + b"\x12" * 10)
    controller.close()
    return Outcome(ended="by us")


@misbehaviour
def empty_frames(enrolment, timeout):
    """Messages with nothing in them: none of the contract's.  BAD_FRAME."""
    return after_bytes(enrolment, timeout, b"\x00" * 16)


# ---- Frames that don't belong there -------------------------------------------


@misbehaviour
def record_before_hello(enrolment, timeout):
    """PROTOCOL."""
    message = pb.FromController(record=pb.Record(seq=1, kind=pb.KIND_DOOR_OPENED, door=1,
                                                 time_us=now_us()))
    return after_bytes(enrolment, timeout, frame(message.SerializeToString()))


@misbehaviour
def second_hello(enrolment, timeout):
    """PROTOCOL: "first, and only once"."""
    controller = greeted(enrolment, timeout)
    controller.send(pb.FromController(hello=pb.Hello(protocol=1)))
    return observe(controller, never, timeout)


@misbehaviour
def wrong_version(enrolment, timeout):
    """VERSION."""
    controller = Controller(enrolment, timeout=timeout)
    controller.send(pb.FromController(hello=pb.Hello(protocol=99)))
    return observe(controller, never, timeout)


@misbehaviour
def stale_epoch(enrolment, timeout):
    """Says an epoch older than one that the server knows.  STALE_EPOCH."""
    controller = greeted(enrolment, timeout)
    old = controller.epoch
    controller.send_record(KIND, door=1)
    controller.wait_ack()
    controller.connect()
    controller.hello(epoch=0)
    controller.send_record(KIND, door=1)
    controller.wait_ack(controller.next_seq - 1)
    controller.connect()
    controller.send(pb.FromController(hello=pb.Hello(protocol=1, epoch=old)))
    return observe(controller, never, timeout)


@misbehaviour
def console_message(enrolment, timeout):
    """A controller that speaks the consoles' half: closed, for whatever that looks like."""
    message = pb.FromConsole(subscribe=pb.Subscribe(severity_min=1))
    return after_bytes(enrolment, timeout, frame(message.SerializeToString()), before=Console)


@misbehaviour
def foreign_door(enrolment, timeout):
    """Claims a door that the register doesn't give to it.  FOREIGN_DOOR."""
    controller = Controller(enrolment, timeout=timeout)
    doors = [pb.Door(number=1, code="somebody-elses-door")]
    controller.send(pb.FromController(hello=pb.Hello(protocol=1, doors=doors)))
    return observe(controller, never, timeout)


# ---- Records that can't be accepted -------------------------------------------


def rejected(enrolment, timeout, **fields):
    """A bad record between two good ones: one Reject, and all three are acknowledged."""
    controller = greeted(enrolment, timeout)
    first = controller.send_record(KIND, door=1)
    fields = {"kind": KIND, "door": 1, **fields}
    controller.send_record(**fields)
    controller.send_record(KIND, door=1)
    return observe(controller, lambda: controller.rejects and controller.acked >= first + 2,
                   timeout)


@misbehaviour
def unknown_door(enrolment, timeout):
    """UNKNOWN_DOOR."""
    return rejected(enrolment, timeout, door=60000)


@misbehaviour
def impossible_time(enrolment, timeout):
    """The year 1970, from a clock that was never set.  IMPOSSIBLE_TIME."""
    return rejected(enrolment, timeout, time_us=1)


@misbehaviour
def missing_reason(enrolment, timeout):
    """BAD_REASON."""
    return rejected(enrolment, timeout, kind="KIND_ACCESS_DENIED")


@misbehaviour
def missing_card(enrolment, timeout):
    """BAD_CARD."""
    return rejected(enrolment, timeout, kind="KIND_CARD_REVOKED")


@misbehaviour
def long_card(enrolment, timeout):
    """BAD_CARD."""
    return rejected(enrolment, timeout, kind="KIND_ACCESS_GRANTED", card=b"\x01" * 33)


@misbehaviour
def long_text(enrolment, timeout):
    """BAD_TEXT."""
    return rejected(enrolment, timeout, raw_code="x" * 33)


@misbehaviour
def forged_kind(enrolment, timeout):
    """NOT_YOURS: only the server says that a controller is lost."""
    return rejected(enrolment, timeout, kind="KIND_COMMS_CONTROLLER_LOST", door=0)


def field(number, value):
    """One field by hand: a number as a varint, bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def hand_encoded(seq, raw_code):
    """A FromController{record}, whose text no protobuf library would write."""
    record = (field(1, seq) + field(2, now_us()) + field(3, pb.KIND_DEVICE_OTHER) + field(5, 1) +
              field(7, raw_code))
    return frame(field(2, record))


def by_hand(enrolment, timeout, raw_code):
    controller = greeted(enrolment, timeout)
    seq = controller.next_seq
    controller.send_bytes(hand_encoded(seq, raw_code))
    return observe(controller, lambda: controller.rejects and controller.acked >= seq, timeout)


@misbehaviour
def bad_utf8(enrolment, timeout):
    """BAD_TEXT."""
    return by_hand(enrolment, timeout, b"E\xff\xfe27")


@misbehaviour
def zero_in_text(enrolment, timeout):
    """BAD_TEXT: valid UTF-8, but PostgreSQL could not store it."""
    return by_hand(enrolment, timeout, b"E\x0027")


# ---- The sequence -------------------------------------------------------------


@misbehaviour
def gap(enrolment, timeout):
    """Leaves one seq out, and doesn't answer the Resend."""
    controller = greeted(enrolment, timeout)
    first = controller.send_record(KIND, door=1)
    controller.send_record(KIND, door=1, seq=first + 2)
    return observe(controller, lambda: controller.resends and controller.acked >= first, timeout)


@misbehaviour
def gap_waited_out(enrolment, timeout):
    """The same, and waits until the server has lost its patience; where that ends the
    connection, comes back with what it has.  In the end the server goes on behind the hole."""
    controller = greeted(enrolment, timeout)
    first = controller.send_record(KIND, door=1)
    last = controller.send_record(KIND, door=1, seq=first + 2)
    deadline = controller.deadline(timeout)
    try:
        while controller.acked < last:
            controller.step(deadline)
    except (Closed, Refused):
        controller.reconnect()
    except TimedOut:
        pass
    return observe(controller, lambda: controller.acked >= last, timeout)


@misbehaviour
def duplicate(enrolment, timeout):
    """Sends each record twice.  Accepted: sending again is what controllers do."""
    controller = greeted(enrolment, timeout)
    first = controller.next_seq
    records = [controller.record(KIND, door=1) for _ in range(3)]
    for record in records + records:
        controller.send(pb.FromController(record=record))
    return observe(controller, lambda: controller.acked >= first + 2, timeout)


@misbehaviour
def over_the_window(enrolment, timeout):
    """Sends ten windows at once.  The server may push back, and must lose none."""
    controller = greeted(enrolment, timeout)
    records = [controller.record(KIND, door=1) for _ in range(10 * controller.welcome.window)]
    try:
        controller.send_bytes(b"".join(frame(pb.FromController(record=r).SerializeToString())
                                       for r in records))
    except (TimedOut, Closed):
        pass
    return observe(controller, lambda: controller.acked >= records[-1].seq, timeout)


# ---- Not reading --------------------------------------------------------------


class Deaf:
    """A greeted controller that asks for answers, and never reads them.

    `ask()` sends heartbeats until the server stops taking them or ends the
    connection; `look()` says without reading whether it is over."""

    def __init__(self, enrolment, timeout=TIMEOUT_S):
        self.controller = greeted(enrolment, timeout, receive_buffer=4096)

    def ask(self, most=2_000_000, patience_s=1.0):
        """Returns how many were sent."""
        message = frame(pb.FromController(heartbeat=pb.Heartbeat()).SerializeToString())
        sent = 0
        while sent < most:
            try:
                self.controller.send_bytes(message * 1000, timeout=patience_s)
            except (TimedOut, Closed):
                break
            sent += 1000
        return sent

    def look(self, timeout):
        return self.controller.has_ended(timeout)

    def close(self):
        self.controller.close()


@misbehaviour
def never_reading(enrolment, timeout):
    """Limits in memory hold: the server pushes back, or says SLOW and closes."""
    deaf = Deaf(enrolment, timeout)
    deaf.ask()
    deaf.look(timeout)
    return observe(deaf.controller, never, timeout)
