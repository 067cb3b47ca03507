# SPDX-License-Identifier: Apache-2.0
"""A wall clock that a test can step, by libfaketime: CLOCK_MONOTONIC stays as it is, but
for one who asks for an hour that passes at once.

    clock = FakeClock(folder)
    Program([*clock.prefix, ...])
    clock.step_to(at)
"""

import glob
import os
import pathlib
import time

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def why_not():
    """Why there can be no such clock here; empty when there can."""
    return "" if glob.glob(LIBRARIES) else "libfaketime is not installed"


class FakeClock:
    """Starts as the true one."""

    def __init__(self, folder, monotonic=False):
        """`monotonic`: that one is stepped, too."""
        self._file = pathlib.Path(folder) / "clock"
        self.offset_s = 0
        self.step(0)
        # without its cache, a step is seen at once and not after ten seconds
        self.prefix = ["env", f"LD_PRELOAD={glob.glob(LIBRARIES)[0]}",
                       f"FAKETIME_TIMESTAMP_FILE={self._file}", "FAKETIME_NO_CACHE=1",
                       f"FAKETIME_DONT_FAKE_MONOTONIC={0 if monotonic else 1}"]

    def now(self):
        """In seconds since 1970, as the programs see it."""
        return time.time() + self.offset_s

    def step(self, by_s):
        self.offset_s += by_s
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.offset_s:+d}\n")
        os.replace(new, self._file)

    def step_to(self, at):
        """`at`: a datetime with a time zone."""
        self.step(round(at.timestamp() - self.now()))
