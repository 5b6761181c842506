"""A folder with everything that a configuration names, and the configuration; and ways to spoil it.

folder = Deployment(tmp_path)
folder.problems(('address = "127.0.0.1:8443"', 'address = "nowhere"'))   →   ["paravent.toml:2:1: address is not …"]
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from paravent.problems import InvalidFiles
from paravent.settings import Settings, load_settings
from tokens import signing_key

CONFIGURATION: Final = """\
[listen]
address = "127.0.0.1:8443"
external_origin = "https://droits.example"
certificate = "server.pem"
key = "server.key"

[upstream]
url = "http://127.0.0.1:9000"

[issuers.operateur]
profile = "rfc9068"
issuer = "https://as.example"
jwks = "jwks.json"
audience = ["urn:paravent:droits"]
clients = ["portail"]

[state]
url = "sqlite:state.db"

[audit]
path = "audit"
key_file = "audit.key"

[metrics]
address = "127.0.0.1:9464"

[policy]
path = "policies"
"""

JWKS: Final = {"keys": [signing_key("ES256", "k1").jwk()]}


@cache
def certificate(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate and its private key, PEM; the same for the same name in one run."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return built.public_bytes(Encoding.PEM), private


class Deployment:
    """The files of the smallest deployment, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "paravent.toml"
        self.file.write_text(CONFIGURATION, "utf-8")
        server, key = certificate("server")
        (folder / "server.pem").write_bytes(server)
        (folder / "server.key").write_bytes(key)
        (folder / "jwks.json").write_text(json.dumps(JWKS), "utf-8")
        (folder / "audit.key").write_text("ab" * 32 + "\n", "utf-8")
        for name in ("server.key", "audit.key"):
            (folder / name).chmod(0o600)
        (folder / "policies").mkdir()

    def change(self, *changes: tuple[str, str]) -> "Deployment":
        """Replace text of the configuration. A change that changes nothing is a mistake."""
        text = self.file.read_text("utf-8")
        for old, new in changes:
            assert text.count(old) == 1, f"the configuration has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        self.file.write_text(text, "utf-8")
        return self

    def write(self, name: str, data: bytes | str) -> "Deployment":
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return self

    def load(self, environ: Mapping[str, str] | None = None) -> Settings:
        return load_settings(self.file, environ or {})

    def problems(self, environ: Mapping[str, str] | None = None) -> list[str]:
        """What is said of it: `file:line:column: message (hint)`."""
        try:
            self.load(environ)
        except InvalidFiles as invalid:
            return [
                str(problem).replace("\n    hint: ", " (") + (")" if problem.hint else "")
                for problem in invalid.problems
            ]
        return []
