# SPDX-License-Identifier: Apache-2.0
"""What an operator can get wrong: the daemon says it in one line, ends, and has damaged nothing.

After each mistake is put right, a good start has everything, by the ledger.  Seen
to fail: the three about the folder of the state before the daemon looked at that
folder at its start (it ran on, and could save nothing); test_two_daemons without
the lock of the journal.
"""

import contextlib
import shutil
import subprocess

import pytest
from harness.world import run

FAILED, MISCONFIGURED = 1, 2


@pytest.fixture(scope="module")
def old_town(make_world):
    """With records in its journal and in PostgreSQL."""
    world = make_world()
    world.start()
    world.sim_to_end("--rate", 2000, "--alarms", 5, "--duration", 2, "--drain")
    assert world.stop() == 0
    return world


@pytest.fixture
def town(old_town):
    """Stopped, also behind a test that failed."""
    yield old_town
    old_town.end()


def refused(world, expected, prefix=(), code=FAILED):
    """A start that ends at once, with one line of error that names what is wrong."""
    done = run(*prefix, world.build / "gatehoused", "-c", world.config, check=False, timeout=120)
    said = [line for line in done.stderr.splitlines()
            if " info " not in line and " warning " not in line]
    assert done.returncode == code, done.stderr
    assert len(said) == 1, said
    assert expected in said[0], said[0]


def assert_undamaged(world):
    """All of before is there, and goes on."""
    world.start()
    world.sim_to_end("--rate", 500, "--duration", 1, "--drain")
    world.wait_stored()
    assert world.stop() == 0
    result = world.verify()
    assert result.returncode == 0, result.stdout


@contextlib.contextmanager
def moved(path):
    away = path.rename(path.with_name(path.name + ".away"))
    try:
        yield
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        away.rename(path)


@contextlib.contextmanager
def mode(path, bits):
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


def test_two_daemons_on_one_journal(town):
    town.start()
    # another configuration of the same journal: the sockets alone would stop a copy
    other = town.home / "other.yaml"
    text = town.config.read_text()
    for port in (town.port, town.console_port):
        text = text.replace(f"port: {port}", "port: 0")
    other.write_text(text.replace("run/control.sock", "run/other.sock"))
    first, town.config = town.config, other
    try:
        refused(town, "in use by another process")
    finally:
        town.config = first
    assert town.stop() == 0
    assert_undamaged(town)


def test_a_second_start_of_the_same_configuration(town):
    town.start()
    refused(town, "another process")
    assert town.status()["ok"], "the first one still answers"
    assert town.stop() == 0
    assert_undamaged(town)


# As a user who has no business with the files; root may read whatever it likes.
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@pytest.mark.parametrize("path, code", [
    ("gatehoused.yaml", MISCONFIGURED), ("tls/key.pem", FAILED), ("journal", FAILED),
    ("keys", FAILED), ("state", FAILED)])
def test_files_of_somebody_else(town, path, code):
    """All is open to everybody but the one that is not."""
    if subprocess.run([*NOBODY, "true"], check=False).returncode != 0:
        pytest.skip("setpriv can't become another user here")
    copy = town.folder / "copy"
    shutil.copytree(town.home, copy, ignore=shutil.ignore_patterns("control.sock"))
    mine, town.config = town.config, copy / "gatehoused.yaml"
    try:
        run("chown", "-R", "nobody", copy)
        run("chown", "-R", "root", copy / path)
        run("chmod", "-R", "go-rwx", copy / path)
        refused(town, path, prefix=NOBODY, code=code)
    finally:
        town.config = mine
        shutil.rmtree(copy)
    assert_undamaged(town)


@pytest.mark.parametrize("path", ["journal", "keys", "state", "tls/certificate.pem"])
def test_deleted_things(town, path):
    with moved(town.home / path):
        refused(town, path)
    assert_undamaged(town)


@pytest.mark.parametrize("folder", ["journal", "state", "run"])
def test_a_read_only_file_system(town, folder):
    path = town.home / folder
    if subprocess.run(["mount", "--bind", path, path], check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        run("mount", "-o", "remount,bind,ro", path)
        refused(town, folder)
    finally:
        run("umount", path)
    assert_undamaged(town)


@pytest.mark.parametrize("text, expected", [
    ("fleet:\n  lease_s: 0\n", "fleet.lease_s"),
    ("rights:\n  historry: 5\n", "historry"),
    ("\tnode:\n", "gatehoused.yaml"),
])
def test_a_configuration_with_a_mistake(town, text, expected):
    good = town.config.read_text()
    try:
        town.config.write_text(good + text)
        refused(town, expected, code=MISCONFIGURED)
    finally:
        town.config.write_text(good)
    assert_undamaged(town)
