# SPDX-License-Identifier: Apache-2.0
"""Many alarms of one site: one group on the screen, and nothing inside it lost.

Guards that a group comes from the journal, so that a server that is killed in its middle
goes on with the same one; that each change reaches a console once; that who is in need is
in no group; and that whoever takes the group answers for those in it.
"""

import collections
import json

import pytest
from harness.world import wait_until
from stranger.client import Console, Controller, now_us
from stranger.wire import Enrolment, pb

S = pb.AlarmState.Value
GROUPS = (pb.KIND_ALARM_FLOOD, pb.KIND_COMMS_SITE_LOST)
BLOCKS = 20  # a controller each, with two doors
DOORS = 2 * BLOCKS
BEGIN = 11
CUT = 12     # controllers of a site without power


@pytest.fixture
def open_client():
    """Makes clients of a world, and closes them."""
    made = []

    def open_one(kind, folder):
        made.append(kind(Enrolment.load(folder)))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


def console_of(world, open_client, name="desk-north"):
    desk = open_client(Console, world.desks / name)
    desk.hello()
    desk.subscribe()
    desk.wait_snapshot()
    return desk


def fleet_of(world, open_client, count):
    made = [open_client(Controller, world.fleet / name)
            for name in world.estate.controllers[:count]]
    for controller in made:
        controller.hello(epoch=now_us())
    return made


def estate(make_world, controllers, **settings):
    """One site with all of them."""
    world = make_world(controllers=controllers, two_doors=controllers, stations=("north",),
                       per_site=controllers)
    world.configure({name.replace("__", "."): value for name, value in settings.items()})
    world.start()
    return world


def force_doors(controllers, kind="KIND_DOOR_FORCED"):
    for controller in controllers:
        for door in (1, 2):
            controller.send_record(kind, door=door)
    for controller in controllers:
        controller.wait_ack()


def groups_of(desk):
    """Ids of all the groups that this console was ever told of, in order."""
    return list(dict.fromkeys(a.alarm_id for a in desk.alarms if a.kind in GROUPS))


def wait_count(desk, count):
    """Until a group says that so many belong to it; returns that change."""
    return desk.wait_alarm(lambda a: a.kind in GROUPS and a.count == count)


def members_of(desk, group):
    return [a for a in desk.standing.values() if a.group_id == group.alarm_id]


def wait_members(desk, group, count):
    desk._step_until(lambda: len(members_of(desk, group)) == count, f"{count} members", None)
    return members_of(desk, group)


def assert_each_change_once(desk):
    """Every alarm from its first change on, none left out and none twice."""
    changes = collections.defaultdict(list)
    for alarm in desk.alarms:
        changes[alarm.alarm_id].append(alarm.change)
    for alarm_id, numbers in changes.items():
        assert numbers == list(range(1, len(numbers) + 1)), alarm_id
    positions = [alarm.position for alarm in desk.alarms]
    assert positions == sorted(set(positions))


def states_told(desk, alarm_id):
    """The states of an alarm that its changes went through, in order."""
    told = [a.state for a in desk.alarms if a.alarm_id == alarm_id]
    return [state for i, state in enumerate(told) if i == 0 or told[i - 1] != state]


