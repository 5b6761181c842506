"""The outward contract, as an authorization server meets it: JWK sets as others write them, and their rotation.

Nothing of the project is imported: `outsider` makes keys, tokens, certificates and an upstream with public libraries,
writes the configuration as the contract prints it, and runs `paravent`.
"""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from outsider import Site, serving, site
from outsider_checks import stopped_at_the_door, wait_for
from outsider_keys import ABSENT, jwk, private_key, signed

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("contract-keys")]


class TestKeySets:
    """JWK sets as others write them: in this one the good keys are between keys that nobody can use."""

    GOOD = (
        ("ES256", "plain", {"use": ABSENT, "alg": ABSENT}, "without use and alg"),
        (
            "ES256",
            "more",
            {"x5t": "a", "x5t#S256": "b", "key_ops": ["verify"], "iat": 1, "status": {}},
            "with more members",
        ),
        ("ES384", "Zm9v+/8=", {}, "P-384, a kid in standard base64"),
        ("EdDSA", "urn:ietf:params:oauth:jwk-thumbprint:sha-256:abc", {}, "Ed25519, a kid that is a URN"),
        ("EdDSA", "renamed", {"alg": "Ed25519"}, "Ed25519 under its name of RFC 9864"),
        ("PS256", "pss", {}, "RSA for PS256"),
        ("PS256", "rsa", {"alg": ABSENT, "use": ABSENT}, "RSA that says nothing"),
    )

    @pytest.fixture(scope="class")
    def there(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        with site(tmp_path_factory.mktemp("keys")) as made:
            good = [jwk(alg, private_key(alg, kid), kid=kid, **more) for alg, kid, more, _ in self.GOOD]
            bad: list[Any] = [
                {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
                {"kty": "EC", "crv": "P-521", "kid": "p521", "x": "AA", "y": "AA"},
                jwk("ES256", private_key("ES256", "disclosed"), kid="disclosed", d="AAAA"),
                jwk("PS256", private_key("PS256", "enc"), kid="pss", use="enc", alg="RSA-OAEP"),
                {"kty": "future", "kid": "x"},
                {},
                "key",
                None,
            ]
            made.publish(*bad[:4], *good, *bad[4:])
            made.start()
            yield made

    @pytest.mark.parametrize(("alg", "kid", "more", "why"), GOOD, ids=[row[3] for row in GOOD])
    def test_a_key_that_verifies(self, there: Site, alg: str, kid: str, more: dict[str, Any], why: str) -> None:
        """One bad key does not disable the good ones, whatever the order."""
        names = [alg] if alg != "EdDSA" else ["EdDSA", "Ed25519"]
        for name in names:
            header = {"typ": "at+jwt", "alg": name, "kid": kid}
            token = signed(alg, private_key(alg, kid), header, there.claims())
            assert there.present_token(token).status == 200, why

    def test_keys_that_do_not(self, there: Site) -> None:
        """The private one is disclosed, the symmetric one is everybody's, and an encryption key signs nothing."""
        for alg, kid, key in (
            ("ES256", "disclosed", "disclosed"),
            ("PS256", "pss", "enc"),
            ("ES256", "shared", "disclosed"),
        ):
            token = signed(alg, private_key(alg, key), {"typ": "at+jwt", "alg": alg, "kid": kid}, there.claims())
            stopped_at_the_door(there, partial(there.present_token, token))

    def test_an_algorithm_that_nobody_asked_for(self, there: Site) -> None:
        """RS256 with an RSA key that says nothing: not in the issuer's list, so not accepted."""
        token = signed(
            "RS256", private_key("PS256", "rsa"), {"typ": "at+jwt", "alg": "RS256", "kid": "rsa"}, there.claims()
        )
        stopped_at_the_door(there, partial(there.present_token, token))

    def test_an_algorithm_that_the_operator_names(self, tmp_path: Path) -> None:
        """RS256 in `algorithms`: keys without alg, as large providers publish them, verify it."""
        with site(tmp_path) as made:
            made.publish(jwk("RS256", private_key("RS256", "old"), kid="old", alg=ABSENT, use=ABSENT))
            made.environment = {"PARAVENT_ISSUERS_OPERATEUR_ALGORITHMS": "RS256"}
            made.start()
            header = {"typ": "at+jwt", "alg": "RS256", "kid": "old"}
            assert made.present_token(signed("RS256", private_key("RS256", "old"), header, made.claims())).status == 200

    def test_a_rotation_refuses_no_request(self, tmp_path: Path) -> None:
        """Old, both, new: by rename, then written over piece by piece, while somebody asks all the time."""
        with serving(tmp_path) as made:
            next_key = private_key("ES384", "next")
            published_ = [jwk("ES256", made.issuer_key, kid="k1"), jwk("ES384", next_key, kid="k2")]
            done, answers = threading.Event(), []

            def work() -> None:
                while not done.is_set():
                    answers.append(made.ask().status)

            asking = threading.Thread(target=work)
            asking.start()
            try:
                made.publish(*published_)
                wait_for(lambda: made.present_token(by_next(made, next_key)).status == 200)
                with (tmp_path / "jwks.json").open("w") as file:
                    for character in json.dumps({"keys": list(reversed(published_))}):
                        file.write(character)
                        file.flush()
                        time.sleep(0.002)
                before = len(answers)
                wait_for(lambda: len(answers) > before + 20)
            finally:
                done.set()
                asking.join()
            assert set(answers) == {200}
            made.publish(published_[1])
            wait_for(lambda: made.ask().status == 401)
            assert made.present_token(by_next(made, next_key)).status == 200


def by_next(made: Site, key: Any) -> str:
    return signed("ES384", key, {"typ": "at+jwt", "alg": "ES384", "kid": "k2"}, made.claims())
