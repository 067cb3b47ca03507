# SPDX-License-Identifier: Apache-2.0
"""What the table is made with: medians, spreads, verdicts.

Guards the claim of each row.  A mean in place of the median fails the first, a verdict
that looks at the best run the second.
"""

import pytest
from bench.figures import NO_TARGET, NOT_OK, OK, Row, at_least, cells, number, ratios, slope, table


def test_the_median_of_the_runs_counts_and_the_spread_is_shown():
    row = Row("a", "x", [1.0, 9.0, 1.2, 1.1, 0.9])
    assert row.value == 1.1
    assert row.spread == (0.9, 9.0)
    assert "0.90 .. 9  of 5" in cells(row)


def test_a_verdict_is_that_of_the_median_not_of_the_best():
    assert Row("a", "x", [1.3, 1.2, 1.4], 1.25).verdict == NOT_OK
    assert Row("a", "x", [1.3, 1.2, 1.2], 1.25).verdict == OK
    assert Row("a", "x", [1.25], 1.25).verdict == OK
    assert Row("a", "records/s", [79999], 80000, at_least).verdict == NOT_OK
    assert Row("a", "records/s", [80000], 80000, at_least).verdict == OK


def test_what_was_not_measured_is_not_ok_and_says_why():
    row = Row("a", "x", [], 1.25, note="too few descriptors")
    assert row.verdict == NOT_OK
    assert row.value is None
    assert cells(row)[1] == "-"
    assert "too few descriptors" in table([row])[1]
    assert row.as_json()["median"] is None


def test_a_row_without_a_target_has_no_verdict():
    assert Row("a", "us", [3]).verdict == NO_TARGET


def test_ratios_are_of_runs_that_were_side_by_side():
    assert ratios([2, 6], [1, 2]) == [2, 3]
    with pytest.raises(ValueError):
        ratios([1, 2], [1])


def test_numbers_keep_three_digits():
    assert [number(v, "") for v in (84211.4, 100.4, 12.34, 1.234, 0.0001, 0, 3)] == \
        ["84,211", "100", "12.3", "1.23", "0.0001", "0", "3"]


def test_slope_is_what_one_more_costs():
    assert slope([(0, 5), (10, 25), (20, 45)]) == pytest.approx(2)
