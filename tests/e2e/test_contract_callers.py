"""The outward contract, as a portal's developer meets it: tokens, proofs, answers.

Nothing of the project is imported: `outsider` makes keys, tokens, certificates and an upstream with public libraries,
writes the configuration as the contract prints it, and runs `paravent`.
"""

import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from outsider import AUDIENCE, CONSULTATION, ISSUER, ORIGIN, Site, new_rpps, serving, site
from outsider_checks import refused, stopped_at_the_door
from outsider_keys import ABSENT, b64url, certificate, jwk, private_key, signed, thumbprint, write_pair, x5t
from outsider_upstream import BROKEN, GARBLED, MALFORMED, SILENT, UNKNOWN, person

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("contract-callers")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One running deployment, for all that neither stops it nor changes it."""
    with serving(tmp_path_factory.mktemp("contract")) as running:
        yield running


SEARCH_TYPES: list[Any] = [None, True, False, 0, -1, 1.5, "", "x", [], ["x"], [None], {}, {"a": 1}]
CLAIMS = ("iss", "aud", "sub", "client_id", "iat", "exp", "jti", "acr", "amr", "auth_time", "cnf", "profession")
CONTRARY = {"jti": ["x"]}
"""Values of the list that are well-formed for a claim: any text is a jti."""


class TestTokens:
    """Each claim of the contract is needed, of its type and of its value."""

    def test_a_token_as_the_contract_describes_it(self, here: Site) -> None:
        assert here.ask().status == 200

    @pytest.mark.parametrize("claim", CLAIMS)
    def test_without_a_claim(self, here: Site, claim: str) -> None:
        """Each one removed: 401, and the upstream is not asked."""
        problem = {"acr": "authentication_too_weak", "amr": "authentication_too_weak"}.get(claim, "token_refused")
        problem = {"auth_time": "authentication_too_weak", "cnf": "proof_refused"}.get(claim, problem)
        stopped_at_the_door(here, lambda: here.ask(**{claim: ABSENT}), 401, problem)

    def test_an_establishment_may_be_absent(self, here: Site) -> None:
        """A practitioner need not have one; when it is there, it is one."""
        assert here.ask(finess=ABSENT).status == 200
        for value in SEARCH_TYPES:
            stopped_at_the_door(here, partial(here.ask, finess=value))

    @pytest.mark.parametrize("claim", CLAIMS)
    def test_a_claim_of_another_type(self, here: Site, claim: str) -> None:
        """Every type of JSON that is not its own: 401, never an error of ours and never an answer."""
        for value in SEARCH_TYPES:
            if value in CONTRARY.get(claim, []):
                continue
            before = len(here.asked)
            answer = here.ask(**{claim: value})
            assert answer.status == 401, (claim, value)
            refused(answer, 401, answer.json()["type"].rpartition(":")[2])
            assert len(here.asked) == before

    @pytest.mark.parametrize(
        ("changes", "ok"),
        [
            ({"acr": "eidas2"}, True),
            ({"acr": "eidas3"}, True),
            ({"acr": "eidas1"}, False),
            ({"acr": "EIDAS3"}, False),
            ({"acr": "eidas2 eidas3"}, False),
            ({"amr": ["mfa"]}, True),
            ({"amr": ["pwd", "otp", "mfa"]}, True),
            ({"amr": ["pwd", "otp"]}, False),
            ({"amr": ["MFA"]}, False),
            ({"amr": ["xmfa", "mfax"]}, False),
            ({"amr": ["mfa"], "acr": "eidas1"}, False),
        ],
        ids=str,
    )
    def test_strong_enough(self, here: Site, changes: dict[str, Any], ok: bool) -> None:
        """`acr` eidas2 or eidas3, `amr` holding `mfa`; else 401, and RFC 9470's challenge says what would do."""
        if ok:
            assert here.ask(**changes).status == 200
            return
        answer = stopped_at_the_door(here, lambda: here.ask(**changes), 401, "authentication_too_weak")
        challenge = answer.headers["www-authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge
        assert 'acr_values="eidas2 eidas3"' in challenge
        assert 'max_age="14400"' in challenge

    def test_a_login_of_the_last_four_hours(self, here: Site) -> None:
        """auth_time within 4 h, whatever the token's own age."""
        now = int(time.time())
        assert here.ask(auth_time=now - 4 * 3600 + 30).status == 200
        old = stopped_at_the_door(here, lambda: here.ask(auth_time=now - 4 * 3600 - 5), 401, "authentication_too_weak")
        assert 'max_age="14400"' in old.headers["www-authenticate"]
        stopped_at_the_door(here, lambda: here.ask(auth_time=now + 60))

    @pytest.mark.parametrize("profession", ["10", "21", "28"])
    def test_professions_of_the_contract(self, here: Site, profession: str) -> None:
        """Doctor, pharmacist, optician."""
        assert here.ask(profession=profession).status == 200

    @pytest.mark.parametrize("profession", ["40", "60", "00"])
    def test_other_professions(self, here: Site, profession: str) -> None:
        """Authenticated, and not for them: 403."""
        stopped_at_the_door(here, lambda: here.ask(profession=profession), 403, "not_allowed")

    def test_a_token_bound_to_a_key(self, here: Site) -> None:
        """cnf jkt: scheme DPoP and a proof of that key; as Bearer, without proof or by another key it is nothing."""
        token = here.token()
        for ask in (
            lambda: here.call(here.question(), token),
            lambda: here.call(here.question(), token, scheme="Bearer"),
            lambda: here.call(here.question(), token, here.proof(token), scheme="Bearer"),
            lambda: here.call(here.question(), token, scheme="Bearer", shows="client"),
            lambda: here.present_token(here.token(cnf={"jkt": thumbprint(jwk("ES256", here.issuer_key))})),
        ):
            stopped_at_the_door(here, ask, 401, "proof_refused")

    def test_a_token_bound_to_a_certificate(self, here: Site) -> None:
        """cnf x5t#S256: scheme Bearer and that certificate on the connection; with none or another it is nothing."""
        write_pair(here.folder, "colleague", certificate("colleague", here.authority))
        token = here.token(cnf={"x5t#S256": x5t(here.client)})
        bearer = partial(here.call, here.question(), token, scheme="Bearer")
        assert bearer(shows="client").status == 200
        stopped_at_the_door(here, bearer, 401, "proof_refused")
        stopped_at_the_door(here, partial(bearer, shows="colleague"), 401, "proof_refused")
        stopped_at_the_door(here, lambda: here.present_token(token), 401, "proof_refused")
        for other in (x5t(here.client) + "=", x5t(here.client).swapcase(), here.client[0].fingerprint(hash_()).hex()):
            wrong = here.token(cnf={"x5t#S256": other})
            stopped_at_the_door(
                here, partial(here.call, here.question(), wrong, scheme="Bearer", shows="client"), 401, "proof_refused"
            )

    def test_a_certificate_of_a_stranger_is_no_connection(self, here: Site) -> None:
        """client_ca: a certificate that it did not sign ends the handshake."""
        write_pair(here.folder, "stranger", certificate("stranger"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            here.call(here.question(), here.token(), shows="stranger")

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"aud": [AUDIENCE]}, "a list of one"),
            (
                {"scope": "openid droits", "roles": ["x"], "realm_access": {"roles": []}},
                "an authorization server's own",
            ),
            ({"azp": "portail"}, "azp equal to client_id"),
            ({"nbf": 1_700_000_000}, "nbf"),
            ({"header": {"typ": "AT+JWT"}}, "RFC 7515 section 4.1.9"),
            ({"header": {"typ": "application/at+jwt"}}, "RFC 9068 section 4"),
            ({"header": {"typ": "Application/At+Jwt"}}, "both"),
            (
                {"header": {"x5t": "abc", "x5t#S256": "abc", "nonce": "1", "org.example": {}}},
                "members that name no key",
            ),
            ({"jti": "5c8a9f0e-2f43-4c5c-9d0c-000000000001"}, "a UUID"),
        ],
        ids=str,
    )
    def test_tokens_as_other_servers_write_them(self, here: Site, change: dict[str, Any], why: str) -> None:
        """What varies without meaning anything stops nobody."""
        assert here.ask(**change).status == 200, why

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"aud": [AUDIENCE, "https://other.example"]}, "27: somebody else could play it to us"),
            ({"aud": AUDIENCE.upper()}, "27"),
            ({"iss": ISSUER + "/"}, "28"),
            ({"sub": "9970000001"}, "29: a digit short"),
            ({"sub": "8" + "９" * 11}, "22, 29: wide digits"),
            ({"client_id": "autre"}, "47"),
            ({"azp": "autre"}, "47"),
            ({"exp": 10**30}, "24"),
            ({"exp": 10**4000}, "18: four thousand digits"),
            ({"iat": 1}, "25"),
            ({"nbf": 10**10}, "25"),
            ({"exp": 1_700_000_000}, "21"),
            ({"jti": "a\ud800"}, "15: half a character"),
            ({"sub": "8\u0000" + "1" * 10}, "29: a NUL"),
            ({"header": {"alg": "none"}}, "1"),
            ({"header": {"alg": "nOnE"}}, "1"),
            ({"header": {"alg": "HS256"}}, "2"),
            ({"header": {"alg": ["ES256"]}}, "1"),
            ({"header": {"alg": ABSENT}}, "1"),
            ({"header": {"alg": "ES384"}}, "5"),
            ({"header": {"alg": "RS256"}}, "4"),
            ({"header": {"kid": ABSENT}}, "6"),
            ({"header": {"kid": "k2"}}, "7"),
            ({"header": {"kid": "../../jwks.json"}}, "6"),
            ({"header": {"kid": "k1\x00"}}, "6"),
            ({"header": {"kid": {"a": 1}}}, "6"),
            ({"header": {"jku": "https://evil.example"}}, "8"),
            ({"header": {"x5u": "https://evil.example"}}, "8"),
            ({"header": {"x5c": ["MIIB"]}}, "8"),
            ({"header": {"jwk": {}}}, "8"),
            ({"header": {"crit": []}}, "9"),
            ({"header": {"b64": False}}, "10"),
            ({"header": {"typ": "JWT"}}, "11"),
            ({"header": {"typ": "dpop+jwt"}}, "11"),
            ({"header": {"typ": ABSENT}}, "11"),
            ({"header": {"cty": "JWT"}}, "12"),
            ({"header": {"zip": "DEF"}}, "12"),
            ({"header": {"enc": "A256GCM"}}, "12"),
        ],
        ids=str,
    )
    def test_tokens_that_must_not_pass(self, here: Site, change: dict[str, Any], why: str) -> None:
        """The numbers are those of the list of attacks on tokens."""
        answer = stopped_at_the_door(here, lambda: here.ask(**change))
        assert 'error="invalid_token"' in answer.headers["www-authenticate"], why

    def test_tokens_that_two_readers_would_read_differently(self, here: Site) -> None:
        """Rows 13 to 20 of that list: forms, padding, bytes, sizes, members twice, nesting, encodings."""
        token = here.token()
        head, body, signature = token.split(".")
        usual = json.dumps(here.claims())
        heads = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}
        made = partial(signed, "ES256", here.issuer_key, heads)
        pem = here.issuer_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        hs_text = f"{b64url(json.dumps(heads | {'alg': 'HS256'}).encode())}.{body}"
        for wrong in (
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}..{signature}",
            f"{token}.x.y",
            f"{token}==",
            f"{head}=.{body}.{signature}",
            f"{head}.{body}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
            f"{head[:-4]}AAAA.{body}.{signature}",
            "e30.e30.e30",
            "a" * 9000,
            f"{hs_text}.{b64url(hmac.digest(pem, hs_text.encode(), hashlib.sha256))}",
            made(usual.replace('"sub":', '"sub": "899700000002", "sub":').encode()),
            made(usual.replace("{", '{"x": ' + "[" * 300 + "]" * 300 + ",", 1).encode()),
            made(usual.replace("{", '{"x": ' + "9" * 4500 + ",", 1).encode()),
            made(usual.replace("{", '{"x": NaN,', 1).encode()),
            made(b"\xef\xbb\xbf" + usual.encode()),
            made(usual.encode("utf-16")),
            made(b"[]"),
        ):
            stopped_at_the_door(here, partial(here.present_token, wrong))
        for line in (f"bearer {token}", f"DPoP  {token}", f"DPoP\t{token}", f"Basic {token}", token, "DPoP", "Bearer "):
            scheme, _, rest = line.partition(" ")
            stopped_at_the_door(here, partial(here.call, here.question(), rest, here.proof(token), scheme=scheme))

    def test_no_token_at_all(self, here: Site) -> None:
        """401 with a challenge and no error in it (RFC 6750 section 3.1); elsewhere than in its header none is seen."""
        for headers in ([], [("Cookie", f"access_token={here.token()}")], [("X-Access-Token", here.token())]):
            answer = stopped_at_the_door(here, partial(here.call, here.question(), None, headers=headers))
            assert "error=" not in answer.headers["www-authenticate"]

    def test_two_of_a_kind_are_refused(self, here: Site) -> None:
        """Two Authorization headers, or two DPoP headers: another reader would take the other one."""
        token = here.token()
        for name, value in (("Authorization", f"DPoP {token}"), ("DPoP", here.proof(token))):
            answer = here.call(here.question(), token, here.proof(token), headers=[(name, value)])
            refused(answer, 400, "malformed_request")


