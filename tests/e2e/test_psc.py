"""Pro Santé Connect's tokens through real processes: the laboratory's issuer over HTTPS, `paravent serve`, the API."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from paravent.sandbox.practitioners import practitioner
from paravent.simulate.processes import free_ports, listens
from stack import CONSULTATION, Reply, Stack, population, running_stack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("psc")]

CONFIG = """
[issuers.psc]
profile = "pro-sante-connect"
issuer = "https://psc.example/realm"
jwks = "{url}/jwks"
ca = "ca.pem"
clients = ["portail"]
client_certificates = ["portail={x5t}"]
introspection = "{url}/introspect"
introspection_client = "paravent"
introspection_secret_file = "psc.secret"
userinfo = "{url}/userinfo"
"""
LEVEL = "levels:\n  carte:\n    acr: [eidas3]\n    auth_mode: {any: [CARD]}\n"
ASKS = practitioner(0, "21")


@dataclass(slots=True)
class Site:
    stack: Stack
    issuer: str
    trust: ssl.SSLContext
    shown: ssl.SSLContext
    """With the portal's certificate."""

    def issuer_says(self, path: str, body: bytes) -> Any:
        with urllib.request.urlopen(self.issuer + path, body, timeout=10, context=self.trust) as response:
            return json.load(response)

    def login(self) -> str:
        who = {"rpps": ASKS.rpps, "profession": "21", "finess": ASKS.finess, "acr": "eidas3"}
        return str(self.issuer_says("/token", json.dumps(who).encode())["access_token"])

    def ask(self, token: str, tls: ssl.SSLContext) -> Reply:
        one = population().person(3)
        body = {
            "immatriculation": one.nir + one.nir_key,
            "dateNaissance": one.birth_date,
            "rangGemellaire": one.birth_rank,
        }
        return self.stack.call("POST", CONSULTATION, None, body, [("Authorization", f"Bearer {token}")], tls)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("psc")
    with running_stack(folder, start=False) as stack:
        portal, port = stack.certificate("portail"), free_ports(1)[0]
        files = ("--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key"))
        words = ("--issuer", "https://psc.example/realm", "--profile", "pro-sante-connect", "--port", str(port))
        issuer = stack.parts.start("issuer", "-m", "paravent.cli", "sandbox", "issuer", *words, *files)
        stack.parts.wait(issuer, listens(port))
        (folder / "psc.secret").write_text("secret\n")
        with stack.config.open("a") as config:
            config.write(CONFIG.format(url=f"https://localhost:{port}", x5t=portal.x5t_s256))
        assurance = stack.policies / "assurance.yaml"
        assurance.write_text(assurance.read_text().replace("levels:\n", LEVEL, 1))
        stack.start()
        yield Site(stack, f"https://localhost:{port}", stack.tls, stack.tls_with(portal))


def test_a_raw_token_gets_a_masked_answer_in_the_right_hands(site: Site) -> None:
    """From the portal, over its certificate. The same token without it opens nothing."""
    token = site.login()
    answer = site.ask(token, site.shown)
    assert answer.status == 200
    assert "famille" not in answer.json()
    stolen = site.ask(token, site.trust)
    assert (stolen.status, stolen.problem) == (401, "proof_refused")


def test_a_session_that_is_ended_is_ended_here(site: Site) -> None:
    """A logout at the issuer: its token is refused at its first use after it, and the issuer's other tokens are not."""
    token, other = site.login(), site.login()
    assert site.issuer_says("/end", f"token={token}".encode()) == {"ended": True}
    refused = site.ask(token, site.shown)
    assert (refused.status, refused.problem) == (401, "token_refused")
    assert site.ask(other, site.shown).status == 200


def test_readiness_and_metrics_name_the_issuer(site: Site) -> None:
    """Its keys are part of readiness; what it was asked is counted."""
    site.ask(site.login(), site.shown)
    ready = json.loads(site.stack.scrape("/readyz")[1])
    assert ready["checks"]["keys.psc"] is True
    assert 'paravent_introspection_failed{issuer="psc"} 0.0' in site.stack.metrics()
