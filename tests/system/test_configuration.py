# SPDX-License-Identifier: Apache-2.0
"""Mistakes of an operator: what is said, and that nothing runs on a guess."""

import pytest
from harness.world import run


@pytest.fixture(scope="module")
def untouched(make_world):
    return make_world(controllers=1)


def check(world, text):
    """`gatehoused -t` over this configuration."""
    path = world.folder / "changed.yaml"
    path.write_text(text)
    return run(world.build / "gatehoused", "-t", "-c", path, check=False), path


def test_what_init_wrote_is_valid(untouched):
    done = run(untouched.build / "gatehoused", "-t", "-c", untouched.config, check=False)
    assert done.returncode == 0, done.stderr


MISTAKES = {
    "unknown_key": ("fleet:\n  heartbeet_s: 30\n", 2, "heartbeat_s"),
    "not_a_number": ("fleet:\n  heartbeat_s: soon\n", 2, "expected"),
    "out_of_bounds": ("fleet:\n  heartbeat_s: 0\n", 2, "expected"),
    "twice": ("fleet:\n  window: 64\n  window: 65\n", 3, "window"),
    "unknown_section": ("flet:\n  window: 64\n", 1, "fleet"),
    "not_a_choice": ("log:\n  level: loud\n", 2, "debug"),
    "a_list_where_a_value_is": ("fleet:\n  window: [1, 2]\n", 2, "expected"),
    "lease_below_two_heartbeats": ("fleet:\n  heartbeat_s: 60\n  lease_s: 90\n", None, "lease_s"),
    "not_yaml": ("fleet: {\n", None, ""),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_file_line_and_expectation(untouched, name):
    text, line, word = MISTAKES[name]
    done, path = check(untouched, text + untouched.config.read_text())
    assert done.returncode == 2, done.stderr
    assert str(path) in done.stderr
    assert word in done.stderr
    if line is not None:
        assert f"{path}:{line}:" in done.stderr


def test_a_configuration_that_is_not_there(untouched):
    done = run(untouched.build / "gatehoused", "-t", "-c", "/nonexistent/gatehoused.yaml",
               check=False)
    assert done.returncode == 2
    assert "/nonexistent/gatehoused.yaml" in done.stderr


def test_migrating_twice_changes_nothing(untouched):
    before = untouched.sql("select * from gatehouse.schema_version order by 1")
    done = untouched.ctl("migrate")
    assert "already at version" in done.stdout + done.stderr
    assert untouched.sql("select * from gatehouse.schema_version order by 1") == before


def test_a_newer_schema_is_refused_by_both_programs(make_world):
    world = make_world(controllers=1)
    world.sql("insert into gatehouse.schema_version (version, name) values (9999, 'future')")
    done = world.ctl("migrate", check=False)
    assert done.returncode == 1
    assert "9999" in done.stderr
    world.start(wait_for_store=False)
    status = world.wait_status("the store refuses", lambda s: s["store"]["state"]
                               == "wrong schema")
    assert "9999" in status["store"]["reason"]


def test_two_daemons_on_one_journal(town):
    second = run(town.build / "gatehoused", "-c", town.config, check=False)
    assert second.returncode == 1
    assert "journal" in second.stderr
    assert town.status()["ok"]
