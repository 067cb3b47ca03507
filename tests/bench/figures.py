# SPDX-License-Identifier: Apache-2.0
"""What a row of the table is: samples of several runs, a target, and a verdict.

Pure functions and data: nothing is measured here.
"""

import dataclasses
import statistics

OK, NOT_OK, NO_TARGET = "ok", "NOT OK", ""


def at_most(value, target):
    return value <= target


def at_least(value, target):
    return value >= target


@dataclasses.dataclass
class Row:
    """One figure.  `samples`: one for each run; none when it could not be measured.

    `holds(value, target)`: at_most or at_least.  Without a target the row is there to
    explain others.
    """
    what: str
    unit: str
    samples: list
    target: float = None
    holds: callable = at_most
    note: str = ""

    @property
    def value(self):
        """The median; None without samples."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def spread(self):
        return (min(self.samples), max(self.samples)) if self.samples else None

    @property
    def verdict(self):
        if not self.samples:
            return NOT_OK
        if self.target is None:
            return NO_TARGET
        return OK if self.holds(self.value, self.target) else NOT_OK

    def as_json(self):
        return {"what": self.what, "unit": self.unit, "samples": self.samples,
                "median": self.value, "spread": self.spread, "target": self.target,
                "target_is": "most" if self.holds is at_most else "least",
                "verdict": self.verdict, "note": self.note}


def number(value, unit):
    """As people read it: three digits that count, and thousands apart."""
    if value is None:
        return "-"
    if value >= 1000:
        text = f"{value:,.0f}"
    elif value >= 100 or value == int(value):
        text = f"{value:.0f}"
    elif value >= 10:
        text = f"{value:.1f}"
    elif value >= 0.01:
        text = f"{value:.2f}"
    else:
        text = f"{value:.4f}"
    return f"{text} {unit}".rstrip()


def cells(row):
    """The row as texts: figure, target, spread, verdict."""
    target = "-"
    if row.target is not None:
        target = ("<= " if row.holds is at_most else ">= ") + number(row.target, row.unit)
    spread = ""
    if row.samples and len(row.samples) > 1:
        low, high = row.spread
        spread = f"{number(low, '')} .. {number(high, '')}  of {len(row.samples)}"
    return [row.what, number(row.value, row.unit), target, spread, row.verdict, row.note]


HEAD = ["figure", "median", "target", "spread", "", ""]


def table(rows):
    """Lines of text, columns aligned."""
    lines = [HEAD, *(cells(row) for row in rows)]
    width = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return [f"{a:<{width[0]}}  {b:>{width[1]}}  {c:>{width[2]}}  {d:<{width[3]}}  "
            f"{e:<{width[4]}}  {f}".rstrip() for a, b, c, d, e, f in lines]


def markdown(rows):
    """The same for docs/performance.md."""
    lines = ["| figure | median | target | spread | | |", "|---|--:|--:|---|---|---|"]
    return lines + ["| " + " | ".join(cells(row)) + " |" for row in rows]


def ratios(ours, floors):
    """Run by run: what was measured side by side is divided, then the median is taken."""
    if len(ours) != len(floors):
        raise ValueError(f"{len(ours)} runs beside {len(floors)}")
    return [mine / floor for mine, floor in zip(ours, floors)]


def slope(points):
    """The least squares slope of (x, y): what one more of x costs."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    return (sum((x - mean_x) * (y - mean_y) for x, y in points) /
            sum((x - mean_x) ** 2 for x, _ in points))
