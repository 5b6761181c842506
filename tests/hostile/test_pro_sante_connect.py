"""A node that takes Pro Santé Connect's own tokens: in the right hands, while they stand, and for the same budget."""

import asyncio
import base64
import json
import ssl
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokens
from answers import ANSWER
from certificates import CLIENT, Authority, Pair
from issuer_server import IssuerServer, Seen, issuer_server
from node import CONSULTATION, QUESTION, TLS, RunningNode, parse, running_node
from psc_tokens import KEY, PSC, SUBJECT, psc_token
from wire import RawUpstream, raw_upstream

CONFIG = """
[issuers.psc]
profile = "pro-sante-connect"
issuer = "{psc}"
jwks = "psc.json"
clients = ["portail", "officine"]
client_certificates = ["portail={portail}", "officine={officine}"]
"""
LEVEL = "levels:\n  carte:\n    acr: [eidas3]\n    auth_mode: {any: [CARD]}\n"


@dataclass(slots=True)
class Site:
    node: RunningNode
    upstream: RawUpstream
    pairs: dict[str, Pair]

    def context(self, name: str | None) -> ssl.SSLContext:
        pair = self.pairs[name] if name is not None else None
        return self.node.sandbox.tls(None if pair is None else (pair.certificate, pair.key))

    async def ask(self, certificate: str | None = "portail", **claims: Any) -> int:
        """The status of a consultation with a fresh token of Pro Santé Connect."""
        token = psc_token(int(time.time()), jti=str(uuid.uuid4()), **claims)
        self.node.credentials.append(token)
        body = json.dumps(QUESTION).encode()
        head = f"POST {CONSULTATION} HTTP/1.1\r\nHost: droits.example\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return parse(await self.node.send(head.encode() + body, tls=self.context(certificate)))[0]

    async def ask_elsewhere(self, **claims: Any) -> int:
        """The same with a token of the operator's own authorization server, bound by DPoP."""
        return parse(await self.node.send(self.node.request(**claims), tls=self.context(None)))[0]

    async def change_policy(self, file: str, old: str, new: str) -> None:
        path = self.node.sandbox.folder / "policies" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        assert await asyncio.to_thread(self.node.node.runtime.reload_policy)


@asynccontextmanager
async def site_in(folder: Path, more: str = "") -> AsyncIterator[Site]:
    organisations = Authority(folder, "organisations")
    pairs = {name: organisations.issue(name, use=CLIENT) for name in ("portail", "officine", "voleur")}
    (folder / "psc.json").write_bytes(tokens.jwks(KEY))
    # One fingerprint as x5t#S256, one as openssl prints it.
    hexadecimal = pairs["officine"].sha256.hex(":").upper()
    config = CONFIG.format(psc=PSC, portail=pairs["portail"].x5t, officine=hexadecimal) + more
    listen = TLS + '\nclient_ca = "organisations.pem"'
    async with (
        raw_upstream(ANSWER) as upstream,
        running_node(folder, upstream.port, listen=listen, more=config) as node,
    ):
        site = Site(node, upstream, pairs)
        await site.change_policy("assurance.yaml", "levels:\n", LEVEL)
        yield site


async def test_in_the_right_hands_and_in_no_others(tmp_path: Path) -> None:
    """The token of a software opens with its organisation's certificate; with another's, or none, the upstream hears
    nothing."""
    async with site_in(tmp_path) as site:
        assert await site.ask("portail") == 200
        assert await site.ask("officine", azp="officine") == 200
        heard = len(site.upstream.requests)
        for certificate, azp in (
            ("voleur", "portail"),
            ("officine", "portail"),
            ("portail", "officine"),
            (None, "portail"),
        ):
            assert await site.ask(certificate, azp=azp) == 401
        assert len(site.upstream.requests) == heard
        assert {record["reason"] for record in site.node.records() if record["decision"] == "deny"} == {
            "binding_certificate"
        }


async def test_a_password_is_not_enough(tmp_path: Path) -> None:
    """authMode is judged by the policy's level; without one for it, nobody gets in by authMode."""
    async with site_in(tmp_path) as site:
        assert await site.ask(authMode="PASSWORD") == 401
        await site.change_policy("assurance.yaml", LEVEL, "levels:\n")
        assert await site.ask() == 401


async def test_one_practitioner_has_one_budget(tmp_path: Path) -> None:
    """The same person under RPPS and 8+RPPS, from two issuers, through two pieces of software, pays from one budget."""
    async with site_in(tmp_path) as site:
        await site.change_policy("quotas.yaml", "{limit: 20, per: 10s}", "{limit: 4, per: 1h}")
        assert await site.ask_elsewhere() == 200
        assert await site.ask_elsewhere(sub=tokens.RPPS) == 200
        assert await site.ask() == 200
        assert await site.ask("officine", azp="officine", preferred_username=tokens.RPPS) == 200
        assert await site.ask() == 429
        assert await site.ask("officine", azp="officine") == 429
        assert await site.ask_elsewhere() == 429
        assert await site.ask_elsewhere(sub=tokens.RPPS) == 429
        assert await site.ask_elsewhere(rpps="99700218896") == 200, "somebody else has their own"
        practitioners = {record["practitioner"] for record in site.node.records()[:8]}
        assert practitioners == {tokens.RPPS}


INTROSPECTION = """ca = "issuer-ca.pem"
introspection = "{issuer}/introspect"
introspection_client = "paravent"
introspection_secret_file = "psc.secret"
userinfo = "{issuer}/userinfo"
"""


async def test_while_the_issuer_says_that_it_stands(tmp_path: Path) -> None:
    """Active: answered, with the profession that the issuer's userinfo names. Ended: 401. No answer: 503. The upstream
    hears of the first alone, and /metrics counts the last."""
    said = [(200, {"active": True})]
    who = {"sub": SUBJECT, "SubjectRole": ["21^1.2.250.1.213.1.1.5.5"], "SubjectOrganizationID": "F990000012"}

    def answer(request: Seen) -> tuple[int, bytes]:
        status, members = (200, who) if request.path == "/userinfo" else said[-1]
        return status, json.dumps(members).encode()

    (tmp_path / "psc.secret").write_text("secret\n")
    with issuer_server(tmp_path, answer) as issuer:
        more = INTROSPECTION.format(issuer=issuer.url(""))
        bare: dict[str, Any] = {"SubjectRole": None, "SubjectOrganizationID": None}
        async with site_in(tmp_path, more) as site:
            assert await site.ask(**bare) == 200
            assert site.node.records()[-1]["finess"] == "990000012"
            assert_asked_by_secret(issuer)
            said.append((200, {"active": False}))
            assert await site.ask(**bare) == 401
            said.append((500, {}))
            assert await site.ask(**bare) == 503
            assert len(site.upstream.requests) == 1
            assert [record["reason"] for record in site.node.records()[-2:]] == ["token_inactive", "issuer_unavailable"]
            assert site.node.metric("paravent_introspection_asked", issuer="psc") == 3
            assert site.node.metric("paravent_introspection_failed", issuer="psc") == 1


def assert_asked_by_secret(issuer: IssuerServer) -> None:
    assert [seen.path for seen in issuer.seen] == ["/introspect", "/userinfo"]
    assert base64.b64decode(issuer.seen[0].headers["authorization"].removeprefix("Basic ")) == b"paravent:secret"
