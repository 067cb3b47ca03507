# SPDX-License-Identifier: Apache-2.0
"""The plot: what was measured is in it, and half a run draws nothing.

Guards growth.svg against a picture of another run: one that is too short leaves none.
"""

from bench.plot import draw, script

POINTS = {
    "connections": [{"connections": 1000, "us": [4.0, 5.0, 4.5], "kib": 21.5, "connect_ms": 0.9},
                    {"connections": 5000, "us": [5.0, 7.0, 6.0], "kib": 22.5, "connect_ms": 1.1}],
    "consoles": [{"consoles": 1, "us": 900, "p50_ms": 1.0, "p99_ms": 2.5},
                 {"consoles": 100, "us": 3000, "p50_ms": 5.0, "p99_ms": 9.5}],
}


def test_each_point_is_in_the_script():
    lines = script(POINTS, "growth.svg").splitlines()
    for line in ("1000 4.5 4.0 5.0", "5000 6.0 5.0 7.0", "1000 21.5", "5000 1.1", "100 9.5",
                 "1 900"):
        assert line in lines


def test_one_point_is_no_growth(tmp_path):
    short = {**POINTS, "consoles": POINTS["consoles"][:1]}
    (tmp_path / "growth.svg").write_text("of a run before")
    assert not draw(short, tmp_path / "growth.svg")
    assert list(tmp_path.iterdir()) == []
