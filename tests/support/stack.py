"""A whole deployment on loopback, for end-to-end tests: the sandbox API, keys of an issuer, and `paravent serve`.

    with running_stack(tmp_path) as stack:
        pharmacist = stack.login()                       # profession "21", invented practitioner 0
        answer = stack.consult(pharmacist, 12)           # about person 12 of the sandbox's population
        assert answer.status == 200
        stack.login(acr="eidas1", amr=("pwd",))          # a password only; any member of a Wish
        stack.call("GET", "/v1/compte", pharmacist)      # any request
        stack.metrics()                                  # what a scrape gets

Everything lives in one folder: the configuration (`stack.config`), a copy of the policies to edit (`stack.policies`),
state, ledger, logs. Ports are the system's choice and read from the lines that the processes print.
"""

import http.client
import json
import re
import secrets
import shutil
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from paravent.model import Secret
from paravent.sandbox.population import Population
from paravent.sandbox.practitioners import practitioner
from paravent.sandbox.proofs import DpopKey
from paravent.sandbox.tokens import TokenMint, Wish
from paravent.simulate.certificates import Authority, KeyPair
from paravent.simulate.client import Login
from paravent.simulate.processes import Part, Parts

ROOT: Final = Path(__file__).resolve().parents[2]
ORIGIN: Final = "https://droits.example"
ISSUER: Final = "https://as.example"
AUDIENCE: Final = "urn:paravent:droits"
CLIENT: Final = "portail"
CONSULTATION: Final = "/v1/droits/consultation"
PERSONS: Final = 100_000
"""Size of the sandbox's population here: enough for any test, and quick to build."""

_CONFIG: Final = f"""\
[listen]
address = "127.0.0.1:0"
external_origin = "{ORIGIN}"
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"

[upstream]
url = "@upstream"

[issuers.operateur]
profile = "rfc9068"
issuer = "{ISSUER}"
jwks = "jwks.json"
audience = ["{AUDIENCE}"]
clients = ["{CLIENT}"]

[state]
url = "sqlite:state.db"

[audit]
path = "audit"
key_file = "audit.key"

[metrics]
address = "127.0.0.1:0"

[policy]
path = "policies"
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller received."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str | None:
        """The last part of a problem document's `type`; None when this is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        return str(self.json()["type"]).removeprefix("urn:paravent:problem:")


@lru_cache(maxsize=1)
def population() -> Population:
    """The persons that the sandbox API of a stack knows."""
    return Population(size=PERSONS)


