# SPDX-License-Identifier: Apache-2.0
"""Worlds for the system tests: one PostgreSQL for all that one
pytest runs, a database and a daemon for each.

GATEHOUSE_KEEP=1 in the environment leaves the folders behind for a look.
"""

import os
import pathlib
import shutil
import signal

import pytest
from harness.estate import Estate
from harness.world import TOP, Failed, Postgres, World, make_folder
from stranger.client import Controller
from stranger.wire import Enrolment

BUILD = TOP / os.environ.get("BUILD", "build")
TEST_MAX_S = 600
TORTURE_MAX_S = 3600
KEEP = bool(os.environ.get("GATEHOUSE_KEEP"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the logs of its world."""
    outcome = yield
    report = outcome.get_result()
    world = item.funcargs.get("world") or item.funcargs.get("town")
    if report.failed and world is not None:
        for program in world.programs:
            report.sections.append((str(program.log), program.log_tail()))


@pytest.fixture(autouse=True)
def no_test_hangs(request):
    """Each wait has a deadline of its own; this is for the one that was forgotten."""
    max_s = TORTURE_MAX_S if request.node.get_closest_marker("torture") else TEST_MAX_S

    def give_up(*_):
        raise Failed(f"the test did not end in {max_s} s")
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(max_s)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def postgres():
    folder = make_folder()
    cluster = Postgres(folder / "pg")
    yield cluster
    cluster.stop()
    if not KEEP:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def make_world(postgres):
    """Makes worlds with an estate of some size, not started; ends them with the module."""
    worlds = []

    def make(controllers=6, prefix=(), conninfo=None, kind=Estate, **estate):
        world = World(make_folder(), BUILD, conninfo or postgres.create_database(), prefix)
        worlds.append(world)
        world.estate = kind(controllers, **estate)
        world.initialise()
        world.furnish(world.estate)
        return world

    yield make
    for world in worlds:
        world.end()
        if not KEEP:
            world.remove()


@pytest.fixture
def world(make_world):
    """A world of its own for this test, with the daemon running."""
    made = make_world()
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def town(make_world):
    """A world that the tests of a module share: for those that leave it as it was."""
    made = make_world()
    made.start()
    return made


@pytest.fixture
def controllers(town):
    """All of the town, each with its hello answered."""
    made = []
    for name in town.estate.controllers:
        controller = Controller(Enrolment.load(town.fleet / name))
        controller.hello(epoch=1)
        made.append(controller)
    yield made
    for controller in made:
        controller.close()


@pytest.fixture(scope="session")
def badge_log():
    """The small log of our own making."""
    return pathlib.Path(TOP / "tests/data/badge-log.csv")
