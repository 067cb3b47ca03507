# SPDX-License-Identifier: Apache-2.0
"""A fleet streams, everything stands in PostgreSQL once, alarms are on the right consoles."""

import json

import pytest


@pytest.fixture(scope="module")
def day(make_world, badge_log):
    """A fleet's work, done: live traffic, a backlog of some, a replay, and alarms."""
    world = make_world(controllers=40, two_doors=20)
    world.start()
    world.summary = world.sim_to_end(
        "--rate", 2000, "--alarms", 20, "--duration", 5, "--drain", "--console-dir", world.desks,
        "--replay", badge_log, "--map", "time=timestamp,card=prox-id,door=floor+zone,type=type",
        "--speed", 0, "--replay-controllers", 20)
    world.wait_stored()
    return world


def test_each_acknowledged_record_is_stored_once(day):
    result = day.verify()
    assert result.returncode == 0, result.stdout
    assert day.summary["records"]["acked"] > 5000
    assert day.value("select count(*) from gatehouse.records where epoch > 0") \
        == day.summary["records"]["acked"]


def test_each_alarm_reached_the_console_of_its_station(day):
    result = day.verify("--expect-alarms", "all")
    assert result.returncode == 0, result.stdout
    assert day.summary["alarms"]["sent"] > 50


def test_days_have_partitions_ahead_and_old_days_are_kept(day):
    partitions = day.value("select count(*) from pg_inherits"
                           " where inhparent = 'gatehouse.records'::regclass")
    assert partitions >= 8
    assert day.value("select count(*) from gatehouse.records_stray"
                     " where device_time < now() - interval '30 days'") > 0


def test_status_tells_people_and_scripts_the_same(day):
    status = day.status()
    for_people = day.ctl("status").stdout
    assert str(status["positions"]["stored"]) in for_people.replace(",", "").replace("_", "")
    assert status["ok"] and status["store"]["state"] == "running"
    assert status["register"]["controllers"] == 40


def test_lists_are_json_for_scripts(day):
    controllers = json.loads(day.ctl("controller", "list", "--json").stdout)
    assert [row["name"] for row in controllers] == day.estate.controllers
    stations = json.loads(day.ctl("station", "list", "--json").stdout)
    assert {row["code"] for row in stations} == set(day.estate.stations)