@dataclass(slots=True)
class Stack:
    """What `running_stack` gives."""

    folder: Path
    parts: Parts
    authority: Authority
    mint: TokenMint
    tls: ssl.SSLContext
    """Trusts the stack's server, shows no client certificate."""
    upstream: str
    """Where the lookup API is, http://127.0.0.1:…"""
    proxy: Part | None = field(default=None)
    url: str = ""
    """Where the proxy really listens, https://127.0.0.1:… (callers' proofs are for `ORIGIN`)."""
    management: str = ""
    """http://127.0.0.1:… of /metrics, /readyz, /healthz."""

    @property
    def config(self) -> Path:
        return self.folder / "paravent.toml"

    @property
    def policies(self) -> Path:
        """A copy: tests may edit it."""
        return self.folder / "policies"

    # ---- the proxy

    def start(self, *program: str) -> None:
        """Start `paravent serve` and wait until it is ready. `program`: another way to call `paravent`."""
        program = program or ("-m", "paravent.cli")
        self.proxy = self.parts.start("proxy", *program, "serve", "--config", str(self.config))
        line = _printed(self.parts, self.proxy, r"ready on (\S+) .*metrics on (http://[^/\s]+)/metrics")
        self.url, self.management = line[1], line[2]
        self.parts.wait(self.proxy, lambda: self.scrape("/readyz")[0] == 200)

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        if self.proxy is not None:
            self.parts.stop(self.proxy)
            self.proxy = None

    def kill(self) -> None:
        """SIGKILL."""
        if self.proxy is not None:
            self.proxy.process.kill()
            self.stop()

    # ---- callers

    def login(self, profession: str = "21", serial: int = 0, **wish: Any) -> Login:
        """A token of a fresh two-factor login, bound to a new DPoP key. `wish`: members of `Wish` to replace."""
        who = practitioner(serial, profession)
        key = DpopKey.generate()
        usual = {"rpps": who.rpps, "profession": profession, "finess": who.finess, "jkt": key.jkt}
        return Login(Secret(self.mint.mint(Wish(**usual | wish), int(time.time()))), key)

    def certificate(self, name: str) -> KeyPair:
        """A client certificate that the proxy trusts."""
        return self.authority.client(name)

    def tls_with(self, pair: KeyPair) -> ssl.SSLContext:
        """Trusts the stack's server and shows a client certificate."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    def consult(self, login: Login | None, person: int, **members: Any) -> Reply:
        """The ADRi question about one person of the population. `members` are added to the body, or replace."""
        one = population().person(person)
        body = {
            "immatriculation": one.nir + one.nir_key,
            "dateNaissance": one.birth_date,
            "rangGemellaire": one.birth_rank,
            "dateSoins": time.strftime("%Y-%m-%d"),
            "domaine": "PHAR",
        }
        return self.call("POST", CONSULTATION, login, {**body, **members})

    def call(
        self,
        method: str,
        target: str,
        login: Login | None = None,
        body: object = None,
        headers: Sequence[tuple[str, str]] = (),
        tls: ssl.SSLContext | None = None,
    ) -> Reply:
        """One request on a connection of its own, with a fresh proof. `body`: bytes as they are, the rest as JSON.

        `headers` come on top, or in place of ours. `tls`: from `tls_with`, to show a client certificate.
        """
        sent = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        all_headers = dict(headers)
        if sent is not None:
            all_headers.setdefault("Content-Type", "application/json")
        if login is not None:
            token = login.token.reveal()
            proof = login.key.proof(method, ORIGIN + target, token, int(time.time()))
            all_headers = {"Authorization": f"DPoP {token}", "DPoP": proof} | all_headers
        place = urlsplit(self.url)
        caller = http.client.HTTPSConnection(place.hostname or "", place.port, timeout=10, context=tls or self.tls)
        with closing(caller):
            caller.request(method, target, sent, all_headers)
            response = caller.getresponse()
            return Reply(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())

    # ---- the operator

    def metrics(self) -> str:
        """What a scrape gets."""
        return self.scrape("/metrics")[1].decode()

    def scrape(self, path: str) -> tuple[int, bytes]:
        """Status and body of a path of the management listener."""
        place = urlsplit(self.management)
        caller = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        with closing(caller):
            caller.request("GET", path)
            response = caller.getresponse()
            return response.status, response.read()


@contextmanager
def running_stack(
    folder: Path, *, upstream: str | None = None, config: str = "", start: bool = True
) -> Iterator[Stack]:
    """A deployment in `folder`; every process of it is gone at the end.

    `upstream`: another lookup API than the sandbox's. `config`: TOML to append. `start`: also start the proxy.
    """
    with Parts(folder) as parts:
        authority = Authority(folder)
        authority.server()
        mint = TokenMint(ISSUER, AUDIENCE, CLIENT)
        (folder / "jwks.json").write_text(json.dumps(mint.jwks()))
        (folder / "audit.key").write_text(secrets.token_hex(32) + "\n")
        (folder / "audit.key").chmod(0o600)
        shutil.copytree(ROOT / "policies", folder / "policies")
        tls = ssl.create_default_context(cafile=str(authority.certificate))
        stack = Stack(folder, parts, authority, mint, tls, upstream or _start_sandbox(parts))
        stack.config.write_text(_CONFIG.replace("@upstream", stack.upstream) + config)
        if start:
            stack.start()
        yield stack


def sandbox_hits(stack: Stack) -> Any:
    """What the sandbox API was asked so far: its own count."""
    with urllib.request.urlopen(f"{stack.upstream}/__sandbox/hits", timeout=10) as response:
        return json.load(response)


def _start_sandbox(parts: Parts) -> str:
    api = parts.start("sandbox", "-m", "paravent.cli", "sandbox", "api", "--port", "0", "--size", str(PERSONS))
    return _printed(parts, api, r"ready on (\S+)")[1]


def _printed(parts: Parts, part: Part, pattern: str) -> re.Match[str]:
    """The line that a process prints when it is ready."""
    found: list[re.Match[str]] = []

    def seen() -> bool:
        match = re.search(pattern + r"\s", part.log.read_text("utf-8", errors="replace"))
        if match:
            found.append(match)
        return match is not None

    parts.wait(part, seen)
    return found[0]