def test_a_flood_is_one_group_and_opens_up(make_world, open_client):
    world = estate(make_world, BLOCKS)
    desk = console_of(world, open_client)
    fleet = fleet_of(world, open_client, BLOCKS)
    first_six = 6
    force_doors(fleet[:first_six])
    wait_count(desk, 2 * first_six)
    force_doors(fleet[first_six:])
    group = wait_count(desk, DOORS)
    members = wait_members(desk, group, DOORS)
    assert groups_of(desk) == [group.alarm_id]
    assert (group.kind, group.site, group.door, group.controller) == (
        pb.KIND_ALARM_FLOOD, world.estate.site(0), "", "")
    assert list(group.called) == ["north"] and group.supervised
    # those before it say so in a change of their own; the others were in it from the first
    joined = [a for a in desk.alarms if a.verb == pb.VERB_GROUP_JOINED]
    first = {a.alarm_id: a for a in desk.alarms if a.change == 1 and a.kind not in GROUPS}
    assert len(first) == DOORS and BEGIN <= len(joined) <= 2 * first_six
    assert len(joined) == sum(a.group_id == 0 for a in first.values())
    # a panic in the middle of it stands alone, also when the group is taken
    fleet[0].send_record("KIND_PANIC", door=1)
    panic = desk.wait_alarm(lambda a: a.kind == pb.KIND_PANIC)
    assert panic.group_id == 0
    assert desk.act(group, "accept", operator="7").accepted
    desk._step_until(lambda: all(a.acknowledged_by == "7@desk-north"
                                 for a in members_of(desk, group)), "all are taken", None)
    assert desk.standing[panic.alarm_id].state == S("ALARM_STATE_UNACKNOWLEDGED")
    assert desk.act(panic, "close", outcome="OUTCOME_TEST").accepted
    assert_each_change_once(desk)
    for member in members:
        assert states_told(desk, member.alarm_id) == [S("ALARM_STATE_UNACKNOWLEDGED"),
                                                      S("ALARM_STATE_ACKNOWLEDGED")]
    # each of them has its own life: one is over, and waits for its reset
    fleet[0].send_record("KIND_DOOR_FORCED_RESTORED", door=1)
    latched = desk.wait_alarm(lambda a: a.state == S("ALARM_STATE_LATCHED"))
    assert desk.act(latched, "reset", outcome="OUTCOME_TECHNICAL").accepted
    world.wait_stored()
    assert world.sql("select kind, count, controller_id, door_id is null, state from alarms"
                     f" where alarm_id = {group.alarm_id}") == [
                         ["720", str(DOORS), "0", "t", "2"]]
    assert world.value(f"select count(*) from alarms where group_id = {group.alarm_id}") == DOORS
    assert world.value("select count(*) from alarm_changes where verb = 26") == len(joined)
    assert world.value("select count(*) from quarantine") == 0


def test_killed_in_the_middle_of_a_flood(make_world, open_client):
    """At any moment: before the group begins, while its members join, while it counts."""
    world = estate(make_world, BLOCKS)
    desk = console_of(world, open_client)
    fleet = fleet_of(world, open_client, BLOCKS)
    # from a first change on, a console that was away can be told one by one
    fleet[0].send_record("KIND_PANIC", door=1)
    desk.wait_alarm()
    for begin in range(0, BLOCKS, 4):
        force_doors(fleet[begin:begin + 4])
        world.kill()
        world.start()
        desk.reconnect()
        for controller in fleet:
            controller.reconnect()
    group = wait_count(desk, DOORS)
    wait_members(desk, group, DOORS)
    assert not desk.resyncs[1:], "it could be told one by one"
    assert groups_of(desk) == [group.alarm_id]
    assert_each_change_once(desk)
    assert desk.act(group, "accept", operator="7").accepted
    world.kill()
    world.start()
    desk.reconnect()
    desk._step_until(lambda: all(a.acknowledged_by == "7@desk-north"
                                 for a in members_of(desk, group)), "all are taken", None)
    assert_each_change_once(desk)
    world.wait_stored()
    assert world.value(f"select count(*) from alarms where group_id = {group.alarm_id}"
                       " and acknowledged_by = '7@desk-north'") == DOORS
    assert world.value("select count(*) from alarms") == DOORS + 2
    # what the console was told is what is kept
    told = {(a.alarm_id, a.change) for a in desk.alarms}
    kept = {tuple(map(int, row)) for row in world.sql("select alarm_id, change from alarm_changes")}
    assert told == kept


