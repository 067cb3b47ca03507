# SPDX-License-Identifier: Apache-2.0
"""Cards and rights from the desk to the door, as life has it.

Desks and controllers are strangers (tests/stranger/rights.py).  Guarded here: a change
is in force at the doors when its order says so, and not by some time; a record that is
sent again, or whose acknowledgement was lost, changes nothing; what a desk may not do is
refused by name and leaves nothing behind; what a door did is held against what stood
then, and whether it could have known is told; none of it needs PostgreSQL.
"""

import datetime
import itertools
import json

import pytest
from harness.clock import FakeClock, why_not
from harness.estate import RightsEstate
from harness.world import wait_until
from stranger.client import Console
from stranger.rights import DAY_US, HOUR_US, Desk, DoorController, now_us, pb, us
from stranger.wire import Enrolment

SITE, OTHER = "north-001", "east-001"
STATIONS = ("north", "east")
CONTROLLERS = 60
_cards = itertools.count(1)
_controllers = itertools.count()


def new_card():
    return b"CARD-%08d" % next(_cards)


@pytest.fixture(scope="module")
def town(make_world):
    """Two sites, with controllers in turn; each test has a controller of its own."""
    world = make_world(controllers=CONTROLLERS, stations=STATIONS, kind=RightsEstate,
                       per_site=CONTROLLERS)
    world.start()
    return world


@pytest.fixture
def index():
    """Of a controller at SITE that no other test uses."""
    return next(_controllers) * len(STATIONS) % CONTROLLERS


def open_desk(world, name="office", **how):
    desk = Desk(Enrolment.load(world.offices / name), **how)
    desk.hello()
    return desk


@pytest.fixture
def office(town):
    with open_desk(town) as desk:
        yield desk


def open_controller(world, index, **how):
    controller = DoorController(Enrolment.load(world.fleet / world.estate.controllers[index]),
                                **how)
    controller.hello()
    return controller


@pytest.fixture
def door(town, index):
    with open_controller(town, index) as controller:
        yield controller


def code_of(town, index):
    return town.estate.doors(index)[0]


def give(desk, card, doors, site=SITE, **grant):
    """A card of staff that opens these doors."""
    assert desk.outcome(desk.register(card, site, kind="CARD_KIND_STAFF")) is None
    assert desk.outcome(desk.grant(card, site, doors=doors, **grant)) is None


def alarms_of(world, controller, kind):
    """Details of the server's records of this kind about the controller, oldest first."""
    world.wait_stored()
    return [json.loads(detail) for detail, in world.sql(
        "select r.detail from gatehouse.records r join gatehouse.controllers c"
        f" using (controller_id) where c.name = '{controller.enrolment.name}' and r.kind = {kind}"
        " order by r.position")]


def divergences(world, controller):
    return alarms_of(world, controller, pb.KIND_POLICY_DIVERGENCE)


def judged(world):
    return world.status()["rights"]["judged_total"]


# ---- Down to the doors ----------------------------------------------------------


def test_what_a_desk_grants_opens_and_what_it_revokes_does_not(town, office, door, index):
    card = new_card()
    give(office, card, [code_of(town, index)])
    door.wait_list(lambda d: d.holds(card))
    assert door.opens(card) and not door.opens(new_card())
    before = door.number
    assert office.outcome(office.change("revoked", card, SITE)) is None
    door.wait_list(lambda d: not d.holds(card))
    assert door.number > before
    assert not door.opens(card)


def test_suspended_and_lost_cards_stay_in_the_list_and_open_nothing(town, office, door, index):
    card = new_card()
    give(office, card, [code_of(town, index)])
    for away, back in (("suspended", "resumed"), ("reported_lost", "resumed")):
        assert office.outcome(office.change(away, card, SITE)) is None
        door.wait_list(lambda d: d.holds(card) and not d.opens(card))
        assert office.outcome(office.change(back, card, SITE)) is None
        door.wait_list(lambda d: d.opens(card))


def test_a_revocation_is_the_first_thing_after_the_welcome(town, office, door, index):
    card, other = new_card(), new_card()
    give(office, card, [code_of(town, index)])
    give(office, other, [code_of(town, index)])
    door.wait_list(lambda d: d.holds(card) and d.holds(other))
    door.close()
    assert office.outcome(office.change("revoked", card, SITE)) is None
    # offline it decides by what it has
    assert door.opens(card)
    had = len(door.lists)
    door.reconnect()
    door.wait_list(lambda d: len(d.lists) > had)
    number, full, rights = door.lists[had]
    # only what it lacked came, and that is in force
    assert (full, rights) == (False, 0) and number == door.number
    assert not door.opens(card) and door.opens(other)


