# SPDX-License-Identifier: Apache-2.0
"""A network namespace for a daemon, at two addresses that can be cut off one by one.

Cut off means that packets vanish in both directions and nobody is told: what a
dead router does, and what no close of a socket can imitate.  Needs root.
"""

import ipaddress
import itertools
import os
import subprocess

from harness.world import run

_numbers = itertools.count()


def why_not():
    """Why there can be no namespace here; empty when there can."""
    try:
        with Network():
            pass
    except (OSError, subprocess.SubprocessError, Exception) as error:
        return f"no network namespaces with nftables here: {error}"
    return ""


class Network:
    """`steady` and `shaky`: addresses of the machine inside."""

    def __init__(self):
        number = next(_numbers) % 16
        self.name = f"gatehouse-{os.getpid()}-{number}"
        # at most 15 letters
        self._link = f"gh{os.getpid() % 1000000}x{number}"
        # the range for tests between networks, RFC 2544, 198.18.0.0/15: a /29 for each
        net = ipaddress.ip_address("198.18.0.0") + 8 * (os.getpid() % 1024 * 16 + number)
        self._outside, self.steady, self.shaky = (str(net + i) for i in (1, 2, 3))
        self.prefix = ["ip", "netns", "exec", self.name]
        self._made = False

    def __enter__(self):
        try:
            run("ip", "netns", "add", self.name)
            self._made = True
            run("ip", "link", "add", self._link, "type", "veth", "peer", "eth0", "netns", self.name)
            run("ip", "address", "add", f"{self._outside}/29", "dev", self._link)
            run("ip", "link", "set", self._link, "up")
            self._inside("ip", "link", "set", "lo", "up")
            self._inside("ip", "link", "set", "eth0", "up")
            for address in (self.steady, self.shaky):
                self._inside("ip", "address", "add", f"{address}/29", "dev", "eth0")
            self.cut()
            self.join()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def cut(self):
        """The shaky address is gone."""
        self._inside("nft", f"""
            add table inet cut
            add chain inet cut input {{ type filter hook input priority 0; }}
            add chain inet cut output {{ type filter hook output priority 0; }}
            add rule inet cut input ip daddr {self.shaky} drop
            add rule inet cut output ip saddr {self.shaky} drop""")

    def join(self):
        self._inside("nft", "delete table inet cut")

    def remove(self):
        if self._made:
            # takes its end of the link with it, and so the other one
            run("ip", "netns", "delete", self.name, check=False)
            self._made = False

    def _inside(self, *argv):
        return run(*self.prefix, *argv)