def hash_() -> Any:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


class TestProofs:
    """DPoP proofs as other libraries write them (RFC 9449 section 4.3), and those that prove nothing."""

    @pytest.mark.parametrize(
        "change",
        [
            {"htu": "https://droits.example:443" + CONSULTATION},
            {"htu": "HTTPS://DROITS.example" + CONSULTATION},
            {"htu": ORIGIN + CONSULTATION + "?a=1#b"},
            {"htu": ORIGIN + "/v1/%64roits/consultation"},
            {"jti": "5c8a9f0e-2f43-4c5c-9d0c-000000000002"},
            {"nonce": "from the authorization server"},
            {"exp": 10**10, "nbf": 1, "iss": "portail"},
            {"header": {"kid": "mine"}},
            {"header": {"typ": "application/dpop+jwt"}},
        ],
        ids=str,
    )
    def test_proofs_that_are_taken(self, here: Site, change: dict[str, Any]) -> None:
        """Default port, host in capitals, query left in, members more: the client is honest and is served."""
        assert here.prove(**change).status == 200

    @pytest.mark.parametrize(
        "more",
        [
            {"alg": "ES256", "use": "sig", "kid": "mine"},
            {"key_ops": ["verify"], "ext": True},
            {"key_ops": ["sign"], "ext": True},
            {"key_ops": []},
        ],
        ids=str,
    )
    def test_keys_in_proofs_that_are_taken(self, here: Site, more: dict[str, Any]) -> None:
        """With the members that browsers and libraries leave in."""
        public = jwk("ES256", here.caller_key, use=ABSENT, alg=ABSENT) | more
        assert here.prove(header={"jwk": public}).status == 200

    @pytest.mark.parametrize("alg", ["ES384", "EdDSA", "PS256"])
    def test_keys_of_every_kind(self, here: Site, alg: str) -> None:
        """The client chooses its key; the challenge of a 401 says which may be chosen."""
        key = private_key(alg, "caller")
        public = jwk(alg, key, use=ABSENT, alg=ABSENT)
        token = here.token(cnf={"jkt": thumbprint(public)})
        usual = {"jti": f"{alg}-1", "htm": "POST", "htu": ORIGIN + CONSULTATION, "iat": int(time.time())}
        ath = b64url(hashlib.sha256(token.encode()).digest())
        proof = signed(alg, key, {"typ": "dpop+jwt", "alg": alg, "jwk": public}, usual | {"ath": ath})
        assert here.call(here.question(), token, proof).status == 200
        challenge = here.call(here.question(), None).headers["www-authenticate"]
        assert alg in challenge.partition('algs="')[2].partition('"')[0].split()

    @pytest.mark.parametrize(
        "change",
        [
            {"htm": "GET"},
            {"htm": "post"},
            {"htu": ORIGIN + "/v1/compte"},
            {"htu": ORIGIN + CONSULTATION + "/"},
            {"htu": ORIGIN + "/V1/droits/consultation"},
            {"htu": ORIGIN + "/./v1/droits/consultation"},
            {"htu": ORIGIN + "/v1/droits%2Fconsultation"},
            {"htu": "https://droits.example:8443" + CONSULTATION},
            {"htu": "https://droits.example." + CONSULTATION},
            {"htu": "https://evil@droits.example" + CONSULTATION},
            {"htu": "http://droits.example" + CONSULTATION},
            {"htu": ["https://droits.example"]},
            {"iat": 1_700_000_000},
            {"iat": 10**10},
            {"iat": "1800000000"},
            {"iat": 10**4000},
            {"jti": ABSENT},
            {"jti": "\ud800"},
            {"jti": "j" * 2000},
            {"ath": ABSENT},
            {"ath": "A" * 43},
            {"header": {"typ": "JWT"}},
            {"header": {"alg": "none"}},
            {"header": {"alg": "RS256"}},
            {"header": {"jwk": ABSENT}},
            {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
            {"header": {"jwk": {"kty": ["EC"], "crv": {}, "x": [], "y": None}}},
            {"header": {"jku": "https://evil.example"}},
            {"header": {"crit": ["exp"]}},
        ],
        ids=lambda change: str(change)[:60],
    )
    def test_proofs_that_are_not(self, here: Site, change: dict[str, Any]) -> None:
        """401, and the upstream is not asked."""
        stopped_at_the_door(here, lambda: here.prove(**change), 401, "proof_refused")

    def test_a_proof_serves_once(self, here: Site) -> None:
        """The second request with it is refused, on another connection too."""
        token = here.token()
        proof = here.proof(token)
        assert here.call(here.question(), token, proof).status == 200
        stopped_at_the_door(here, lambda: here.call(here.question(), token, proof), 401, "proof_refused")


class TestAnswers:
    """What comes back, and how a refusal looks."""

    NEVER = ("famille", "numeroContrat", "adresse", "medecinTraitant", "codeALD", "lieuNaissance", "referenceInterne")

    def test_a_pharmacist_sees_what_the_views_name(self, here: Site) -> None:
        """The upstream's shape, fewer members; no guarantee of another domain; a number only as the request had it."""
        answer = here.ask(12)
        document = answer.json()
        assert document["beneficiaireDeSoins"]["prenom"] == "CLAIRE-12"
        for name in (*self.NEVER, "commentaire"):
            assert f'"{name}"'.encode() not in answer.body, name
        assert {each["domaine"] for each in document["contratsAMC"][0]["garanties"]} == {"PHAR"}
        asked, other = person(12), person(13)
        assert other["noNIRCertifie"].encode() not in answer.body
        for name in ("noNIRCertifie", "cleNIR", "insMatricule"):
            value = document["beneficiaireDeSoins"].get(name)
            assert value is None or value == asked[name]
        assert "set-cookie" not in answer.headers

    def test_an_unknown_beneficiary_is_404_with_a_constant_body(self, here: Site) -> None:
        """Not known, not well asked, whoever it is: the same bytes but for the reference."""
        bodies = set()
        for number in (UNKNOWN, MALFORMED, UNKNOWN):
            answer = refused(here.ask(number), 404, "beneficiary_unknown")
            bodies.add(answer.body.replace(answer.json()["reference"].encode(), b""))
            assert person(number)["noNIRCertifie"].encode() not in answer.body
        assert len(bodies) == 1

    @pytest.mark.parametrize("number", [BROKEN, GARBLED], ids=["an error of the upstream", "bytes that are not HTTP"])
    def test_502_when_the_upstream_is_not_understood(self, here: Site, number: int) -> None:
        """And none of its bytes."""
        answer = refused(here.ask(number), 502, "answer_withheld")
        assert person(number)["noNIRCertifie"].encode() not in answer.body

    def test_403_413_431_and_400(self, here: Site) -> None:
        """What is not open, too long a body, too long a head, and what is no request at all."""
        token = here.token()
        elsewhere = partial(here.call, {}, token, here.proof(token, "POST", "/v1/exports"), path="/v1/exports")
        stopped_at_the_door(here, elsewhere, 403, "not_allowed")
        stopped_at_the_door(here, lambda: here.call(b"x" * 70_000, token), 413, "request_too_large")
        head = b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n" + b"X-A: " + b"a" * 20_000
        stopped_at_the_door(here, lambda: here.send(head + b"\r\n\r\n"), 431, "headers_too_large")
        stopped_at_the_door(
            here, lambda: here.send(b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "malformed_request"
        )

    def test_429_when_the_budget_is_spent(self, here: Site) -> None:
        """An optician's ten persons in ten minutes, then 429 with Retry-After; the tenth again is free."""
        rpps = new_rpps()
        ask = partial(here.ask, rpps=rpps, profession="28")
        assert [ask(number).status for number in range(20, 29)] == [200] * 9
        assert ask(29).status == 200
        answer = stopped_at_the_door(here, lambda: ask(30), 429, "budget_spent")
        assert int(answer.headers["retry-after"]) >= 1

    def test_504_when_the_upstream_is_silent(self, tmp_path: Path) -> None:
        """After its timeout; the others are served meanwhile."""
        with site(tmp_path) as made:
            made.environment = {"PARAVENT_UPSTREAM_TIMEOUT": "1"}
            made.start()
            with ThreadPoolExecutor(1) as pool:
                silent = pool.submit(made.ask, SILENT)
                assert made.ask(1).status == 200
                refused(silent.result(), 504, "upstream_timeout")

    def test_refusals_speak_two_languages(self, here: Site) -> None:
        """The type does not change with the language; the title does."""
        french, english = (
            here.call(here.question(), None, headers=[("Accept-Language", tag)]) for tag in ("fr-FR", "en;q=0.9")
        )
        assert french.json()["type"] == english.json()["type"]
        assert french.json()["title"] != english.json()["title"]

    def test_nothing_of_a_request_is_repeated(self, here: Site) -> None:
        """Neither in the challenge nor in a body: whatever a token, a proof or a header says."""
        marks = {"kid": "mark-kid", "typ": 'x", realm="mark"', "alg": "mark\r\nSet-Cookie: a"}
        for name, value in marks.items():
            answer = stopped_at_the_door(here, partial(here.ask, header={name: value}))
            assert b"mark" not in answer.body + str(answer.headers).encode()
        answer = stopped_at_the_door(here, lambda: here.ask(iss='mark"\r\n', acr="mark", client_id="mark"))
        assert b"mark" not in answer.body + str(answer.headers).encode()
