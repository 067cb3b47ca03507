# SPDX-License-Identifier: Apache-2.0
"""CPU and memory of processes, from /proc.

The CPU of a process is its utime + stime, which the scheduler keeps in nanoseconds in
/proc/PID/task/TID/schedstat: stat has them in hundredths of a second, too coarse for
runs of a second.  Threads that have ended are missing there; ours live as long as their
process.

That of PostgreSQL is the postmaster's, of all its children that live, and of those that
it has reaped: so a backend that ended within a measurement is not forgotten, and one
that lives is not counted twice.
"""

import os
import pathlib

PROC = pathlib.Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
NS = 1e9
# of /proc/PID/stat behind the name, which may hold spaces and brackets: see proc(5)
PPID, CUTIME, CSTIME = 1, 13, 14


def _fields(pid, proc):
    return (proc / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()


def _on_cpu_s(task):
    return int((task / "schedstat").read_text().split()[0]) / NS


def threads_cpu_s(pid, proc=PROC):
    """By thread: {id: (name, seconds)}."""
    return {int(task.name): ((task / "comm").read_text().strip(), _on_cpu_s(task))
            for task in (proc / str(pid) / "task").iterdir()}


def cpu_s(pid, proc=PROC):
    """Of this process alone, over all its threads."""
    return sum(_on_cpu_s(task) for task in (proc / str(pid) / "task").iterdir())


def family_cpu_s(pid, proc=PROC):
    """Of a process, its living children, and the children that it has reaped."""
    fields = _fields(pid, proc)
    seconds = cpu_s(pid, proc) + (int(fields[CUTIME]) + int(fields[CSTIME])) / TICKS
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if int(_fields(entry.name, proc)[PPID]) == pid:
                seconds += cpu_s(entry.name, proc)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile: its parent reaps it, in the next look
    return seconds


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
