# SPDX-License-Identifier: Apache-2.0
"""gatehouse-web beside a world, and a client of it that shares nothing with its pages.

A Browser here is a cookie, a token and a connection for each request; a Stream is
the reply without end, read event by event.
"""

import http.client
import json
import re
import signal
import socket
import ssl
import time

from harness.world import DEADLINE_S, SOON_BACK, TOP, Failed, free_port, set_keys, wait_until

PAGES = TOP / "web"


class Web:
    """Made by gatehousectl, as an operator would; ends with its world."""

    def __init__(self, world, settings=None, beside=None, prefix=()):
        """`beside`: another one, whose certificates this one shares."""
        self.prefix = prefix
        self.world = world
        self.port = free_port()
        self.program = None
        self.home = world.home / "web"
        if beside is None:
            world.ctl("web", "init", "--port", self.port, "--static", PAGES,
                      "--host", "127.0.0.1", "--host", "localhost")
        else:
            self.home = world.home / f"web-{self.port}"
            (self.home / "run").mkdir(parents=True)
            (self.home / "state").mkdir()
            for name in ("tls", "consoles", "gatehouse-web.yaml"):
                (self.home / name).symlink_to(beside.home / name)
        self.config = self.home / "gatehouse-web.yaml"
        if beside is not None:
            text = self.config.read_text()
            self.config.unlink()
            self.config.write_text(text)
        self.configure({"http.address": "127.0.0.1", "http.port": self.port, **SOON_BACK,
                        **(settings or {})})

    def configure(self, settings):
        set_keys(self.config, settings)

    def start(self):
        self.program = self.world.spawn("gatehouse-web", "-c", self.config, name=self.home.name,
                                        prefix=self.prefix)
        wait_until("gatehouse-web knows the register", lambda: self.status().get("register_known"))

    def status(self):
        if self.program.exit_code is not None:
            raise Failed(f"gatehouse-web ended with {self.program.exit_code}\n"
                         f"{self.program.log_tail()}")
        done = self.world.ctl("web", "status", "--json", "--web", self.config, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def stop(self):
        self.program.signal(signal.SIGTERM)
        return self.program.wait()

    def kill(self):
        self.program.signal(signal.SIGKILL)
        return self.program.wait()

    def add_webhook(self, name, **keys):
        """To the end of the configuration; returns its secret, which is made for it."""
        secret_file = self.home / f"{name}.secret"
        self.world.ctl("web", "webhook-secret", secret_file)
        text = self.config.read_text()
        if "webhooks:\n" not in text:
            text += "webhooks:\n"
        keys = {"name": name, "secret_file": secret_file, **keys}
        text += "  - " + "\n    ".join(f"{key}: {value}" for key, value in keys.items()) + "\n"
        self.config.write_text(text)
        return secret_file.read_text().strip()

    def webhook(self, name):
        """What the status says of it."""
        return next((w for w in self.status().get("webhooks", []) if w["name"] == name), {})

    @property
    def origin(self):
        return f"https://127.0.0.1:{self.port}"

    def link(self, console):
        """The address that signs in as that console, once."""
        return self.world.ctl("console", "login", console, "--web", self.config).stdout.strip()

    def secret(self, console):
        return re.search(r"#login=([0-9a-f]{64})$", self.link(console)).group(1)

    def browser(self, console=None, certificate=None):
        """Signed in by a link where a console is named."""
        browser = Browser(self, certificate)
        if console is not None:
            browser.sign_in(self.secret(console))
        return browser


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Browser:
    """One that is signed in, or not.  `certificate`: a folder of an enrolled client."""

    def __init__(self, web, certificate=None):
        self.web = web
        self.cookie = self.token = None
        self.context = ssl.create_default_context(cafile=web.home / "tls/ca.pem")
        if certificate is not None:
            self.context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.web.port, context=self.context,
                                           timeout=DEADLINE_S)

    def request(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            self._send(connection, method, path, body, headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def _send(self, connection, method, path, body, headers):
        sent = {"Cookie": self.cookie} if self.cookie else {}
        if method == "POST":
            sent["Origin"] = self.web.origin
            if self.token:
                sent["X-Gatehouse-Token"] = self.token
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        connection.request(method, path, body=json.dumps(body) if body is not None else None,
                           headers=sent)

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.request("POST", path, body if body is not None else {}, **how)

    def sign_in(self, secret):
        return self._take(self.post("/api/v1/session/link", {"secret": secret}))

    def sign_in_by_certificate(self):
        return self._take(self.post("/api/v1/session/certificate"))

    def _take(self, reply):
        if reply.status == 200:
            self.cookie = reply.headers["Set-Cookie"].split(";")[0]
            self.token = reply.json["csrf_token"]
        return reply

    def stream(self, last_id=None):
        headers = {"Last-Event-ID": last_id} if last_id else {}
        connection = self.connect()
        self._send(connection, "GET", "/api/v1/stream", None, headers)
        return Stream(connection)


class Event:
    def __init__(self, name, ident, data):
        self.name, self.id = name, ident
        self.event = json.loads(data)
        self.data = self.event.get("data")


class Stream:
    """Events in order; keep-alives are passed over."""

    def __init__(self, connection):
        self._connection = connection
        self.socket = connection.sock
        self._reply = connection.getresponse()
        self.status = self._reply.status
        self.headers = self._reply.headers
        self.last_id = None

    def next(self):
        """The next event; None at the end of the stream."""
        name = ident = data = None
        while True:
            line = self._reply.readline()
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                ident = line[4:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and name == "keepalive":
                name = ident = data = None
            elif not line:
                self.last_id = ident or self.last_id
                return Event(name, ident, data)

    def until(self, condition, deadline_s=DEADLINE_S):
        """All events up to the first for which the condition holds."""
        events, end = [], time.monotonic() + deadline_s
        while time.monotonic() < end:
            event = self.next()
            if event is None:
                raise Failed(f"the stream ended; got {[e.name for e in events]}")
            events.append(event)
            if condition(event):
                return events
        raise Failed(f"waited {deadline_s} s; got {[e.name for e in events]}")

    def snapshot(self):
        """The alarms that stand, up to the end mark."""
        events = self.until(lambda event: event.name == "snapshot_end")
        return [event.data for event in events if event.name == "alarm"]

    def alarm(self, condition=lambda data: True):
        return self.until(lambda e: e.name == "alarm" and condition(e.data))[-1].data

    def close(self):
        # also what is being read: a reader in another thread ends
        try:
            self._connection.sock and self._connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reply.close()
        self._connection.close()
