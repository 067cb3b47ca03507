# SPDX-License-Identifier: Apache-2.0
"""Certificates and revocation lists as an authority's own tools make them: plain openssl."""

import shutil

from harness.world import run


def new_certificate(world, days, tls=None):
    """Of the server, by its own authority, in the place of the one that there is."""
    tls, ca = tls or world.home / "tls", world.home / "ca"
    extensions = world.folder / "server.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=gatehoused", "-keyout", world.folder / "new.key",
        "-out", world.folder / "new.csr")
    run("openssl", "x509", "-req", "-in", world.folder / "new.csr", "-CA", ca / "ca.pem",
        "-CAkey", ca / "ca.key", "-CAcreateserial", "-days", days, "-extfile", extensions,
        "-out", world.folder / "new.pem")
    shutil.copyfile(world.folder / "new.pem", tls / "certificate.pem")
    shutil.copyfile(world.folder / "new.key", tls / "key.pem")


def revoke(world, certificate, out):
    """A revocation list with this certificate on it, as OpenSSL's own authority writes it."""
    index, number, conf = (world.folder / name for name in ("index.txt", "crlnumber", "ca.conf"))
    index.touch()
    number.write_text("01\n")
    conf.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\ncrlnumber={number}\n"
                    "default_md=sha256\ndefault_crl_days=30\n")
    authority = ("-config", conf, "-cert", world.home / "ca/ca.pem",
                 "-keyfile", world.home / "ca/ca.key")
    run("openssl", "ca", *authority, "-revoke", certificate)
    run("openssl", "ca", *authority, "-gencrl", "-out", out)