def test_a_controller_without_a_list_gets_the_whole_one(town, office, index):
    card = new_card()
    give(office, card, [code_of(town, index)])
    with open_controller(town, index) as first:
        first.wait_list(lambda d: d.holds(card))
        assert first.lists[0][1]
    with open_controller(town, index) as again:
        again.wait_list(lambda d: d.holds(card))
        assert again.lists[0][1] and again.rights == first.rights


def test_a_card_extended_while_its_controller_is_offline(town, office, door, index):
    card, code = new_card(), code_of(town, index)
    begin, end = now_us() - HOUR_US, now_us() + HOUR_US
    give(office, card, [code], valid_from=begin, valid_until=end)
    door.wait_list(lambda d: d.holds(card))
    assert door.opens(card, at_us=end - 1) and not door.opens(card, at_us=end)
    door.close()
    longer = end + DAY_US
    assert office.outcome(office.grant(card, SITE, [code], valid_from=begin,
                                       valid_until=longer)) is None
    door.reconnect()
    door.wait_list(lambda d: d.opens(card, at_us=end))
    assert not door.opens(card, at_us=longer)
    # extended, not doubled
    assert len(door.holds(card)) == 1


def test_a_card_registered_at_two_sites_is_two_cards(town, office, index):
    card = new_card()
    here, there = index, index + 1
    with open_controller(town, here) as door, open_controller(town, there) as far:
        give(office, card, [code_of(town, here)])
        give(office, card, [code_of(town, there)], site=OTHER)
        door.wait_list(lambda d: d.opens(card))
        far.wait_list(lambda d: d.opens(card))
        assert door.card_key(card) != far.card_key(card)
        assert office.outcome(office.change("revoked", card, SITE)) is None
        door.wait_list(lambda d: not d.opens(card))
        assert office.outcome(office.change("revoked", card, OTHER)) is None
        # until its own revocation came, the other site's card opened
        assert far.opens(card)
        far.wait_list(lambda d: not d.opens(card))


def test_a_late_controller_is_behind_until_it_confirms(town, office, index):
    card = new_card()
    with open_controller(town, index, obeys="late") as late:
        give(office, card, [code_of(town, index)])
        late.wait_list(lambda d: d.promised(card))
        assert not late.opens(card)
        town.wait_status("it is behind", lambda s: s["rights"]["behind"] >= 1)
        late.confirm_now()
        late.heartbeat()
        assert late.opens(card)


# ---- Records again and again ---------------------------------------------------------


def rows_of(town, seq):
    town.wait_stored()
    return town.value("select count(*) from gatehouse.records r join gatehouse.desks d"
                      " on d.desk_id = r.controller_id where d.name = 'office'"
                      f" and r.epoch = (select max(epoch) from gatehouse.records x"
                      f" where x.controller_id = d.desk_id) and r.seq = {seq}")


def test_the_same_registration_sent_three_times(town, office):
    card = new_card()
    seq = office.register(card, SITE, kind="CARD_KIND_STAFF")
    for _ in range(2):
        office.send_again(seq)
    assert office.outcome(seq) is None
    office.heartbeat()
    assert office.rejects == []
    assert rows_of(town, seq) == 1
    # under a number of its own it is another registration, of a card that is there
    assert office.outcome(office.register(card, SITE, kind="CARD_KIND_STAFF")) == "CARD_EXISTS"


def test_a_desk_that_goes_between_durable_and_acknowledgement(town, office):
    before = town.status()["rights"]["changes_total"]
    card = new_card()
    seq = office.register(card, SITE, kind="CARD_KIND_STAFF")
    # the ack is somewhere on the way, and nobody reads it
    wait_until("the change is made",
               lambda: town.status()["rights"]["changes_total"] > before)
    town.wait_status("and durable",
                     lambda s: s["positions"]["durable"] == s["positions"]["appended"])
    assert office.acked < seq
    office.close()
    welcome = office.reconnect()
    assert welcome.resume_after >= seq
    # it is told at once, without sending it again
    assert office.outcome(seq) is None
    assert rows_of(town, seq) == 1


# ---- Whose it is -----------------------------------------------------------------------


