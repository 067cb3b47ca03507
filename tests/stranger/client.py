#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A controller and a console of Gatehouse, written from proto/ alone.

This is what docs/integrating.md tells a stranger to write: Python's ssl, and
the code that protoc makes.  It shares nothing with src/, so that where both
understand the contract differently, a test fails.

    client.py controller FOLDER [--records N] [--kind KIND] [--state FILE]
    client.py console FOLDER [--count N] [--from-position P] [--json]
    client.py misbehave FOLDER NAME

FOLDER is an enrolment: ca.pem, certificate.pem, key.pem, client.json.  As a
module: Controller and Console, whose methods block, at most for `timeout`
seconds, then raise TimedOut.  Owner of an object: one thread.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import sys
import time

# also when this file is run as a program
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from stranger.wire import (TIMEOUT_S, Closed, Connection, Enrolment, Refused,  # noqa: E402
                           TimedOut, frame, kind_number, now_us, pb)

PROTOCOL = 1
FIRMWARE = "stranger 1"


# ---- The controller's side ----------------------------------------------------


class Controller(Connection):
    """Keeps each record until an Ack covers it, and sends it again after a new Welcome."""

    def __init__(self, enrolment, **how):
        self.epoch = 0
        self.acked = 0
        self.next_seq = 1
        self.waiting = collections.OrderedDict()  # seq -> Record: sent or not, not acknowledged
        self.sent = 0                             # highest seq sent on this connection
        self.welcome = None
        self.acks, self.rejects, self.resends, self.heartbeat_replies = [], [], [], []
        self.answer_resend = True
        super().__init__(enrolment, **how)

    # -- what a controller does --

    def hello(self, epoch=None, acked_seq=None, doors=None, protocol=PROTOCOL, timeout=None):
        """Opens the conversation; returns the Welcome."""
        epoch = self.epoch if epoch is None else epoch
        doors = self.enrolment.doors if doors is None else doors
        hello = pb.Hello(protocol=protocol, epoch=epoch, clock_us=now_us(), firmware=FIRMWARE,
                         acked_seq=self.acked if acked_seq is None else acked_seq,
                         doors=[pb.Door(number=d["number"], code=d.get("code", ""))
                                for d in doors], list_number=self.list_number())
        self.welcome = None
        self.send(pb.FromController(hello=hello))
        self._step_until(lambda: self.welcome, "Welcome", timeout)
        if epoch == 0:
            # a new sequence: what belonged to the old one is not of it
            self.next_seq = self.welcome.resume_after + 1
            self.acked = self.welcome.resume_after
            self.waiting.clear()
        else:
            self.next_seq = max(self.next_seq, self.welcome.resume_after + 1)
        self.epoch = self.welcome.epoch
        self.sent = self.welcome.resume_after
        self._send_waiting()
        return self.welcome

    def reconnect(self):
        self.connect()
        return self.hello()

    def record(self, kind, seq=None, time_us=None, reason=0, **fields):
        """Builds a record without sending it; by default the next one of the sequence."""
        if isinstance(reason, str):
            reason = pb.Reason.Value(reason)
        record = pb.Record(seq=self.next_seq if seq is None else seq, kind=kind_number(kind),
                           time_us=now_us() if time_us is None else time_us, reason=reason,
                           **fields)
        self.next_seq = max(self.next_seq, record.seq + 1)
        return record

    def send_record(self, kind, timeout=None, **fields):
        """Sends what happened, as soon as the window allows; returns its seq."""
        record = self.record(kind, **fields)
        self.waiting[record.seq] = record
        self._send_waiting()
        self._step_until(lambda: self.sent >= record.seq, "room in the window", timeout)
        return record.seq

    def send_ahead(self, kind, **fields):
        """Sends an alarm before the records that wait; it still has to be sent in its turn."""
        record = self.record(kind, **fields)
        self.waiting[record.seq] = record
        self.send(pb.FromController(ahead=record))
        return record.seq

    def send_again(self, seq):
        """Sends a record that waits, out of its turn."""
        self.send(pb.FromController(record=self.waiting[seq]))

    def send_lost(self, from_seq, to_seq):
        for seq in range(from_seq, to_seq + 1):
            self.waiting.pop(seq, None)
        self.next_seq = max(self.next_seq, to_seq + 1)
        self.send(pb.FromController(lost=pb.Lost(from_seq=from_seq, to_seq=to_seq)))

    def heartbeat(self, timeout=None):
        """Says that nothing happened; returns the server's answer."""
        had = len(self.heartbeat_replies)
        self.send(pb.FromController(heartbeat=pb.Heartbeat(
            clock_us=now_us(), records_waiting=len(self.waiting))))
        self._step_until(lambda: len(self.heartbeat_replies) > had, "HeartbeatReply", timeout)
        return self.heartbeat_replies[-1]

    def wait_ack(self, seq=None, timeout=None):
        """Until this seq, by default all that was sent, is acknowledged."""
        wanted = self.next_seq - 1 if seq is None else seq
        self._step_until(lambda: self.acked >= wanted, f"Ack of {wanted}", timeout)
        return self.acked

    def wait_reject(self, seq=None, timeout=None):
        """Until this seq, by default any, was rejected; returns the Reject."""
        def found():
            return next((r for r in self.rejects if seq is None or r.seq == seq), None)

        self._step_until(found, "Reject", timeout)
        return found()

    def wait_resend(self, timeout=None):
        self._step_until(lambda: self.resends, "Resend", timeout)
        return self.resends[-1]

    # -- what a controller hears --

    def step(self, deadline):
        """Takes in one message; returns its name."""
        message = pb.ToController.FromString(self.receive_bytes(deadline))
        name = message.WhichOneof("message")
        if name == "welcome":
            self.welcome = message.welcome
        elif name == "ack":
            self._on_ack(message.ack.seq)
        elif name == "reject":
            self.rejects.append(message.reject)
        elif name == "resend":
            self._on_resend(message.resend.from_seq)
        elif name == "heartbeat_reply":
            self.heartbeat_replies.append(message.heartbeat_reply)
        elif name == "goaway":
            raise Refused(message.goaway)
        else:
            self.on_list(name, message)
        return name

    # -- a controller without a list of rights; one that has one is in rights.py --

    def list_number(self):
        return 0

    def on_list(self, name, message):
        """ListBegin, ListChange or ListEnd."""

    def _on_ack(self, seq):
        self.acks.append(seq)
        self.acked = max(self.acked, seq)
        while self.waiting and next(iter(self.waiting)) <= seq:
            self.waiting.popitem(last=False)
        self._send_waiting()

    def _on_resend(self, from_seq):
        self.resends.append(from_seq)
        if self.answer_resend:
            self.sent = from_seq - 1
            self._send_waiting()

    def _send_waiting(self):
        """As many as the window allows of those that this connection has not sent, at once."""
        in_flight = sum(1 for seq in self.waiting if seq <= self.sent)
        unsent = [record for seq, record in self.waiting.items() if seq > self.sent]
        records = unsent[:max(0, self.welcome.window - in_flight)]
        if records:
            self.send_bytes(b"".join(frame(pb.FromController(record=r).SerializeToString())
                                     for r in records))
            self.sent = records[-1].seq

    # -- what a controller keeps over a restart --

    def save(self, path):
        records = [r.SerializeToString().hex() for r in self.waiting.values()]
        text = json.dumps({"epoch": self.epoch, "acked": self.acked, "next_seq": self.next_seq,
                           "waiting": records})
        pathlib.Path(path).write_text(text + "\n", encoding="utf-8")

    def restore(self, path):
        said = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        self.epoch, self.acked, self.next_seq = said["epoch"], said["acked"], said["next_seq"]
        for text in said["waiting"]:
            record = pb.Record.FromString(bytes.fromhex(text))
            self.waiting[record.seq] = record


