# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL, and a Gatehouse on top of it, below one folder.

Nothing outside that folder is touched: sockets, certificates, journal and logs
are inside, and the TCP ports are on 127.0.0.1.  Every wait has a deadline and a
condition; when the deadline passes, the error says what was waited for and what
was seen last.
"""

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
DEADLINE_S = 120
POLL_S = 0.05
# below the range that the kernel gives to outgoing connections: those come and go
PORTS = range(20000, 32000)
# an outage of PostgreSQL ends for a program soon after it has ended
SOON_BACK = {"postgresql.retry_max_ms": 1000}


class Failed(Exception):
    """A command, or a wait, that did not end as it had to."""


def run(*argv, check=True, timeout=180, text=None):
    """Runs a program to its end; on a failure its own words are the error."""
    argv = [str(arg) for arg in argv]
    done = subprocess.run(argv, input=text, stdin=None if text else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, errors="replace")
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(what, condition, deadline_s=DEADLINE_S):
    """Polls until condition() is true, and returns what it was."""
    end = time.monotonic() + deadline_s
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > end:
            raise Failed(f"waited {deadline_s} s for: {what}; last seen: {seen!r}")
        time.sleep(POLL_S)


def make_folder():
    """Below TMPDIR: PostgreSQL's own user must get through, and paths of sockets are short."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-"))
    folder.chmod(0o711)
    return folder


class _Ports:
    """Each given once, and to one process of the machine: a port is free until the program
    that it is for listens, and tests run side by side.  The lock of a byte goes with us."""

    def __init__(self):
        self._file = open(pathlib.Path(tempfile.gettempdir()) / f"gatehouse-ports-{os.getuid()}",
                          "ab")
        begin = random.choice(PORTS)
        self._left = itertools.chain(range(begin, PORTS.stop), range(PORTS.start, begin))

    def take(self):
        for port in self._left:
            with contextlib.suppress(OSError), socket.socket() as probe:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                probe.bind(("127.0.0.1", port))
                return port
        raise Failed(f"all ports of {PORTS} were given, or are in use")


free_port = _Ports().take


class Postgres:
    """A cluster of our own in `folder`, through tests/pg.sh."""

    def __init__(self, folder, primary=None):
        """Of its own, or a standby of the `primary`, which runs."""
        self.folder = folder
        self._names = itertools.count(1)
        self.conninfo = ""
        if primary is None:
            self.start()
        else:
            self.follow(primary)

    def start(self):
        self.conninfo = self._pg_sh("start").stdout.strip().splitlines()[-1]

    def stop(self):
        self._pg_sh("stop")

    def kill(self):
        self._pg_sh("kill")

    def follow(self, primary):
        """Whatever it was before, it is the primary's standby now."""
        said = self._pg_sh("standby", primary.folder).stdout
        self.conninfo = said.strip().splitlines()[-1]

    def promote(self):
        self._pg_sh("promote")

    def pids(self):
        """Of all its processes, the postmaster first."""
        postmaster = (pathlib.Path(self.folder) / "data/postmaster.pid").read_text().split()[0]
        children = run("ps", "-o", "pid=", "--ppid", postmaster, check=False).stdout.split()
        return [int(postmaster), *map(int, children)]

    def _pg_sh(self, verb, *more):
        # Its output goes to a file: the server it starts would keep a pipe open.
        with tempfile.TemporaryFile("w+") as out:
            code = subprocess.run([TOP / "tests/pg.sh", verb, self.folder, *more],
                                  stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                  timeout=120).returncode
            out.seek(0)
            said = out.read()
        if code != 0:
            raise Failed(f"tests/pg.sh {verb}: exit {code}\n{said}")
        return subprocess.CompletedProcess(verb, code, said)

    def create_database(self):
        """A new, empty one; returns its conninfo."""
        name = f"gatehouse_{next(self._names)}"
        psql(self.conninfo, f"create database {name}")
        return re.sub(r"dbname=\S+", f"dbname={name}", self.conninfo)


def psql(conninfo, query, check=True):
    """Rows as lists of texts."""
    done = run("psql", "-X", "-q", "-At", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", conninfo,
               "-c", query, check=check)
    return [line.split("\x1f") for line in done.stdout.splitlines()]