@pytest.fixture
def landlord(town):
    """Of unit u1: the door of the first controller of SITE."""
    with open_desk(town, f"owner-{SITE}-u1") as desk:
        yield desk


def test_a_landlord_and_its_own_unit(town, landlord):
    card, code = new_card(), code_of(town, 0)
    assert landlord.outcome(landlord.register(card, SITE, unit="u1")) is None
    assert landlord.outcome(landlord.grant(card, SITE, [code])) is None
    assert landlord.outcome(landlord.change("revoked", card, SITE)) is None


def test_a_landlord_trying_anothers(town, landlord, office):
    card, foreign = new_card(), new_card()
    own, others = code_of(town, 0), code_of(town, 2)
    assert landlord.outcome(landlord.register(card, SITE, unit="u2")) == "NOT_YOUR_UNIT"
    seq = landlord.register(card, SITE, unit="u1", kind="CARD_KIND_STAFF")
    assert landlord.outcome(seq) == "RULE"
    assert "landlord" in landlord.why(seq)
    assert landlord.outcome(landlord.register(card, OTHER, unit="u1")) == "FOREIGN_SITE"
    assert landlord.outcome(landlord.register(card, SITE, unit="u9")) in (
        "UNKNOWN_UNIT", "NOT_YOUR_UNIT")
    assert landlord.outcome(landlord.register(card, SITE, unit="u1")) is None
    # one door of two is not its own: neither is granted
    seq = landlord.grant(card, SITE, [own, others])
    assert landlord.outcome(seq) is not None
    assert own not in landlord.why(seq) or others in landlord.why(seq)
    # another's card
    assert office.outcome(office.register(foreign, SITE, unit="u2")) is None
    assert landlord.outcome(landlord.change("revoked", foreign, SITE)) == "NOT_YOUR_UNIT"
    assert landlord.outcome(landlord.grant(foreign, SITE, [own])) == "NOT_YOUR_UNIT"
    town.wait_stored()
    assert town.value("select count(*) from gatehouse.grants where granted_by = "
                      f"'owner-{SITE}-u1' and door_id in (select door_id from gatehouse.doors"
                      f" where code = '{others}')") == 0


@pytest.mark.parametrize("what, reason", [
    ("unknown card", "UNKNOWN_CARD"), ("window that ends before it begins", "BAD_WINDOW"),
    ("hours of another week", "BAD_WINDOW"), ("overlap", "OVERLAP"),
    ("door of another site", "FOREIGN_SITE"), ("revoked card", "CARD_ENDED")])
def test_mistakes_are_refused_by_name_and_leave_nothing(town, office, index, what, reason):
    card, code = new_card(), code_of(town, index)
    begin = now_us()
    if what == "unknown card":
        seq = office.grant(card, SITE, [code])
    else:
        give(office, card, [code], valid_from=begin, valid_until=begin + DAY_US)
        if what == "revoked card":
            assert office.outcome(office.change("revoked", card, SITE)) is None
        seq = {
            "window that ends before it begins": lambda: office.grant(
                card, SITE, [code], valid_from=begin + DAY_US, valid_until=begin + DAY_US),
            "hours of another week": lambda: office.grant(card, SITE, [code],
                                                          hours=[(10080, 10081)]),
            "overlap": lambda: office.grant(card, SITE, [code], valid_from=begin + HOUR_US),
            "door of another site": lambda: office.grant(
                card, SITE, [code, code_of(town, index + 1)], valid_from=begin + 2 * DAY_US),
            "revoked card": lambda: office.change("resumed", card, SITE),
        }[what]()
    assert office.outcome(seq) == reason
    assert office.why(seq)
    town.wait_stored()
    assert town.value("select count(*) from gatehouse.quarantine q join gatehouse.desks d on"
                      f" d.desk_id = q.controller_id where q.epoch = {office.epoch}"
                      f" and q.seq = {seq}") == 1
    fence = new_card()
    give(office, fence, [code])
    with open_controller(town, index) as door:
        door.wait_list(lambda d: d.holds(fence))
        held = 0 if what in ("unknown card", "revoked card") else 1
        assert len(door.holds(card)) == held


# ---- What the doors did ------------------------------------------------------------------


def test_admitting_whom_the_register_does_not_know_diverges(town, office, door, index):
    known = new_card()
    give(office, known, [code_of(town, index)])
    door.wait_list(lambda d: d.opens(known))
    door.heartbeat()
    door.present(new_card(), opens=True)
    door.wait_ack()
    found = wait_until("the divergence is stored", lambda: divergences(town, door))
    assert found[-1]["why"] == "unknown_card"
    assert found[-1]["confirmed"] is True