# ---- The console's side -------------------------------------------------------


class Console(Connection):
    """Remembers one number, the position, and knows the alarms that stand."""

    def __init__(self, enrolment, **how):
        self.position = 0
        self.welcome = None
        self.standing = {}   # alarm_id -> Alarm, as it stands
        self.alarms = []     # every change, in order
        self.resyncs = []
        self.snapshots = 0   # how many ended
        self.results = {}    # request_id -> ActionResult
        self._requests = 0
        self._in_snapshot = False
        self._sent_at = time.monotonic()
        super().__init__(enrolment, **how)

    def hello(self, protocol=PROTOCOL, timeout=None):
        self.welcome = None
        self.send(pb.FromConsole(hello=pb.ConsoleHello(protocol=protocol, software=FIRMWARE)))
        self._step_until(lambda: self.welcome, "ConsoleWelcome", timeout)
        return self.welcome

    def subscribe(self, from_position=None, areas=(), kinds=(), severity_min=0, **more):
        """By default from where this console was."""
        self._in_snapshot = False
        self.send(pb.FromConsole(subscribe=pb.Subscribe(
            areas=areas, kinds=[kind_number(kind) for kind in kinds], severity_min=severity_min,
            from_position=self.position if from_position is None else from_position, **more)))

    def ask(self, alarm, verb, **fields):
        """Asks for something to be done with an alarm (or its id); returns the request's id."""
        self._requests += 1
        self.send(pb.FromConsole(action=pb.Action(
            request_id=self._requests, alarm_id=getattr(alarm, "alarm_id", alarm),
            verb=pb.Verb.Value(f"VERB_{verb.upper()}"), **fields)))
        return self._requests

    def act(self, alarm, verb, timeout=None, **fields):
        """... and waits for the answer, which it returns."""
        request = self.ask(alarm, verb, **fields)
        self._step_until(lambda: request in self.results, "ActionResult", timeout)
        return self.results[request]

    def show(self, *alarms):
        """Says that they are on the screen."""
        self.send(pb.FromConsole(shown=pb.Shown(alarms=[pb.ShownAlarm(
            alarm_id=alarm.alarm_id, change=alarm.change, shown_time_us=now_us())
            for alarm in alarms])))

    def wait_snapshot(self, timeout=None):
        """Until all alarms that stand have come; returns them by id."""
        self._step_until(lambda: self.snapshots, "SnapshotEnd", timeout)
        return self.standing

    def wait_alarm(self, wanted=lambda alarm: True, since=0, timeout=None):
        """Until a change for which wanted() is true, from the since-th on; returns it."""
        def found():
            return next((alarm for alarm in self.alarms[since:] if wanted(alarm)), None)

        self._step_until(found, "an alarm", timeout)
        return found()

    def reconnect(self):
        self.connect()
        self.hello()
        self.subscribe()

    def step(self, deadline):
        """Takes in one message; returns its name.  Says that it is there when that is due."""
        message = pb.ToConsole.FromString(self._receive_or_keep_alive(deadline))
        name = message.WhichOneof("message")
        if name == "welcome":
            self.welcome = message.welcome
        elif name == "alarm":
            self._on_alarm(message.alarm)
        elif name == "keep_alive":
            self._move(message.keep_alive.position)
        elif name == "resync":
            self.resyncs.append(message.resync)
            self.standing.clear()
            self._in_snapshot = True
        elif name == "snapshot_end":
            self._in_snapshot = False
            self.snapshots += 1
            # also backwards: the server may have lost its disk
            self.position = message.snapshot_end.position
        elif name == "action_result":
            self.results[message.action_result.request_id] = message.action_result
        elif name == "goaway":
            raise Refused(message.goaway)
        return name

    def send(self, message):
        self._sent_at = time.monotonic()
        super().send(message)

    def _receive_or_keep_alive(self, deadline):
        """Also while much comes in, the server must hear from us now and then."""
        silence_s = self.welcome.keepalive_s / 2 if self.welcome else self.timeout
        while True:
            due = self._sent_at + silence_s
            if time.monotonic() >= due:
                self.send(pb.FromConsole(keep_alive=pb.KeepAlive(clock_us=now_us())))
                continue
            try:
                return self.receive_bytes(min(deadline, due))
            except TimedOut:
                if deadline <= due:
                    raise

    def _on_alarm(self, alarm):
        self.alarms.append(alarm)
        if alarm.state == pb.ALARM_STATE_NORMAL:
            self.standing.pop(alarm.alarm_id, None)
        else:
            self.standing[alarm.alarm_id] = alarm
        self._move(alarm.position)

    def _move(self, position):
        # within a snapshot the alarms come in no order: only its end is a place to go on from
        if not self._in_snapshot:
            self.position = max(self.position, position)


