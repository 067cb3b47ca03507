# SPDX-License-Identifier: Apache-2.0
"""A registration desk, and a controller that holds a list of rights, from proto/ alone.

Written from the contract and docs/integrating.md; shares nothing with src/.  What the
list says is decided here a second time: time zones by Python's own tables, card keys
by Python's own HMAC.
"""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import json
import zoneinfo

from stranger.client import Controller, kind_number, now_us, pb

HOUR_US = 3600 * 1000000
DAY_US = 24 * HOUR_US


def us(when):
    """A datetime with a time zone, as microseconds."""
    return round(when.timestamp()) * 1000000


# ---- Registration desks -------------------------------------------------------


class Desk(Controller):
    """Speaks the controller's conversation, has no doors, and asks for changes."""

    def hello(self, **how):
        return super().hello(doors=[], **how)

    def ask(self, kind, card, site, time_us=None, **fields):
        """Sends one record; returns its seq."""
        return self.send_record(kind, card=card, site=site, time_us=time_us, **fields)

    def register(self, card, site, kind="CARD_KIND_TENANT", unit="", valid_from=0,
                 valid_until=0, sealed=b""):
        return self.ask("KIND_CARD_REGISTERED", card, site, card_change=pb.CardChange(
            card_kind=pb.CardKind.Value(kind), unit=unit, valid_from_us=valid_from,
            valid_until_us=valid_until, sealed=sealed))

    def extend(self, card, site, valid_until, valid_from=0):
        return self.ask("KIND_CARD_EXTENDED", card, site, card_change=pb.CardChange(
            valid_from_us=valid_from, valid_until_us=valid_until))

    def change(self, verb, card, site):
        """suspended, resumed, revoked or reported_lost."""
        return self.ask(f"KIND_CARD_{verb.upper()}", card, site)

    def grant(self, card, site, doors=(), group="", valid_from=None, valid_until=0, hours=()):
        """`hours`: pairs of minutes of the week."""
        return self.ask("KIND_GRANT_SET", card, site, grant_change=pb.GrantChange(
            doors=doors, group=group, valid_until_us=valid_until,
            valid_from_us=now_us() - HOUR_US if valid_from is None else valid_from,
            hours=[pb.Hours(from_minute=a, to_minute=b) for a, b in hours]))

    def remove(self, card, site, doors=(), group="", valid_from=0):
        return self.ask("KIND_GRANT_REMOVED", card, site, grant_change=pb.GrantChange(
            doors=doors, group=group, valid_from_us=valid_from))

    def outcome(self, seq, timeout=None):
        """Waits for the answer: "" for done, otherwise the reason's short name."""
        self.wait_ack(seq, timeout)
        reject = next((r for r in self.rejects if r.seq == seq), None)
        return reject and pb.RejectReason.Name(reject.reason).removeprefix("REJECT_REASON_")

    def why(self, seq):
        """The words with which it was rejected."""
        return next(r.detail for r in self.rejects if r.seq == seq)


# ---- Controllers with a list --------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Name:
    """What names a right in the list."""
    card_key: bytes
    door: int
    valid_from_us: int


class DoorController(Controller):
    """Decides by its list, also offline; keeps it over a restart.

    `obeys`: "at once" (takes a list into force and confirms), "late" (takes nothing
    into force before confirm_now()), "never" (confirms, and opens for everybody).
    """

    def __init__(self, enrolment, obeys="at once", **how):
        self.rights = {}              # Name -> Right: in force
        self.number = 0               # of what is in force
        self.zone = zoneinfo.ZoneInfo("UTC")
        self.obeys = obeys
        self.lists = []               # (number, full, rights) of every list that came whole
        self._coming = None           # ListBegin of the list that is coming
        self._put, self._removed = [], []
        self.held_back = []               # whole lists that are not in force yet
        said = json.loads((enrolment.folder / "client.json").read_text(encoding="utf-8"))
        self._key = base64.b64decode(said["card_key_site"])
        super().__init__(enrolment, **how)

    # -- the list --

    def list_number(self):
        return self.number

    def on_list(self, name, message):
        if name == "list_begin":
            assert self._coming is None, "a list began within another"
            self._coming, self._put, self._removed = message.list_begin, [], []
        elif name == "list_change":
            self._put += message.list_change.put
            self._removed += message.list_change.remove
        elif name == "list_end":
            assert message.list_end.number == self._coming.number
            assert len(self._put) == self._coming.rights, "ListBegin.rights is not what came"
            whole = (self._coming, self._put, self._removed)
            self._coming = None
            self.lists.append((whole[0].number, whole[0].full, len(whole[1])))
            if self.obeys == "late":
                self.held_back.append(whole)
            else:
                self._take_into_force(*whole)

    def connect(self):
        # what broke off is forgotten, and comes again
        self._coming = None
        self.held_back = []
        super().connect()

    def confirm_now(self):
        """A late controller: takes into force what came so far."""
        for whole in self.held_back:
            self._take_into_force(*whole)
        self.held_back = []

    def wait_list(self, condition=lambda self: True, timeout=None):
        """Until a list came whole after which the condition holds."""
        self._step_until(lambda: self.lists and condition(self), "a list", timeout)

    def wait_number(self, number, timeout=None):
        self._step_until(lambda: self.number >= number, f"list {number}", timeout)

    def _take_into_force(self, begin, put, removed):
        if begin.full:
            self.rights = {}
        for ref in removed:
            self.rights.pop(Name(ref.card_key, ref.door, ref.valid_from_us), None)
        for right in put:
            self.rights[Name(right.card_key, right.door, right.valid_from_us)] = right
        if begin.timezone:
            self.zone = zoneinfo.ZoneInfo(begin.timezone)
        self.number = begin.number
        self.send(pb.FromController(confirm=pb.ListConfirm(number=self.number)))

    # -- the door --

    def card_key(self, card):
        return hmac.new(self._key, card, hashlib.sha256).digest()[:16]

    def holds(self, card, door=1):
        """The rights of the card at the door that are in force here."""
        key = self.card_key(card)
        return [r for n, r in self.rights.items() if n.card_key == key and n.door == door]

    def promised(self, card):
        """A late controller: a right of the card came, and is not in force."""
        key = self.card_key(card)
        return any(right.card_key == key for _, put, _ in self.held_back for right in put)

    def opens(self, card, door=1, at_us=None):
        """What this controller decides: by the list, and by nothing else."""
        at_us = now_us() if at_us is None else at_us
        if self.obeys == "never":
            return True
        return any(self._right_opens(right, at_us) for right in self.holds(card, door))

    def _right_opens(self, right, at_us):
        if not right.active or at_us < max(right.valid_from_us, right.not_before_us):
            return False
        if right.valid_until_us and at_us >= right.valid_until_us:
            return False
        local = datetime.datetime.fromtimestamp(at_us / 1e6, self.zone)
        minute = local.weekday() * 1440 + local.hour * 60 + local.minute
        return not right.hours or any(h.from_minute <= minute < h.to_minute for h in right.hours)

    def present(self, card, door=1, at_us=None, opens=None):
        """Somebody holds the card to the reader; returns whether it opened."""
        opens = self.opens(card, door, at_us) if opens is None else opens
        how = {"kind": "KIND_ACCESS_GRANTED"} if opens else {
            "kind": "KIND_ACCESS_DENIED", "reason": "REASON_NO_RIGHT_HERE"}
        self.send_record(how.pop("kind"), door=door, card=card, time_us=at_us,
                         list_number=self.number, **how)
        return opens


__all__ = ["DAY_US", "HOUR_US", "Desk", "DoorController", "Name", "kind_number", "now_us", "pb",
           "us"]