def test_it_is_told_whether_the_controller_could_have_known(town, office, index):
    card = new_card()
    with open_controller(town, index, obeys="late") as late:
        give(office, card, [code_of(town, index)])
        late.wait_list(lambda d: d.promised(card))
        late.confirm_now()
        late.heartbeat()
        assert office.outcome(office.change("revoked", card, SITE)) is None
        # it has the revocation, and not in force: it admits by the list that it has
        late.wait_list(lambda d: d.held_back)
        assert late.present(card)
        late.wait_ack()
        first = wait_until("the first divergence", lambda: divergences(town, late))
        assert (first[-1]["why"], first[-1]["confirmed"]) == ("revoked", False)
        late.confirm_now()
        late.heartbeat()
        late.present(card, opens=True)
        late.wait_ack()
        both = wait_until("the second one", lambda: (
            lambda found: found if len(found) > len(first) else None)(divergences(town, late)))
        assert (both[-1]["why"], both[-1]["confirmed"]) == ("revoked", True)


def test_a_revoked_card_that_is_presented_and_refused(town, office, door, index):
    card = new_card()
    give(office, card, [code_of(town, index)])
    door.wait_list(lambda d: d.opens(card))
    assert office.outcome(office.change("revoked", card, SITE)) is None
    door.wait_list(lambda d: not d.opens(card))
    assert not door.present(card)
    door.wait_ack()
    assert wait_until("it is noticed", lambda: alarms_of(town, door,
                                                         pb.KIND_CARD_REVOKED_PRESENTED))
    assert divergences(town, door) == []


def test_what_was_right_then_is_no_divergence(town, office, door, index):
    """Offline, admitted, then revoked: the record comes after the revocation."""
    card = new_card()
    give(office, card, [code_of(town, index)])
    door.wait_list(lambda d: d.opens(card))
    when = now_us()
    before = judged(town)
    assert office.outcome(office.change("revoked", card, SITE)) is None
    door.wait_list(lambda d: not d.opens(card))
    door.present(card, opens=True, at_us=when)
    door.wait_ack()
    wait_until("it was judged", lambda: judged(town) > before)
    assert divergences(town, door) == []


def test_a_controller_whose_clock_is_off_is_judged_at_receipt(town, office, door, index):
    """By its clock the window is over; it is not."""
    card = new_card()
    give(office, card, [code_of(town, index)], valid_from=now_us() - HOUR_US,
         valid_until=now_us() + DAY_US)
    door.wait_list(lambda d: d.opens(card))
    before = judged(town)
    door.present(card, opens=True, at_us=now_us() + 3 * DAY_US)
    door.wait_ack()
    wait_until("it was judged", lambda: judged(town) > before)
    assert divergences(town, door) == []


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_the_night_on_which_a_window_ends_and_clocks_go_back(make_world, tmp_path):
    """2026-10-25: Berlin has 02:00 to 03:00 twice.  The window ends at the first 02:30, and the
    hours open from 01:00 to 02:15 in the site's time: in the second 02:00 hour, too."""
    clock = FakeClock(tmp_path)
    night = datetime.datetime(2026, 10, 25, tzinfo=datetime.timezone.utc)
    clock.step_to(night - datetime.timedelta(hours=6))
    world = make_world(controllers=2, stations=("north",), kind=RightsEstate,
                       prefix=clock.prefix)
    world.start()
    first_0230 = us(night) + 30 * 60 * 1000000  # 00:30 UTC
    code, ends, hours = code_of(world, 0), new_card(), new_card()
    day = 6 * 1440
    with open_desk(world) as office, open_controller(world, 0) as door:
        give(office, ends, [code], valid_from=us(night) - DAY_US, valid_until=first_0230)
        give(office, hours, [code], valid_from=us(night) - DAY_US,
             hours=[(day + 60, day + 135)])
        door.wait_list(lambda d: d.holds(ends) and d.holds(hours))
        minute = 60 * 1000000
        assert door.opens(ends, at_us=first_0230 - minute)
        assert not door.opens(ends, at_us=first_0230 + minute)
        for minutes, expected in ((-31, True), (-16, True), (0, False), (31, True), (46, False)):
            assert door.opens(hours, at_us=first_0230 + minutes * minute) == expected
        # the server's view of the same night, when it is over
        clock.step_to(night + datetime.timedelta(hours=3))
        for card, minutes in ((ends, -1), (hours, -31), (hours, 31)):
            door.present(card, opens=True, at_us=first_0230 + minutes * minute)
        door.wait_ack()
        wait_until("they were judged", lambda: judged(world) >= 3)
        assert divergences(world, door) == []
        for card, minutes in ((ends, 1), (hours, 0), (hours, 46)):
            door.present(card, opens=True, at_us=first_0230 + minutes * minute)
        door.wait_ack()
        wait_until("they were judged", lambda: judged(world) >= 6)
        assert [d["why"] for d in divergences(world, door)] == [
            "expired", "outside_hours", "outside_hours"]
    world.end()


