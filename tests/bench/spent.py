# SPDX-License-Identifier: Apache-2.0
"""CPU and memory of processes, from /proc.

The CPU of a process is its utime + stime.  That of PostgreSQL is the postmaster's, of
all its children that live, and of those that it has reaped: so a backend that ended
within a measurement is not forgotten, and one that lives is not counted twice.
"""

import os
import pathlib

PROC = pathlib.Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
# of /proc/PID/stat behind the name, which may hold spaces and brackets: see proc(5)
PPID, UTIME, STIME, CUTIME, CSTIME = 1, 11, 12, 13, 14


def _fields(pid, proc):
    return (proc / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()


def cpu_s(pid, proc=PROC):
    """Of this process alone, over all its threads."""
    fields = _fields(pid, proc)
    return (int(fields[UTIME]) + int(fields[STIME])) / TICKS


def family_cpu_s(pid, proc=PROC):
    """Of a process, its living children, and the children that it has reaped."""
    fields = _fields(pid, proc)
    ticks = sum(int(fields[i]) for i in (UTIME, STIME, CUTIME, CSTIME))
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            child = _fields(entry.name, proc)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile: its parent reaps it, in the next look
        if int(child[PPID]) == pid:
            ticks += int(child[UTIME]) + int(child[STIME])
    return ticks / TICKS


def threads_cpu_s(pid, proc=PROC):
    """By thread: {id: (name, seconds)}."""
    threads = {}
    for entry in (proc / str(pid) / "task").iterdir():
        text = (entry / "stat").read_text()
        fields = text.rsplit(")", 1)[1].split()
        name = text[text.index("(") + 1:text.rindex(")")]
        threads[int(entry.name)] = (name, (int(fields[UTIME]) + int(fields[STIME])) / TICKS)
    return threads


def by_name(before, after):
    """What threads of each name spent between two looks: seconds, or any count."""
    spent = {}
    for thread, (name, value) in after.items():
        spent[name] = spent.get(name, 0) + value - before.get(thread, (name, 0))[1]
    return spent


def rss_bytes(pid, proc=PROC):
    for line in (proc / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no VmRSS for {pid}")
