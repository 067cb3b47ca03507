# SPDX-License-Identifier: Apache-2.0
"""What an operator sees when the journal's files are not what they were.

Protections tested: what recovery checks of each segment; the checkpoint and the cursor
as proofs of what was durable; readers that go on behind damage.  Seen to fail with
check_loss() returning RC_OK, with on_journal_loss left NULL, and with scan_resume()
returning RC_EOF; the alarms, with findings_take_damage() returning at once, and with
positions that know no damage.
"""

import json
import re
import shutil

import pytest
from harness.world import run, wait_until
from stranger.client import Console
from stranger.wire import Enrolment, pb

SMALL = {"journal.segment_mb": 1, "desk.checkpoint_s": 1, "node.workers": 1}
HEADER = 512
ENTRY_HEADER = 12


def segments(world):
    return sorted((world.home / "journal").glob("*.seg"))


def send(world, records, **names):
    world.sim_to_end("--backlog", records, **names)


def refused(world, *options):
    """Starts, expects a refusal, and returns the one line that says why."""
    done = run(world.build / "gatehoused", "-c", world.config, *options, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    critical = [line for line in done.stderr.splitlines() if " critical " in line]
    assert len(critical) == 1, done.stderr
    return critical[0]


@pytest.fixture(scope="module")
def stopped(make_world):
    """A journal of several segments, stored, and its daemon stopped in order."""
    world = make_world(controllers=4)
    world.configure(SMALL)
    world.start()
    send(world, 12000)
    world.wait_stored()
    assert world.stop() == 0
    assert len(segments(world)) >= 3
    return world


@pytest.fixture
def journal(stopped):
    """The journal's folder, put back afterwards as it was."""
    folder, kept = stopped.home / "journal", stopped.folder / "journal-kept"
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    shutil.move(kept, folder)


def test_last_segment_deleted(stopped, journal):
    segments(stopped)[-1].unlink()
    line = refused(stopped)
    assert "was durable up to" in line
    assert str(journal) in line


def test_segment_in_the_middle_deleted(stopped, journal):
    gone = segments(stopped)[1]
    gone.unlink()
    assert f'segment "{gone.name}" is missing' in refused(stopped)


def test_all_segments_deleted(stopped, journal):
    for segment in segments(stopped):
        segment.unlink()
    assert "is its file system mounted?" in refused(stopped)


@pytest.mark.parametrize("which", [0, 1, -1])
def test_zeroed_segment(stopped, journal, which):
    segment = segments(stopped)[which]
    segment.write_bytes(bytes(segment.stat().st_size))
    line = refused(stopped)
    assert f'segment "{segment.name}"' in line
    assert "header" in line


def test_two_segments_swapped(stopped, journal):
    one, two = segments(stopped)[:2]
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    assert "a copy, or renamed" in refused(stopped)


def test_doubled_segment(stopped, journal):
    first = segments(stopped)[0]
    shutil.copy(first, journal / "copy.seg")
    assert '"copy.seg" is not named as a segment is' in refused(stopped)


def test_last_segment_of_an_older_backup(stopped, journal):
    last = segments(stopped)[-1]
    content = bytearray(last.read_bytes())
    half = HEADER + (content.rindex(b"\x01") - HEADER) // 2
    content[half:] = bytes(len(content) - half)
    last.write_bytes(content)
    assert "an older copy was restored" in refused(stopped)


def test_journal_of_another_installation(stopped, journal, make_world):
    other = make_world(controllers=1)
    other.configure(SMALL)
    other.start()
    assert other.stop() == 0
    shutil.rmtree(journal)
    shutil.copytree(other.home / "journal", journal)
    assert "not the one that was here before" in refused(stopped)


def test_older_backup_of_journal_and_state_together(make_world):
    """The checkpoint is as old as the journal: only PostgreSQL knows better."""
    world = make_world(controllers=2)
    world.configure(SMALL)
    world.start()
    send(world, 500)
    world.wait_stored()
    assert world.stop() == 0
    shutil.copytree(world.home, world.folder / "backup")
    world.start()
    send(world, 500, name="later", ledger="later")
    world.wait_stored()
    assert world.stop() == 0
    shutil.rmtree(world.home)
    shutil.move(world.folder / "backup", world.home)
    assert "was an older copy of it restored?" in refused(world)


def test_an_accepted_loss_goes_on_and_stores(make_world):
    world = make_world(controllers=4)
    world.configure(SMALL)
    world.start()
    send(world, 6000)
    world.wait_stored()
    before = world.status()["positions"]["durable"]
    assert world.stop() == 0
    segments(world)[-1].unlink()
    assert "--accept-journal-loss" in refused(world)
    world.daemon = world.spawn("gatehoused", "-c", world.config, "--accept-journal-loss")
    wait_until("the daemon answers", world._answers)
    send(world, 2000, name="after", ledger="after")
    status = world.wait_stored()
    # no position of the lost part is given away again
    assert status["positions"]["durable"] > before + 2**39
    assert_nothing_is_missing(world, "after")
    assert world.stop() == 0
    # and without the option from then on
    world.start()
    world.wait_stored()
    assert "loss accepted" in world.daemon.log.read_text()
    assert_nothing_is_missing(world, "ledger")


def assert_nothing_is_missing(world, ledger):
    """One ledger of two: the other one's records are no fault."""
    figures = world.verify(ledger=ledger).figures
    assert (figures["lost"], figures["duplicate"], figures["out_of_order"]) == (0, 0, 0), figures


def alarms_that_stand(world, station):
    with Console(Enrolment.load(world.desks / f"desk-{station}")) as desk:
        desk.hello()
        desk.subscribe()
        return list(desk.wait_snapshot().values())


def assert_damage_is_alarmed(world):
    """Every station sees that the journal was damaged; the controller's own sees its gap."""
    damages, gaps = [], []
    for station in world.estate.stations:
        stand = alarms_that_stand(world, station)
        damages += [alarm for alarm in stand if alarm.kind == pb.KIND_JOURNAL_DAMAGED]
        gaps += [alarm for alarm in stand if alarm.kind == pb.KIND_RECORDS_GAP]
    assert len(damages) == len(world.estate.stations)
    for alarm in damages:
        assert alarm.severity == pb.SEVERITY_HIGH and alarm.count == 1
        assert (alarm.controller, alarm.door, alarm.site) == ("", "", "")
    listed, = json.loads(world.ctl("gaps", "--json").stdout)
    assert [alarm.controller for alarm in gaps] == [listed["controller"]]
    assert (listed["from"], listed["records"], listed["state"]) == (listed["to"], 1, "open")
    return listed


def test_a_flipped_bit_costs_one_record_and_not_the_service(make_world, postgres):
    world = make_world(controllers=4)
    world.configure({**SMALL, "desk.checkpoint_s": 3600})
    world.start()
    world.wait_stored()
    postgres.stop()
    try:
        send(world, 12000)
        acked = world.status()["fleet"]["records_total"]
        world.kill()
        position = flip_a_record(segments(world)[0])
        world.start(wait_for_store=False)
        damage = world.status()["journal"]
    finally:
        postgres.start()
    assert damage["damaged_regions"] == 1
    assert 0 < damage["damaged_bytes"] < 1000
    world.wait_stored()
    sent = world.value("select count(*) from gatehouse.records where epoch > 0")
    assert sent == acked - 1
    log = world.daemon.log.read_text()
    assert len(re.findall(r"error journal segment .* is damaged", log)) == 1
    saved = list((world.home / "journal/damaged").iterdir())
    assert [file.name for file in saved] == [f"{position:016x}.0"]
    assert saved[0].stat().st_size == damage["damaged_bytes"]
    listed = assert_damage_is_alarmed(world)
    missing = world.value(
        "select count(*) from gatehouse.records r join gatehouse.controllers c"
        f" using (controller_id) where c.name = '{listed['controller']}'"
        f" and r.epoch = {listed['epoch']} and r.seq = {listed['from']}")
    assert missing == 0
    # read again by a start that knows nothing, it is said no second time
    world.kill()
    (world.home / "state/checkpoint").unlink(missing_ok=True)
    world.start()
    world.wait_stored()
    assert world.status()["journal"]["damaged_regions"] == 1
    assert_damage_is_alarmed(world)
    assert world.value("select count(*) from gatehouse.records where kind in (701, 702)") == 2


def flip_a_record(segment):
    """One bit of the body of the hundredth entry; returns the entry's position."""
    content = bytearray(segment.read_bytes())
    at = HEADER
    for _ in range(100):
        at += ENTRY_HEADER + int.from_bytes(content[at:at + 4], "little")
    content[at + ENTRY_HEADER + 20] ^= 0x08
    segment.write_bytes(content)
    return at - HEADER
