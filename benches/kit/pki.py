"""Certificates for the scenarios over TLS, made anew for each run with the openssl command.

Keys are RSA of 2,048 bits, as the national ones are. One authority issues them all.
"""

import os
import subprocess

from . import estate
from .machine import Unable

CONFIGURATION = """
[ca]
default_ca = authority
[authority]
database = @FOLDER@/index
serial = @FOLDER@/serial
new_certs_dir = @FOLDER@
default_md = sha256
policy = policy
unique_subject = no
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[system]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = clientAuth,serverAuth
subjectAltName = DNS:@HOST@
"""


class Pki:
    """The files of an authority, of a contender, of a consumer, and of one that was revoked."""

    def __init__(self, folder):
        self.folder = folder / "pki"
        self.folder.mkdir()
        (self.folder / "index").touch()
        (self.folder / "serial").write_text("1000\n")
        self.authority = self.file("authority.pem")
        self.list = self.file("revoked.crl")
        self.make("authority", "Bench Authority", "root", "-selfsign")
        self.certificate, self.key = self.make("contender", estate.SERVER_NAME)
        self.consumer = self.make("consumer", estate.HOST)
        self.revoked = self.make("revoked", estate.HOST)
        signer = self.signer()
        self.openssl("ca", *signer, "-revoke", self.revoked[0])
        self.openssl("ca", *signer, "-gencrl", "-crldays", "1", "-out", self.list)
        # HAProxy wants both in one file.
        both = [open(self.file(f"contender.{end}")).read() for end in ("pem", "key")]
        self.both = self.file("contender-both.pem")
        with open(self.both, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write("".join(both))

    def file(self, name):
        """The path of a file, as text."""
        return str(self.folder / name)

    def signer(self):
        """The options that name the authority to `openssl ca`."""
        return ["-batch", "-config", self.file("configuration"), "-cert", self.authority,
                "-keyfile", self.file("authority.key")]

    def make(self, name, common_name, kind="system", *own):
        """A certificate and its key, issued by the authority or by itself."""
        text = CONFIGURATION.replace("@FOLDER@", str(self.folder)).replace("@HOST@", common_name)
        configuration = self.file("configuration")
        with open(configuration, "w") as out:
            out.write(text)
        certificate, key, request = (self.file(f"{name}.{end}") for end in ("pem", "key", "csr"))
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
                     "-subj", f"/CN={common_name}", "-config", configuration)
        signer = [*own, "-config", configuration, "-batch", "-keyfile", key] if own else self.signer()
        self.openssl("ca", *signer, "-in", request, "-out", certificate, "-notext", "-days", "1",
                     "-extensions", kind)
        return certificate, key

    @staticmethod
    def openssl(*arguments):
        """Runs the command."""
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise Unable(f"openssl {arguments[0]} failed:\n{done.stderr[-2000:]}")