class Program:
    """One of ours that runs for a while, with its output in files.

    In a session of its own, so that a Ctrl-C at the terminal reaches us alone and
    we stop the programs in order.
    """

    def __init__(self, argv, log, out=None):
        self.log = pathlib.Path(log)
        self.out = pathlib.Path(out) if out else None
        with open(log, "ab") as log_file, open(out or os.devnull, "wb") as out_file:
            self._process = subprocess.Popen([str(arg) for arg in argv], stderr=log_file,
                                             stdout=out_file, stdin=subprocess.DEVNULL,
                                             start_new_session=True)
        self.pid = self._process.pid

    @property
    def exit_code(self):
        """None while it runs."""
        return self._process.poll()

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout=DEADLINE_S):
        return self._process.wait(timeout)

    def log_tail(self, lines=40):
        if not self.log.exists():
            return "its folder is gone already"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _set_key(lines, section, entry):
    """The lines of a configuration with this entry first in its section, and not twice."""
    key = entry.split(":")[0] + ":"
    inside, kept = False, []
    for line in lines:
        if line and line[0] not in " #-":
            inside = line.startswith(f"{section}:")
        if not (inside and line.startswith(key)):
            kept.append(line)
    if f"{section}:" not in kept:
        kept.append(f"{section}:")
    kept.insert(kept.index(f"{section}:") + 1, entry)
    return kept


def set_keys(config, settings):
    """Sets keys of a configuration file: {"fleet.gap_wait_ms": 500}."""
    lines = config.read_text().splitlines()
    for name, value in settings.items():
        section, key = name.split(".")
        lines = _set_key(lines, section, f"  {key}: {value}")
    config.write_text("\n".join(lines) + "\n")


