"""A deployment as somebody makes it who has nothing but the contract: no module of the project is imported here.

    with serving(tmp_path) as site:             # the configuration of the contract, an upstream, `paravent serve`
        assert site.ask().status == 200         # a pharmacist who has just logged in, about person 1
        site.ask(acr="eidas1")                  # a claim replaced; ABSENT leaves it out
        site.ask(profession="28", person=7)
        site.send(b"GET / HTTP/1.1\r\n…")       # any bytes

Keys and certificates are made with `cryptography`, tokens and proofs with PyJWT, requests with the standard library.
Every practitioner is a new one unless `rpps` says otherwise, so that no row spends another row's budget.
"""

import hashlib
import http.client
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from outsider_keys import ABSENT, b64url, certificate, jwk, present, private_key, signed, thumbprint, write_pair
from outsider_upstream import person, upstream

ROOT: Final = Path(__file__).resolve().parents[2]
CONSULTATION: Final = "/v1/droits/consultation"
ORIGIN: Final = "https://droits.example"
ISSUER: Final = "https://as.example"
AUDIENCE: Final = "urn:paravent:droits"

PRINTED: Final = """\
[listen]
address = "127.0.0.1:8443"
external_origin = "https://droits.example"      # what DPoP htu is compared with
certificate = "server.pem"
key = "server.key"
client_ca = "clients.pem"                       # optional: ask for client certificates, for mtls-bound tokens
# or, instead of certificate and key, behind a TLS front proxy:
# plaintext_from = ["127.0.0.1/32"]

[upstream]
url = "http://127.0.0.1:9000"                   # https:// needs ca = "upstream-ca.pem"

[issuers.operateur]
profile = "rfc9068"                             # or "pro-sante-connect"
issuer = "https://as.example"
jwks = "jwks.json"                              # file, or https URL with ca
audience = ["urn:paravent:droits"]
clients = ["portail"]

[state]
url = "sqlite:state.db"                         # or redis://host:port/0

[audit]
path = "audit"                                  # directory of the ledger
key_file = "audit.key"

[metrics]
address = "127.0.0.1:9464"                      # /metrics, /healthz, /readyz

[policy]
path = "policies"
"""
"""The smallest deployment, character by character as the contract prints it."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


_numbers = itertools.count(1)


def new_rpps() -> str:
    return f"997{next(_numbers):08d}"


@dataclass
class Site:
    """A folder with a configuration and all that it names, and what runs of it."""

    folder: Path
    upstream: ThreadingHTTPServer
    alg: str = "ES256"
    process: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)
    """Lines on standard output so far."""
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder = self.folder
        self.authority = certificate("authority")
        self.issuer_key, self.caller_key = private_key("ES256", "issuer"), private_key("ES256", "caller")
        write_pair(folder, "server", certificate("server", self.authority))
        self.client = certificate("portail", self.authority)
        write_pair(folder, "client", self.client)
        for name in ("clients", "authority"):
            (folder / f"{name}.pem").write_bytes(self.authority[0].public_bytes(Encoding.PEM))
        self.publish(jwk("ES256", self.issuer_key, kid="k1"))
        (folder / "audit.key").write_text(secrets.token_hex(32))
        shutil.copytree(ROOT / "policies", folder / "policies")
        self.config = folder / "paravent.toml"
        self.port, self.management = _free_ports()
        self.config.write_text(
            PRINTED.replace("127.0.0.1:8443", f"127.0.0.1:{self.port}")
            .replace("127.0.0.1:9464", f"127.0.0.1:{self.management}")
            .replace("127.0.0.1:9000", f"127.0.0.1:{self.upstream.server_port}")
        )
        self.tls: ssl.SSLContext | None = ssl.create_default_context(cafile=str(folder / "authority.pem"))

    def publish(self, *keys: Any) -> None:
        """The issuer's key set, put in place as careful tools do."""
        (self.folder / "jwks.next").write_text(json.dumps({"keys": keys}))
        os.replace(self.folder / "jwks.next", self.folder / "jwks.json")

    def change(self, *changes: tuple[str, str]) -> None:
        text = self.config.read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the configuration"
            text = text.replace(old, new)
        self.config.write_text(text)

    # ---- running it

    def command(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PARAVENT, *arguments],
            cwd=cwd or "/",
            env=self._environ(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def serve(self) -> subprocess.CompletedProcess[str]:
        """`serve` when it is expected not to start."""
        return self.command("serve", "--config", str(self.config))

    def verify(self) -> int:
        return self.command("audit", "verify", "--config", str(self.config)).returncode

    def start(self, cwd: str = "/", until: Callable[["Site"], bool] | None = None) -> None:
        """Wait until /readyz answers 200, or `until`. The current folder is another one than the file's."""
        self.process = process = subprocess.Popen(
            [*PARAVENT, "serve", "--config", str(self.config)],
            cwd=cwd,
            env=self._environ(),
            stdout=subprocess.PIPE,
            stderr=(self.folder / "stderr").open("ab"),
            text=True,
        )
        assert process.stdout is not None
        stdout = process.stdout
        threading.Thread(target=lambda: self.said.extend(stdout), daemon=True).start()
        is_up = until or Site.is_ready
        deadline = time.monotonic() + 30
        while not is_up(self):
            assert process.poll() is None, (self.folder / "stderr").read_text()
            assert time.monotonic() < deadline, "not ready after 30 s"
            time.sleep(0.05)

    def is_ready(self) -> bool:
        with suppress(OSError):
            return self.scrape("/readyz")[0] == 200
        return False

    def scrape(self, path: str) -> tuple[int, bytes]:
        asking = http.client.HTTPConnection("127.0.0.1", self.management, timeout=10)
        asking.request("GET", path)
        answer = asking.getresponse()
        body = answer.read()
        asking.close()
        return answer.status, body

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """The exit code."""
        assert self.process is not None
        self.process.send_signal(signum)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PARAVENT_")}
        return kept | self.environment

    # ---- what it wrote

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for file in self.ledger_files() for line in file.read_text().splitlines()]

    def ledger_files(self) -> list[Path]:
        return sorted((self.folder / "audit").rglob("*.jsonl"))

    @property
    def asked(self) -> list[dict[str, str]]:
        return list(self.upstream.RequestHandlerClass.asked)  # type: ignore[attr-defined]

    # ---- a practitioner's software

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Of a pharmacist who logged in ten minutes ago with two factors. Changes replace; ABSENT leaves out."""
        now = int(time.time())
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "8" + (changes.pop("rpps", None) or new_rpps()),
            "client_id": "portail",
            "iat": now - 5,
            "exp": now + 300,
            "jti": secrets.token_hex(8),
            "acr": "eidas3",
            "amr": ["sc", "pin", "mfa"],
            "auth_time": now - 600,
            "cnf": {"jkt": thumbprint(jwk("ES256", self.caller_key))},
            "profession": "21",
            "finess": f"99{secrets.randbelow(10**7):07d}",
        }
        return present(usual | changes)

    def token(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        heads = present({"typ": "at+jwt", "alg": "ES256", "kid": "k1"} | dict(header or {}))
        return signed("ES256", self.issuer_key, heads, self.claims(**changes))

    def proof(
        self,
        token: str,
        method: str = "POST",
        path: str = CONSULTATION,
        header: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        public = jwk("ES256", self.caller_key, use=ABSENT, alg=ABSENT)
        heads = present({"typ": "dpop+jwt", "alg": "ES256", "jwk": public} | dict(header or {}))
        usual = {"jti": secrets.token_hex(12), "htm": method, "htu": ORIGIN + path, "iat": int(time.time())}
        ath = b64url(hashlib.sha256(token.encode()).digest())
        return signed("ES256", self.caller_key, heads, present(usual | {"ath": ath} | changes))

    def question(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        one = person(number)
        usual = {
            "immatriculation": one["insMatricule"],
            "dateNaissance": "19840517",
            "rangGemellaire": 1,
            "domaine": "PHAR",
        }
        return present(usual | changes)

    def ask(self, about: int = 1, *, header: Mapping[str, Any] | None = None, **changes: Any) -> Answer:
        """The consultation, with a token whose claims and header may be changed."""
        return self.present_token(self.token(header, **changes), about)

    def prove(self, *, header: Mapping[str, Any] | None = None, **changes: Any) -> Answer:
        """The consultation, with a good token and a proof whose claims and header may be changed."""
        token = self.token()
        return self.call(self.question(), token, self.proof(token, header=header, **changes))

    def present_token(self, token: str, about: int = 1) -> Answer:
        return self.call(self.question(about), token, self.proof(token))

    def call(
        self,
        body: object,
        token: str | None,
        proof: str | None = None,
        *,
        method: str = "POST",
        path: str = CONSULTATION,
        scheme: str = "DPoP",
        headers: Sequence[tuple[str, str]] = (),
        shows: str | None = None,
    ) -> Answer:
        """One request. `shows`: the name of a certificate of the folder, shown as the client's."""
        sent = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        lines = [("Host", "droits.example"), *headers]
        if sent is not None:
            lines += [("Content-Type", "application/json"), ("Content-Length", str(len(sent)))]
        if token is not None:
            lines.append(("Authorization", f"{scheme} {token}"))
        if proof is not None:
            lines.append(("DPoP", proof))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
        return self.send(head.encode() + (sent or b""), shows=shows)

    def send(self, data: bytes, *, shows: str | None = None) -> Answer:
        """Any bytes on a connection of their own, and the answer to them."""
        tls = self.tls
        if shows is not None:
            tls = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
            tls.load_cert_chain(self.folder / f"{shows}.pem", self.folder / f"{shows}.key")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as raw:
            connection = raw if tls is None else tls.wrap_socket(raw, server_hostname="localhost")
            with connection:
                connection.sendall(data)
                response = http.client.HTTPResponse(connection)
                response.begin()
                headers = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, headers, response.read())


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


_SCRIPT = Path(sys.executable).parent / "paravent"
PARAVENT: Final = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "paravent.cli"]


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Everything in its place, nothing started."""
    folder.mkdir(exist_ok=True)
    with upstream() as server:
        made = Site(folder, server)
        try:
            yield made
        finally:
            if made.process is not None:
                made.stop(signal.SIGKILL)


@contextmanager
def serving(folder: Path, *changes: tuple[str, str]) -> Iterator[Site]:
    """`paravent serve`, with changes to the text of its configuration."""
    with site(folder) as made:
        made.change(*changes)
        made.start()
        yield made
