# SPDX-License-Identifier: Apache-2.0
"""CPU that is counted once, and none that is forgotten.

Guards the numerator of each ratio.  Without the reaped children a backend that ended
within a measurement costs nothing; without the search for the last bracket a process
with one in its name costs anything.
"""

import pytest
from bench.spent import TICKS, by_name, cpu_s, family_cpu_s, rss_bytes, threads_cpu_s


def put(proc, pid, ppid, name="postgres", own=(0, 0), reaped=(0, 0)):
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    times = " ".join(str(t) for t in (*own, *reaped))
    text = f"{pid} ({name}) S {ppid} 0 0 0 0 0 0 0 0 0 {times} 20 0 1 0 0\n"
    (folder / "stat").write_text(text)
    return text


def test_a_name_with_brackets_and_spaces_moves_no_field(tmp_path):
    put(tmp_path, 10, 1, name="a) S 7 (b", own=(3, 4), reaped=(100, 100))
    assert cpu_s(10, tmp_path) == 7 / TICKS


def test_a_family_is_the_parent_living_children_and_reaped_ones(tmp_path):
    put(tmp_path, 10, 1, own=(1, 2), reaped=(10, 20))
    put(tmp_path, 11, 10, own=(100, 200), reaped=(5000, 5000))
    put(tmp_path, 12, 10, own=(1000, 2000))
    put(tmp_path, 13, 11, own=(90000, 0))  # a grandchild is its parent's business
    put(tmp_path, 14, 1, own=(90000, 0))
    (tmp_path / "self").mkdir()
    assert family_cpu_s(10, tmp_path) == (3 + 30 + 300 + 3000) / TICKS


def test_a_child_that_ended_keeps_its_time_with_the_parent(tmp_path):
    put(tmp_path, 10, 1, own=(1, 1))
    put(tmp_path, 11, 10, own=(30, 40))
    before = family_cpu_s(10, tmp_path)
    (tmp_path / "11/stat").unlink()
    (tmp_path / "10/stat").write_text("10 (postgres) S 1 0 0 0 0 0 0 0 0 0 1 1 30 40 20 0\n")
    assert family_cpu_s(10, tmp_path) == before


def test_threads_are_told_apart_by_id_and_summed_by_name(tmp_path):
    text = put(tmp_path, 10, 1)
    for thread, own in ((10, 5), (11, 7), (12, 9)):
        folder = tmp_path / f"10/task/{thread}"
        folder.mkdir(parents=True)
        name = "main" if thread == 10 else "worker"
        (folder / "stat").write_text(text.replace("postgres", name).replace(" 0 0 0 0 20 ",
                                                                            f" {own} 0 0 0 20 "))
    seen = threads_cpu_s(10, tmp_path)
    assert seen[11] == ("worker", 7 / TICKS)
    assert by_name({}, seen)["worker"] == pytest.approx(16 / TICKS)
    assert by_name({11: ("worker", 7 / TICKS)}, seen)["worker"] == pytest.approx(9 / TICKS)


def test_memory_is_the_resident_one(tmp_path):
    (tmp_path / "10").mkdir()
    (tmp_path / "10/status").write_text("VmPeak:\t 900 kB\nVmRSS:\t  12 kB\nVmSwap: 1 kB\n")
    assert rss_bytes(10, tmp_path) == 12 * 1024