# ---- Command line -------------------------------------------------------------


def run_controller(args):
    with Controller(Enrolment.load(args.folder), timeout=args.timeout) as controller:
        if args.state and os.path.exists(args.state):
            controller.restore(args.state)
        welcome = controller.hello()
        print(f"welcome {welcome.controller} epoch={welcome.epoch}"
              f" resume_after={welcome.resume_after} window={welcome.window}")
        for _ in range(args.records):
            controller.send_record(args.kind, door=args.door, reason=args.reason,
                                   card=bytes.fromhex(args.card))
        print(f"acknowledged up to {controller.wait_ack()}")
        for reject in controller.rejects:
            print(f"rejected {reject.seq} {pb.RejectReason.Name(reject.reason)}: {reject.detail}")
        if args.state:
            controller.save(args.state)


def alarm_text(alarm, as_json):
    if as_json:
        from google.protobuf.json_format import MessageToDict
        return json.dumps(MessageToDict(alarm, preserving_proto_field_name=True))
    kind = pb.Kind.Name(alarm.kind) if alarm.kind in pb.Kind.values() else alarm.kind
    return (f"{alarm.position} {pb.Severity.Name(alarm.severity)} {kind}"
            f" {pb.AlarmState.Name(alarm.state)} {alarm.count}x {alarm.site}"
            f" {alarm.door or alarm.controller} \"{alarm.address}\"")


