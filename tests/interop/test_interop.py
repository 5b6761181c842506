"""Parts that nobody here wrote, from login to masked answer: panva's `oidc-provider` issues the tokens, `oauth4webapi`
asks with them, and Paravent, between it and the sandbox API, is a real process."""

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jwt
import pytest

from interop import AuthorizationServer, Client
from outsider_checks import wait_for
from paravent.sandbox.practitioners import Account, practitioner
from stack import AUDIENCE, CONSULTATION, ISSUER, ORIGIN, Stack, population, running_stack, sandbox_hits

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("interop")]

PEOPLE = [practitioner(serial, "21") for serial in range(16)]
"""One for each who asks: twenty requests in ten seconds is all that a pharmacist may make."""


@dataclass(slots=True)
class Site:
    stack: Stack
    server: AuthorizationServer
    client: Client
    thumbprints: Mapping[str, str]
    """Of the client certificates, RFC 8705 section 3.1."""
    who: Account

    def another(self, who: Account) -> "Site":
        """The same site for somebody else, with a client of their own: `with` that one."""
        client = Client(self.stack.folder, self.server.url, ORIGIN, self.stack.url)
        return replace(self, client=client, who=who)

    def do(self, verb: str, **members: Any) -> dict[str, Any]:
        answer = self.client.do(verb, **members)
        assert "failed" not in answer, answer
        return answer

    def login(self, name: str, client: str = "portail", acr: str = "eidas3", **more: Any) -> dict[str, Any]:
        return self.do("login", name=name, client=client, person="8" + self.who.rpps, acr=acr, **more)

    def ask(self, name: str, person: int = 1, **more: Any) -> dict[str, Any]:
        one = population().person(person)
        body = {
            "immatriculation": one.nir + one.nir_key,
            "dateNaissance": one.birth_date,
            "rangGemellaire": one.birth_rank,
        }
        return self.do("ask", name=name, method="POST", path=CONSULTATION, body=body, **more)

    def refused(self, name: str, error: str, **more: Any) -> dict[str, Any]:
        """The question is refused with this error, and the upstream hears nothing of it. The challenge's parameters."""
        before = sandbox_hits(self.stack)
        answer = self.ask(name, **more)
        assert (answer["status"], answer["challenge"]["parameters"]["error"]) == (401, error)
        assert sandbox_hits(self.stack) == before
        parameters: dict[str, Any] = answer["challenge"]["parameters"]
        return parameters


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("interop")
    with running_stack(folder, start=False) as stack:
        thumbprints = {name: stack.certificate(name).x5t_s256 for name in ("officine", "logiciel", "voleur")}
        accounts = {"8" + who.rpps: {"profession": who.profession, "finess": who.finess} for who in PEOPLE}
        with AuthorizationServer(folder, accounts) as server:
            config = stack.config.read_text()
            config = config.replace(f'"{ISSUER}"', f'"{server.url}"')
            config = config.replace('jwks = "jwks.json"', f'jwks = "{server.url}/jwks"\nca = "ca.pem"')
            config = config.replace('clients = ["portail"]', 'clients = ["portail", "officine", "logiciel"]')
            stack.config.write_text(config)
            assurance = stack.policies / "assurance.yaml"
            text = assurance.read_text().replace('dpop_nonces: "off"', "dpop_nonces: required")
            assert "dpop_nonces: required" in text
            assurance.write_text(text)
            stack.start()
            with Client(folder, server.url, ORIGIN, stack.url) as client:
                yield Site(stack, server, client, thumbprints, PEOPLE[0])


_serials = itertools.count(1)


