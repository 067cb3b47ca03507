# SPDX-License-Identifier: Apache-2.0
"""One that is called by webhooks: an HTTPS server that verifies signatures by hand."""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading

from harness.world import run, wait_until

MAX_AGE_S = 300


def make_certificate(folder):
    """A certificate for 127.0.0.1 that nobody but itself signed; returns its two files."""
    folder.mkdir()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "2", "-subj", "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", key, "-out", certificate)
    return certificate, key


class Request:
    def __init__(self, headers, body):
        self.headers, self.body = headers, body
        self.id = headers["webhook-id"]
        self.timestamp = headers["webhook-timestamp"]
        self.event = json.loads(body)
        self.kind = self.event["type"].removeprefix("gatehouse.")
        self.data = self.event["data"]

    def is_signed_by(self, secret):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        text = f"{self.id}.{self.timestamp}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


class Receiver:
    """`answer` says what becomes of a request: a status, or (status, headers, body); it may
    wait.  `requests`: all, in the order in which they came."""

    def __init__(self, certificate=None, key=None, address="127.0.0.1"):
        self.answer = lambda request: 204
        self.requests = []
        self.taken = []  # those that were answered with 2xx, in the order of the answers
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer((address, 0), self._handler())
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.url = f"{scheme}://{address}:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._take(self, Request(self.headers, body))

            def log_message(self, *args):
                pass
        return Handler

    def _take(self, handler, request):
        request.path = handler.path
        with self._lock:
            self.requests.append(request)
        answer = self.answer(request)
        status, headers, body = answer if isinstance(answer, tuple) else (answer, {}, b"")
        if 200 <= status <= 299:
            with self._lock:
                self.taken.append(request)
        try:
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True

    def alarms(self):
        """What was taken of changes and of snapshots, in order."""
        with self._lock:
            return [request.data for request in self.taken if request.kind == "alarm"]

    def wait(self, what, condition):
        """Until the condition holds for what was taken."""
        return wait_until(what, lambda: condition(self.taken))

    def wait_position(self, position):
        self.wait(f"the receiver has {position}", lambda taken: any(
            request.data.get("position") == position for request in taken))

    def wait_snapshot(self):
        self.wait("the receiver has a snapshot", lambda taken: any(
            request.kind == "snapshot_end" for request in taken))

    def close(self):
        self._server.shutdown()
        self._server.server_close()
