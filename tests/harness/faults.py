# SPDX-License-Identifier: Apache-2.0
"""Faults put under a program from outside: system calls that fail, a disk that is small.

Where this machine doesn't allow one, the test that wants it is skipped and says so.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from harness.world import Program, run, wait_until


def need_strace():
    """strace is there, and may trace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if run("strace", "-o", "/dev/null", "true", check=False).returncode != 0:
        pytest.skip("strace may not trace here")
    if os.geteuid() != 0:
        pytest.skip("the daemon forbids tracing by all but root")


class Call:
    """One system call as strace saw it, in the order of its end."""

    _form = re.compile(r"(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>-?\d+)(?P<error>.*)$")

    def __init__(self, line):
        seen = self._form.match(line)
        self.name, self.args = seen["name"], seen["args"]
        self.result, self.error = int(seen["result"]), seen["error"]
        path = re.match(r"\d+<([^>]*)>", self.args)
        self.path = path[1] if path else None


class Strace:
    """Traces a program that runs, and changes what its system calls return.

    `rules`: -e rules, such as "trace=fdatasync" and "inject=fdatasync:error=EIO:when=3".
    """

    def __init__(self, pid, log, *rules):
        self.log = pathlib.Path(log)
        argv = ["strace", "-f", "-y", "-s", "0", "-o", self.log, "-p", pid]
        for rule in rules:
            argv += ["-e", rule]
        said = self.log.with_suffix(".err")
        self._program = Program(argv, said)
        # it may end at once, with the program that it traces
        wait_until("strace is attached", lambda: "attached" in said.read_text())

    def calls(self):
        """Those that have ended; a call that was begun and cut off is not among them."""
        begun, calls = {}, []
        for line in self.log.read_text(errors="replace").splitlines():
            thread, _, text = line.partition(" ")
            text = text.lstrip()
            if text.endswith("<unfinished ...>"):
                begun[thread] = text.removesuffix("<unfinished ...>").rstrip()
                continue
            if text.startswith("<... "):
                text = begun.pop(thread, "") + text.partition("resumed>")[2]
            if Call._form.match(text):
                calls.append(Call(text))
        return calls

    def detach(self):
        if self._program.exit_code is None:
            self._program.signal(signal.SIGINT)
        self._program.wait()


@contextlib.contextmanager
def small_disk(folder, size_mb):
    """A file system of its own of `size_mb` at the folder, which need not be empty."""
    folder = pathlib.Path(folder)
    aside = folder.with_name(folder.name + ".below")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    shutil.copytree(folder, aside)
    mount = run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder, check=False)
    if mount.returncode != 0:
        shutil.rmtree(aside)
        pytest.skip(f"a tmpfs can't be mounted here: {mount.stderr.strip()}")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield folder
    finally:
        # lazily: the daemon of a test that failed may still have files open
        subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(aside, ignore_errors=True)


class Ballast:
    """A file that takes space away from a file system, until it is dropped."""

    def __init__(self, folder, leave_bytes):
        self.path = pathlib.Path(folder) / "ballast"
        left = shutil.disk_usage(folder).free - leave_bytes
        assert left > 0
        with open(self.path, "wb") as out:
            os.posix_fallocate(out.fileno(), 0, left)

    def drop(self):
        self.path.unlink()