class World:
    """One Gatehouse: made by init, migrate, set-up and enrolment, as an operator would.

    `prefix`: a program that runs each of ours as its child, such as one that
    changes the clock.
    """

    def __init__(self, folder, build, conninfo, prefix=()):
        self.folder = pathlib.Path(folder)
        self.build = pathlib.Path(build).resolve()
        self.conninfo = conninfo
        self.prefix = list(prefix)
        self.port, self.console_port = free_port(), free_port()
        self.home = self.folder / "home"
        self.config = self.home / "gatehoused.yaml"
        self.fleet = self.folder / "fleet"
        self.desks = self.folder / "desks"
        self.offices = self.folder / "offices"  # registration desks
        self.managers = self.folder / "managers"  # those of them that a fleet plays
        self.daemon = None
        self.programs = []

    # ---- making it --------------------------------------------------------

    def initialise(self):
        run(*self.prefix, self.build / "gatehousectl", "init", "--dir", self.home,
            "--host", "127.0.0.1", "--conninfo", self.conninfo, "--port", self.port,
            "--console-port", self.console_port)
        # a fleet's ledger expects a change for each of its alarms, however close together
        self.configure({"desk.merge_ms": 0, **SOON_BACK})
        # init lets the world in; nobody else is to find us
        self.config.write_text(self.config.read_text().replace("0.0.0.0", "127.0.0.1"))

    def furnish(self, estate):
        """Migrates, sets up the estate, and enrols all of its clients."""
        self.ctl("migrate")
        estate.write_setup(self.folder / "setup.yaml")
        self.ctl("setup", "apply", self.folder / "setup.yaml")
        self.ctl("controller", "issue", "--all", "--out", self.fleet)
        self.ctl("console", "issue", "--all", "--out", self.desks)
        if estate.offices:
            self.ctl("desk", "issue", "--all", "--out", self.offices)
            self.managers.mkdir()
            for name, columns in estate.offices.items():
                if columns["role"] == "manager":
                    (self.managers / name).symlink_to(self.offices / name)

    def configure(self, settings):
        """Sets keys of the configuration: {"fleet.gap_wait_ms": 500}."""
        set_keys(self.config, settings)

    # ---- the daemon -------------------------------------------------------

    def start(self, wait_for_store=True, prefix=()):
        """`prefix`: a program that runs the daemon as its child, such as strace."""
        self.launch(prefix)
        wait_until("the daemon answers", self._answers)
        if wait_for_store:
            self.wait_status("the store runs", lambda s: s["store"]["state"] == "running")

    def launch(self, prefix=()):
        """Begins a start, and waits for nothing."""
        self.daemon = self.spawn("gatehoused", "-c", self.config, prefix=prefix)

    def stop(self):
        """By SIGTERM; returns the exit code."""
        self.daemon.signal(signal.SIGTERM)
        return self.daemon.wait()

    def kill(self):
        self.daemon.signal(signal.SIGKILL)
        return self.daemon.wait()

    def status(self):
        return json.loads(self.ctl("status", "--json").stdout)

    def wait_status(self, what, condition, deadline_s=DEADLINE_S):
        """Polls status until the condition holds for it; returns that status."""
        def look():
            if self.daemon.exit_code is not None:
                raise Failed(f"the daemon ended with {self.daemon.exit_code} while waiting for: "
                             f"{what}\n{self.daemon.log_tail()}")
            status = self.status()
            return status if condition(status) else None
        return wait_until(what, look, deadline_s)

    def wait_stored(self):
        """Until PostgreSQL has all that the journal has."""
        return self.wait_status("stored has reached appended", lambda s: (
            s["positions"]["stored"] == s["positions"]["durable"] == s["positions"]["appended"]))

    def _answers(self):
        if self.daemon.exit_code is not None:
            raise Failed(f"the daemon ended with {self.daemon.exit_code} at its start\n"
                         f"{self.daemon.log_tail()}")
        return self.ctl("status", "--json", check=False).returncode == 0

    # ---- the other programs -----------------------------------------------

    def ctl(self, *args, check=True):
        return run(*self.prefix, self.build / "gatehousectl", "-c", self.config, *args,
                   check=check)

    def sql(self, query):
        return psql(self.conninfo, query)

    def value(self, query):
        """The one number that the query yields."""
        return int(self.sql(query)[0][0])

    def sim(self, *args, name="sim", ledger="ledger", prefix=()):
        """A fleet that runs beside us; ledger, summary and progress are in the folder."""
        return self.spawn("gatehouse-sim", "run", "--fleet", self.fleet, "--ledger",
                           self.folder / ledger, "--json", *args, name=name,
                           out=self.folder / f"{name}.json", prefix=prefix)

    def sim_to_end(self, *args, timeout=DEADLINE_S * 3, **names):
        """Runs a fleet to the end of its work; returns its summary."""
        sim = self.sim(*args, **names)
        code = sim.wait(timeout)
        if code != 0:
            raise Failed(f"gatehouse-sim ended with {code}\n{sim.log_tail()}\n"
                         f"daemon:\n{self.daemon.log_tail()}")
        return json.loads(sim.out.read_text())

    def verify(self, *args, ledger="ledger"):
        """The ledger against PostgreSQL: the finished process, with its figures as .figures."""
        done = run(self.build / "gatehouse-sim", "verify", "--ledger", self.folder / ledger,
                   "--conninfo", self.conninfo, "--wait", DEADLINE_S, "--json", *args,
                   check=False, timeout=DEADLINE_S * 3)
        if done.returncode == 2:
            raise Failed(f"gatehouse-sim verify could not compare\n{done.stderr}")
        done.figures = json.loads(done.stdout)
        return done

    def end_load(self, sim, timeout=DEADLINE_S * 2):
        """Ends a fleet that sends for ever: it sees to what is left, and must succeed."""
        sim.signal(signal.SIGTERM)
        code = sim.wait(timeout)
        if code != 0:
            raise Failed(f"gatehouse-sim ended with {code}\n{sim.log_tail()}\n"
                         f"daemon:\n{self.daemon.log_tail()}")
        return json.loads(sim.out.read_text())

    def assert_ledger_holds(self, *args, ledger="ledger"):
        """0 lost, 0 double, 0 invented, order kept; returns the figures."""
        done = self.verify(*args, ledger=ledger)
        if done.returncode != 0:
            raise Failed(f"the ledger does not hold\n{done.stdout}\n{self.daemon.log_tail()}")
        return done.figures

    def spawn(self, program, *args, name=None, out=None, prefix=()):
        spawned = Program([*self.prefix, *prefix, self.build / program, *args],
                          self.folder / f"{name or program}.log", out)
        self.programs.append(spawned)
        return spawned

    # ---- the end ----------------------------------------------------------

    def end(self):
        """Stops what still runs, and nothing else."""
        for program in reversed(self.programs):
            if program.exit_code is None:
                program.signal(signal.SIGTERM)
                try:
                    program.wait(15)
                except subprocess.TimeoutExpired:
                    program.signal(signal.SIGKILL)
                    program.wait()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