@pytest.fixture
def site(running: Site) -> Site:
    """For somebody who has not asked for anything yet."""
    return replace(running, who=PEOPLE[next(_serials)])


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_code_flow_with_pkce_and_dpop_to_a_masked_answer(site: Site) -> None:
    """A pharmacist logs in at the server and asks: the answer is the one that the policy leaves of the upstream's. The
    server's demand for a nonce (RFC 9449 section 8) was met on the way."""
    login = site.login("pharmacist")
    assert (login["type"], login["retried"]) == ("dpop", True)
    assert claims_of(login["token"])["aud"] == AUDIENCE
    answer = site.ask("pharmacist", 1)
    assert answer["status"] == 200
    document = json.loads(answer["body"])
    assert document["beneficiaireDeSoins"]["dateNaissance"] == population().person(1).birth_date
    assert not {"famille", "commentaire", "referenceInterne"} & set(document)


def test_the_proxy_asks_for_its_nonce(site: Site) -> None:
    """RFC 9449 section 9: the first proof is refused with a nonce, the library sends another with it, and goes on using
    what the answers bring."""
    site.login("nonces")
    assert [(answer["status"], answer["retried"]) for answer in (site.ask("nonces", 7) for _ in range(3))] == [
        (200, True),
        (200, False),
        (200, False),
    ]


def test_a_stolen_dpop_token_is_worth_nothing(site: Site) -> None:
    """The token without its key, as Bearer: refused, and not a word about why."""
    site.login("victim")
    site.refused("victim", "invalid_token", bearer=True)
    assert site.ask("victim", 2)["status"] == 200


def test_step_up(site: Site) -> None:
    """A login by password alone gets the challenge of RFC 9470; a login made with what it asks for gets the answer."""
    site.login("hurried", acr="eidas1")
    wanted = site.refused("hurried", "insufficient_user_authentication")
    site.login("careful", acr=wanted["acr_values"], max_age=int(wanted["max_age"]))
    assert site.ask("careful", 3)["status"] == 200


def test_code_flow_bound_to_a_client_certificate(site: Site) -> None:
    """The token names the certificate that it was asked for with (RFC 8705), and opens with no other, nor with none."""
    login = site.login("officine", client="officine", certificate="officine")
    assert login["type"] == "bearer"
    assert site.ask("officine", 4)["status"] == 200
    site.refused("officine", "invalid_token", certificate="voleur")


def test_client_credentials_bound_to_a_client_certificate(site: Site) -> None:
    """The thumbprint that the server writes is the one that we compute. Software alone is nobody: no person."""
    answer = site.do("obtain", name="software", client="logiciel", certificate="logiciel")
    assert claims_of(answer["token"])["cnf"] == {"x5t#S256": site.thumbprints["logiciel"]}
    site.refused("software", "invalid_token")


def test_token_exchange(site: Site) -> None:
    """RFC 8693, as the ANS transport guide uses it: a person's login exchanged by software for a token that is bound to
    the certificate of the software."""
    site.login("person")
    site.do("obtain", name="exchanged", client="logiciel", certificate="logiciel", subject="person")
    assert site.ask("exchanged", 5)["status"] == 200
    site.refused("exchanged", "invalid_token", certificate="voleur")


def test_a_rotation_by_restart_refuses_no_request(site: Site) -> None:
    """The server comes back with another signing key. Whoever had a token goes on asking, all the time; whoever logs in
    anew is served at once."""
    old = site.login("before")["token"]
    done, statuses = threading.Event(), []
    other = site.another(PEOPLE[0])

    def asking() -> None:
        while not done.wait(0.6):
            statuses.append(other.ask("before", 6)["status"])

    with other.client:
        other.login("before")
        thread = threading.Thread(target=asking)
        thread.start()
        try:
            wait_for(lambda: bool(statuses))
            site.server.restart()
            new = site.login("after")["token"]
            assert [site.ask("after", 6)["status"] for _ in range(3)] == [200] * 3
            assert site.ask("before", 6)["status"] == 200
            asked = len(statuses)
            wait_for(lambda: len(statuses) > asked)
        finally:
            done.set()
            thread.join()
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert set(statuses) == {200}
