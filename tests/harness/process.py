# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about a running program: its time, memory and descriptors.

Read from /proc, so that a program that is being tortured need not answer.
"""

import os
import pathlib
import time


def cpu_s(pid):
    """Processor time that it has used so far, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class CpuShare:
    """Of one core, from its making until asked."""

    def __init__(self, pid):
        self._pid = pid
        self._since = time.monotonic()
        self._used_s = cpu_s(pid)

    def seconds(self):
        return time.monotonic() - self._since

    def share(self):
        return (cpu_s(self._pid) - self._used_s) / self.seconds()