# ---- Without PostgreSQL ---------------------------------------------------------------------


def test_postgresql_is_down_all_the_while_and_at_the_start(make_world, postgres):
    world = make_world(controllers=2, stations=("north",), kind=RightsEstate)
    world.start()
    known, new = new_card(), new_card()
    code = code_of(world, 0)
    with open_desk(world) as office:
        give(office, known, [code])
    world.wait_stored()
    postgres.stop()
    try:
        with open_desk(world) as office, open_controller(world, 0) as door:
            give(office, new, [code])
            door.wait_list(lambda d: d.opens(new) and d.opens(known))
            assert office.outcome(office.change("revoked", known, SITE)) is None
            door.wait_list(lambda d: not d.opens(known))
        # and it starts, with what it knew
        world.stop()
        world.start(wait_for_store=False)
        rights = world.status()["rights"]
        assert rights["ready"] and rights["cards"] == 2
        with open_controller(world, 0) as door:
            door.wait_list(lambda d: d.opens(new) and not d.holds(known))
        with open_desk(world) as office:
            assert office.outcome(office.change("suspended", new, SITE)) is None
    finally:
        postgres.start()
    world.wait_stored()
    assert sorted(status for status, in world.sql("select status from gatehouse.cards")) == [
        "revoked", "suspended"]
    world.end()


def test_killed_while_cards_are_registered_and_rights_travel(make_world):
    """The ledger covers desks and lists: what each controller holds is what the register says."""
    world = make_world(controllers=8, stations=STATIONS, kind=RightsEstate)
    world.start()
    sim = world.sim("--rate", 200, "--alarms", 5, "--desk-dir", world.managers,
                    "--registrations", 300, "--by-list", "--late", 2, "--duration", 3600,
                    "--drain", "--console-dir", world.desks)
    for _ in range(3):
        before = world.status()["rights"]["changes_total"]
        wait_until("changes come", lambda: world.status()["rights"]["changes_total"] > before)
        world.kill()
        world.start(wait_for_store=False)
    world.end_load(sim)
    world.wait_stored()
    figures = world.assert_ledger_holds()
    assert figures["lists"]["controllers"] == 4  # those of the site that the manager begins with
    assert figures["lists"]["rights"] > 0
    world.end()


# ---- Many -------------------------------------------------------------------------------------

MANY = 100000


def test_alarms_do_not_wait_behind_many_changes(make_world):
    """While changes pour in, alarms are raised and seen: each between two counts of them."""
    world = make_world(controllers=4, stations=("north",), kind=RightsEstate)
    world.start()

    def changes():
        return world.status()["rights"]["changes_total"]

    # the last controller is ours
    with open_controller(world, 3) as door, \
            Console(Enrolment.load(world.desks / "desk-north")) as console:
        console.hello()
        console.subscribe()
        console.wait_snapshot()
        sim = world.sim("--desk-dir", world.managers, "--registrations", MANY, "--duration", 1,
                        "--drain=500", "--controllers", 3)
        before = wait_until("changes pour in", changes)
        seen_between = 0
        # one of each: the same again within desk.merge_ms would be no change
        for kind in ("PANIC", "HOLD_UP", "EMERGENCY_CALL", "FIRE"):
            door.send_record(f"KIND_{kind}", door=1)
            number = pb.Kind.Value(f"KIND_{kind}")
            console.wait_alarm(lambda alarm, number=number: alarm.kind == number)
            after = changes()
            seen_between += before < after < MANY
            before = after
        assert seen_between >= 1
        assert sim.wait(500) == 0, sim.log_tail()
    world.wait_stored()
    world.assert_ledger_holds()
    world.end()
