# SPDX-License-Identifier: Apache-2.0
"""CPU that is counted once, and none that is forgotten.

Guards the numerator of each ratio.  Without the reaped children a backend that ended
within a measurement costs nothing; without the search for the last bracket a process
with one in its name has anybody's children.
"""

import pytest
from bench.spent import NS, TICKS, by_name, cpu_s, family_cpu_s, rss_bytes, threads_cpu_s


def put(proc, pid, ppid, name="postgres", own_s=(0,), reaped=(0, 0)):
    """A process whose threads were on a CPU for so long; `reaped` in ticks."""
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} ({name}) S {ppid} 0 0 0 0 0 0 0 0 0 77 77 "
                                 f"{reaped[0]} {reaped[1]} 20 0 1 0 0\n")
    for thread, seconds in enumerate(own_s, start=pid):
        task = folder / "task" / str(thread)
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"{int(seconds * NS)} 999 5\n")
        (task / "comm").write_text((name if thread == pid else "worker") + "\n")


def test_all_threads_of_a_process_count(tmp_path):
    put(tmp_path, 10, 1, own_s=(1, 0.5, 0.25), reaped=(100, 100))
    assert cpu_s(10, tmp_path) == pytest.approx(1.75)


def test_a_family_is_the_parent_living_children_and_reaped_ones(tmp_path):
    put(tmp_path, 10, 1, own_s=(1,), reaped=(10 * TICKS, 20 * TICKS))
    put(tmp_path, 110, 10, own_s=(100,), reaped=(5000, 5000))
    put(tmp_path, 120, 10, name="a) S 7 (b", own_s=(1000,))
    put(tmp_path, 130, 110, own_s=(90000,))  # a grandchild is its parent's business
    put(tmp_path, 140, 1, name="c) S 10 (d", own_s=(90000,))
    (tmp_path / "self").mkdir()
    assert family_cpu_s(10, tmp_path) == pytest.approx(1 + 30 + 100 + 1000)


def test_a_child_that_ended_keeps_its_time_with_the_parent(tmp_path):
    put(tmp_path, 10, 1, own_s=(1,), reaped=(0, 0))
    put(tmp_path, 110, 10, own_s=(0.7,))
    before = family_cpu_s(10, tmp_path)
    (tmp_path / "110/stat").unlink()
    (tmp_path / "10/stat").write_text(f"10 (postgres) S 1 0 0 0 0 0 0 0 0 0 1 1 "
                                      f"{TICKS * 3 // 10} {TICKS * 4 // 10} 20 0\n")
    assert family_cpu_s(10, tmp_path) == pytest.approx(before)


def test_threads_are_told_apart_by_id_and_summed_by_name(tmp_path):
    put(tmp_path, 10, 1, name="main", own_s=(5, 7, 9))
    seen = threads_cpu_s(10, tmp_path)
    assert seen[11] == ("worker", pytest.approx(7))
    assert by_name({}, seen) == {"main": pytest.approx(5), "worker": pytest.approx(16)}
    assert by_name({11: ("worker", 7)}, seen)["worker"] == pytest.approx(9)


def test_memory_is_the_resident_one(tmp_path):
    (tmp_path / "10").mkdir()
    (tmp_path / "10/status").write_text("VmPeak:\t 900 kB\nVmRSS:\t  12 kB\nVmSwap: 1 kB\n")
    assert rss_bytes(10, tmp_path) == 12 * 1024