def run_console(args):
    with Console(Enrolment.load(args.folder), timeout=args.timeout) as console:
        welcome = console.hello()
        print(f"welcome {welcome.console} station={welcome.station}", file=sys.stderr)
        console.subscribe(from_position=args.from_position)
        printed = 0
        while args.count is None or printed < args.count:
            # one that only watches has no deadline: the server's silence ends it, not ours
            console.step(console.deadline(args.timeout if args.count else 365 * 86400))
            for alarm in console.alarms:
                print(alarm_text(alarm, args.json), flush=True)
                printed += 1
            console.alarms.clear()
        print(f"position {console.position}", file=sys.stderr)


def run_misbehave(args):
    from stranger import misbehave
    outcome = misbehave.run(args.name, Enrolment.load(args.folder), args.timeout)
    print(json.dumps(dataclasses.asdict(outcome)))


def parse_args(argv):
    parser = argparse.ArgumentParser(description="A client of Gatehouse, from proto/ alone.")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("controller", help="say hello, send records, wait for the Ack")
    verb.add_argument("folder")
    verb.add_argument("--records", type=int, default=1, metavar="N")
    verb.add_argument("--kind", default="KIND_DOOR_OPENED")
    verb.add_argument("--reason", default="REASON_UNSPECIFIED")
    verb.add_argument("--door", type=int, default=1, metavar="NUMBER")
    verb.add_argument("--card", default="", metavar="HEX")
    verb.add_argument("--state", metavar="FILE", help="epoch and sequence are kept here")
    verb.set_defaults(run=run_controller)

    verb = verbs.add_parser("console", help="subscribe, print each change of an alarm")
    verb.add_argument("folder")
    verb.add_argument("--count", type=int, metavar="N", help="end after so many changes")
    verb.add_argument("--from-position", type=int, default=0, metavar="P")
    verb.add_argument("--json", action="store_true")
    verb.set_defaults(run=run_console)

    verb = verbs.add_parser("misbehave", help="do one thing wrong, print how the server took it")
    verb.add_argument("folder")
    verb.add_argument("name")
    verb.set_defaults(run=run_misbehave)
    return parser.parse_args(argv)


def main(argv):
    args = parse_args(argv)
    try:
        args.run(args)
    except (TimedOut, Closed, Refused, OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