def test_a_flood_ends(make_world, open_client):
    world = estate(make_world, 6, desk__flood_window_s=8)
    desk = console_of(world, open_client)
    fleet = fleet_of(world, open_client, 6)
    force_doors(fleet)
    group = wait_count(desk, 12)
    ended = desk.wait_alarm(lambda a: a.verb == pb.VERB_GROUP_ENDED)
    assert ended.alarm_id == group.alarm_id
    assert ended.state == S("ALARM_STATE_RETURNED_UNACKNOWLEDGED") and ended.cleared_time_us
    # its members stand as they stood; the next one is no part of it
    assert len(members_of(desk, group)) == 12
    fleet[0].send_record("KIND_TAMPER_CABINET", door=1)
    assert desk.wait_alarm(lambda a: a.kind == pb.KIND_TAMPER_CABINET).group_id == 0
    # taken, it is done, and so are its members taken
    assert desk.act(group, "accept").accepted
    desk._step_until(lambda: sum(a.acknowledged_by == "desk-north"
                                 for a in desk.standing.values()) == 12, "all are taken", None)
    assert group.alarm_id not in desk.standing


def test_a_site_without_power_is_one_alarm(make_world, open_client):
    world = estate(make_world, CUT, fleet__heartbeat_s=4, fleet__lease_s=8)
    desk = console_of(world, open_client)
    fleet = fleet_of(world, open_client, CUT)
    for controller in fleet:
        controller.close()
    group = wait_count(desk, CUT)
    assert group.kind == pb.KIND_COMMS_SITE_LOST
    assert len(wait_members(desk, group, CUT)) == CUT
    assert {a.kind for a in members_of(desk, group)} == {pb.KIND_COMMS_CONTROLLER_LOST}
    assert groups_of(desk) == [group.alarm_id]
    world.wait_stored()
    assert world.value(f"select count(*) from alarms where group_id = {group.alarm_id}"
                       " and kind = 420") == CUT
    # the power is back
    for controller in fleet:
        controller.reconnect()
    ended = desk.wait_alarm(lambda a: a.alarm_id == group.alarm_id and a.cleared_time_us)
    assert ended.verb == pb.VERB_GROUP_ENDED and ended.count == CUT
    assert_each_change_once(desk)


def test_an_operator_at_the_server_sees_the_group(make_world, open_client):
    world = estate(make_world, 8)
    desk = console_of(world, open_client)
    fleet = fleet_of(world, open_client, 8)
    force_doors(fleet)
    fleet[0].send_record("KIND_PANIC", door=1)
    fleet[0].wait_ack()
    group = wait_count(desk, 16)
    wait_members(desk, group, 16)
    number = str(group.alarm_id)

    def lines(*args):
        return world.ctl("alarms", *args).stdout.splitlines()

    folded = wait_until("the members are folded",
                        lambda: (found := lines("list")) and len(found) == 2 and found)
    assert any("panic" in line for line in folded)
    assert any(number in line and "alarm.flood" in line and "+16 in it" in line
               for line in folded)
    assert len(lines("list", "--all")) == 18
    shown = json.loads(world.ctl("alarms", "show", number).stdout)
    assert shown["kind"] == "alarm.flood" and shown["count"] == 16
    assert [member["kind"] for member in shown["members"]] == ["door.forced"] * 16
    assert "members" not in json.loads(world.ctl("alarms", "show",
                                                 str(shown["members"][0]["alarm_id"])).stdout)
    as_json = map(json.loads, lines("list", "--json"))
    assert sum(line.get("group_id") == group.alarm_id for line in as_json) == 16
    # what was done last is in each line
    assert any("group_joined" in line for line in lines("list", "--all"))


def test_a_fleet_in_a_flood(make_world):
    """By its ledger: each alarm reached its console, none twice, also with the server killed."""
    world = estate(make_world, BLOCKS)
    sim = world.sim("--console-dir", world.desks, "--rate", 40, "--alarms", 20, "--duration", 10,
                    "--dispatch", 100, "--dispatch-delay", 1, "--drain")
    # people take groups, and the server takes the members for them
    wait_until("members are taken", lambda: world.value(
        "select count(*) from alarm_changes where verb = 1 and actor_kind = 3"
        " and actor = 'desk-north'") > 0)
    world.kill()
    world.start()
    assert sim.wait() == 0, sim.log_tail()
    world.wait_stored()
    assert world.value("select count(*) from alarms where kind = 720") > 0
    assert world.value("select count(*) from alarms where group_id is not null") > BEGIN
    figures = world.assert_ledger_holds()
    assert figures["alarms"]["missing"] == figures["alarms"]["twice"] == 0
