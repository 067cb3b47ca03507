# SPDX-License-Identifier: Apache-2.0
"""The programs that measurements are made with: the floors, and the load."""

import json
import pathlib
import subprocess

from harness.world import DEADLINE_S, Failed, Program, free_port, run


class Told:
    """A program that does what it is told, line by line, and answers each with one of JSON."""

    def __init__(self, argv, log, text=""):
        """`text`: what it reads before it says that it is ready."""
        self._log = log
        with open(log, "ab") as errors:
            self._process = subprocess.Popen([str(arg) for arg in argv], text=True,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=errors, start_new_session=True)
        self.pid = self._process.pid
        self._send(text)
        self._command = "its start"
        self.answer()

    def say(self, command):
        """Obeyed, when this returns; what became of it."""
        self.begin(command)
        return self.answer()

    def begin(self, command):
        self._command = command
        self._send(command + "\n")

    def answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self._name} ended at \"{self._command}\": {self._log_tail()}")
        return json.loads(line)

    def _send(self, text):
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except BrokenPipeError as gone:
            raise Failed(f"{self._name} is gone: {self._log_tail()}") from gone

    @property
    def _name(self):
        return pathlib.Path(self._process.args[0]).name

    def _log_tail(self):
        with open(self._log, encoding="utf-8") as log:
            return "".join(log.readlines()[-3:]).strip()

    def end(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()


class Load(Told):
    """A fleet that does what it is told: see tests/bench/load.c."""

    SOURCE_ADDRESSES = 8

    def __init__(self, build, log, fleet, port, first, controllers, epoch):
        self.controllers, self.epoch = controllers, epoch
        super().__init__([build / "bench/load", fleet, f"127.0.0.1:{port}", first, controllers,
                          epoch, self.SOURCE_ADDRESSES], log)


class TlsFloor:
    """A server that does nothing but TLS: see tests/bench/tls_floor.c."""

    def __init__(self, build, folder, home, suite, group, tickets):
        self.port = free_port()
        out = folder / f"tls_floor-{self.port}.out"
        tls = home / "tls"
        self._program = Program([build / "bench/tls_floor", self.port, tls / "ca.pem",
                                 tls / "certificate.pem", tls / "key.pem", suite, group, tickets],
                                folder / "tls_floor.log", out)
        self.pid = self._program.pid
        while out.read_text() != "ready\n":
            if self._program.exit_code is not None:
                raise Failed(f"the floor of TLS ended: {self._program.log_tail(3)}")

    def end(self):
        if self._program.exit_code is None:
            self._program.signal(15)
            self._program.wait(DEADLINE_S)


def sync_floor(build, folder, group_bytes, groups):
    done = run(build / "bench/sync_floor", folder / "sync_floor.bytes", group_bytes, groups)
    return json.loads(done.stdout)


def copy_floor(build, conninfo, rows, per_transaction):
    done = run(build / "bench/copy_floor", conninfo, rows, per_transaction, timeout=600)
    return json.loads(done.stdout)


def fill_journal(build, directory, records, epoch, controllers):
    """`controllers`: (controller_id, site_id, door_id)."""
    run(build / "bench/fill_journal", directory, records, epoch,
        text="".join(f"{a} {b} {c}\n" for a, b, c in controllers), timeout=600)
