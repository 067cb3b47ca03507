# SPDX-License-Identifier: Apache-2.0
"""A wire between two programs that can be cut: a TCP relay on 127.0.0.1."""

import contextlib
import socket
import threading


class Relay:
    """Passes bytes on to `port`; after cut() nothing passes, until mend()."""

    def __init__(self, port):
        self._to = port
        self._open = set()
        self._lock = threading.Lock()
        self._cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends what passes, and lets nobody in."""
        with self._lock:
            self._cut = True
            for one in self._open:
                # also wakes the thread that reads it
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self._lock:
            self._cut = False

    def end(self):
        self.cut()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        try:
            while chunk := a.recv(65536):
                b.sendall(chunk)
        except OSError:
            pass
        for one in (a, b):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {a}
        a.close()
