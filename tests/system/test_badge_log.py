# SPDX-License-Identifier: Apache-2.0
"""A whole badge log through the daemon, and each read counted twice.

The second count is awk's, over the file itself: reads per door and card.  It
knows nothing of the simulator's reading of the file, nor of the daemon's.
"""

import collections
import os
import pathlib

import pytest
from harness.tokens import card_token
from harness.world import TOP, run

MAP = "time=timestamp,card=prox-id,door=floor+zone,type=type"
REAL = pathlib.Path(os.environ.get(
    "GATEHOUSE_BADGE_LOG", TOP.parent / "shared/data/badge-log/proxOut-MC2.csv"))
CONTROLLERS = 20

# door as floor-zone <tab> card <tab> count; doors in the order of their first read
AWK = r"""
NR > 1 {
    gsub(/\r/, "")
    door = $4 "-" $5
    if (!(door in order)) { order[door] = ++doors; name[doors] = door }
    count[door, $3]++
    cards[$3] = 1
}
END {
    for (i = 1; i <= doors; i++)
        for (card in cards)
            if ((name[i], card) in count)
                printf "%s\t%s\t%d\n", name[i], card, count[name[i], card]
}
"""


def reads_by_awk(path):
    """{door: {card: count}}, doors in the order of their first read."""
    reads = collections.defaultdict(dict)
    for line in run("awk", "-F", ", *", AWK, path).stdout.splitlines():
        door, card, count = line.split("\t")
        reads[door][card] = int(count)
    return reads


def replay(make_world, log):
    world = make_world(controllers=CONTROLLERS, two_doors=CONTROLLERS)
    world.start()
    world.sim_to_end("--replay", log, "--map", MAP, "--speed", 0,
                     "--replay-controllers", CONTROLLERS)
    world.wait_stored()
    result = world.verify()
    assert result.returncode == 0, result.stdout
    return world


def assert_counts_agree(world, log):
    reads = reads_by_awk(log)
    sites = {code: int(site) for code, site in world.sql(
        "select code, site_id from gatehouse.doors")}
    month, = {month for month, in world.sql(
        "select distinct to_char(received_at at time zone 'UTC', 'YYYY-MM')"
        " from gatehouse.records")}
    keys = world.home / "keys"
    expected = collections.Counter()
    for place, cards in enumerate(reads.values()):
        # the simulator deals the log's doors out to the controllers in turn
        door = world.estate.doors(place % CONTROLLERS)[place // CONTROLLERS]
        for card, count in cards.items():
            token = card_token(keys, sites[door], month, card.encode()).hex()
            expected[door, token] += count
    stored = {(door, token): int(count) for door, token, count in world.sql(
        "select d.code, encode(r.card_token, 'hex'), count(*)"
        " from gatehouse.records r join gatehouse.doors d using (door_id)"
        " where r.kind = 100 group by 1, 2")}
    assert stored == dict(expected)
    return sum(expected.values())


def test_each_read_of_our_own_log_by_door_and_card(make_world, badge_log):
    world = replay(make_world, badge_log)
    assert assert_counts_agree(world, badge_log) == len(badge_log.read_text().splitlines()) - 1


def test_each_read_of_the_real_log_by_door_and_card(make_world):
    if not REAL.exists():
        pytest.skip(f"the real badge log is not here: {REAL}")
    world = replay(make_world, REAL)
    assert assert_counts_agree(world, REAL) == 23884
