"""The stage of the demo: a temporary folder with certificates, keys and two deployments, and the processes on it.

Two proxies, because they live in two times. The day's is started through `paravent.cli.demo_node`, with a clock that
the replay moves; the other, which is attacked, is `paravent serve` as anybody runs it. Both use the same policy; each
has its own state and ledger.
"""

import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paravent.simulate.certificates import Authority
from paravent.simulate.client import Caller
from paravent.simulate.logins import AUDIENCE, CLIENT, DayIssuer, Issuer
from paravent.simulate.processes import Part, Parts, answers, free_ports, listens

_CLI: Final = ("-m", "paravent.cli")
_DEPLOYMENT: Final = """\
[listen]
address = "127.0.0.1:{port}"
external_origin = "{origin}"
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"

[upstream]
url = "{api}"

[issuers.demo]
profile = "rfc9068"
issuer = "{issuer}"
jwks = "{name}-jwks.json"
audience = ["{audience}"]
clients = ["{client}"]

[state]
url = "sqlite:{name}-state.db"

[audit]
path = "{name}-audit"
key_file = "audit.key"

[metrics]
address = "127.0.0.1:{metrics}"

[policy]
path = {policies}
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One proxy: its files, and where it will listen."""

    name: str
    origin: str
    metrics: str
    config: Path


class Scene:
    """What is needed to play, set up but for the processes."""

    def __init__(self, folder: Path, policies: Path) -> None:
        self._folder = folder
        self._policies = policies
        self._ports = free_ports(6)
        self.authority = Authority(folder)
        self.authority.server()
        key = folder / "audit.key"
        key.touch(0o600)
        key.write_text(secrets.token_hex(32) + "\n", "ascii")
        self.api = f"http://127.0.0.1:{self._ports[0]}"
        self.issuer = f"http://127.0.0.1:{self._ports[1]}"
        self.tls = ssl.create_default_context(cafile=str(self.authority.certificate))

    def start_laboratory(self, parts: Parts, seed: int) -> None:
        """The reference API and the issuer."""
        api_port, issuer_port = self._ports[:2]
        api = parts.start("reference API", *_CLI, "sandbox", "api", "--port", str(api_port), "--seed", str(seed))
        options = ("--port", str(issuer_port), "--issuer", self.issuer, "--audience", AUDIENCE, "--client", CLIENT)
        issuer = parts.start("token issuer", *_CLI, "sandbox", "issuer", *options)
        parts.wait(api, listens(api_port))
        parts.wait(issuer, listens(issuer_port))

    def start_day_proxy(self, parts: Parts, issuer: DayIssuer, clock: Path) -> tuple[Part, Node]:
        """A proxy that lives in the time of `clock` and believes `issuer`. Not waited for."""
        node = self._deploy("day", self._ports[2], self._ports[3], issuer.jwks())
        arguments = ("-m", "paravent.cli.demo_node", str(node.config), str(clock))
        return parts.start("proxy of the honest day", *arguments), node

    def start_proxy(self, parts: Parts) -> tuple[Part, Node]:
        """`paravent serve`, believing the laboratory's issuer. Not waited for."""
        node = self._deploy("attacked", self._ports[4], self._ports[5], Issuer(self.issuer).jwks())
        return parts.start("proxy", *_CLI, "serve", "--config", str(node.config)), node

    def wait(self, parts: Parts, part: Part, node: Node) -> None:
        """Until the proxy says it is ready."""
        parts.wait(part, answers(f"{node.metrics}/readyz"))

    def straight(self) -> Caller:
        """A connection to the API itself, as in 2022."""
        return Caller(self.api)

    def through(self, node: Node) -> Caller:
        """A connection to a proxy."""
        return Caller(node.origin, self.tls)

    def _deploy(self, name: str, port: int, metrics: int, jwks: bytes) -> Node:
        (self._folder / f"{name}-jwks.json").write_bytes(jwks)
        node = Node(
            name=name,
            origin=f"https://localhost:{port}",
            metrics=f"http://127.0.0.1:{metrics}",
            config=self._folder / f"{name}.toml",
        )
        text = _DEPLOYMENT.format(
            name=name,
            port=port,
            origin=node.origin,
            api=self.api,
            issuer=self.issuer,
            audience=AUDIENCE,
            client=CLIENT,
            metrics=metrics,
            policies=json.dumps(str(self._policies)),  # a TOML string is a JSON string
        )
        node.config.write_text(text, "utf-8")
        return node
