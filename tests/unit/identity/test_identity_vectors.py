"""The examples that the standards print, and a second implementation as oracle."""

import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from paravent.identity import base64url, jws
from paravent.identity.dpop import check_proof
from paravent.identity.jwk import KeyFault, public_key
from paravent.identity.mtls import check_certificate
from paravent.identity.thumbprint import thumbprint
from paravent.model import Connection, Facts
from paravent.reasons import Reason
from paravent.rules import ThumbprintEncoding
from tokens import SigningKey, bare_jwk, compact, signing_key

RFC7638_KEY = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC8037_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC9449_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
}
RFC9449_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
RFC9449_TOKEN = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC9449_TOKEN_SHA256 = hashlib.sha256(RFC9449_TOKEN).digest()
RFC9449_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQy"
    "VVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJ"
    "lMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsIml"
    "hdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E"
    "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC8705_CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
"""


@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        (RFC7638_KEY, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),  # RFC 7638 section 3.1
        (RFC8037_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),  # RFC 8037 appendix A.3
        (RFC9449_KEY, RFC9449_JKT),  # RFC 9449 section 6.1
    ],
)
def test_thumbprints_of_the_standards(jwk: dict[str, Any], expected: str) -> None:
    """Our thumbprints are the printed ones, and the keys are keys to us."""
    assert base64url.encode(thumbprint(jwk)) == expected
    assert not isinstance(public_key(jwk), KeyFault)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "EdDSA"])
def test_thumbprints_agree_with_another_implementation(alg: str) -> None:
    """joserfc names every kind of key as we do, whatever else stands in the JWK."""
    key = signing_key(alg, "any")
    jwk = key.jwk(ext=True)
    assert base64url.encode(thumbprint(jwk)) == import_key(bare_jwk(key.public)).thumbprint() == key.jkt


def rfc9449_request(now_s: int = 1562262618) -> Facts:
    """RFC 9449 section 7.1, figure 13."""
    headers = ((b"authorization", b"DPoP " + RFC9449_TOKEN), (b"dpop", RFC9449_PROOF.encode()))
    return Facts(now_s * 1000, "r", b"GET", b"/protectedresource", headers, b"", Connection("192.0.2.1", True))


def test_the_proof_of_rfc_9449_holds() -> None:
    """Section 7.1: signature, method, address, time, token hash and key of the printed request all agree."""
    told = check_proof(rfc9449_request(), RFC9449_TOKEN_SHA256, RFC9449_JKT, "https://resource.example.org", None)
    assert not isinstance(told, Reason)
    assert told.until_ms > 1562262618000
    assert told.key == hashlib.sha256(f"{RFC9449_JKT}|e1j3V_bKic8-LAEB".encode()).digest()


def test_the_proof_of_rfc_9449_does_not_hold_elsewhere() -> None:
    """The same request with another token, at another origin, or today."""
    origin = "https://resource.example.org"
    assert (
        check_proof(rfc9449_request(), hashlib.sha256(RFC9449_TOKEN + b"x").digest(), RFC9449_JKT, origin, None)
        is Reason.DPOP_TOKEN
    )
    assert (
        check_proof(rfc9449_request(), RFC9449_TOKEN_SHA256, RFC9449_JKT, "https://other.example", None)
        is Reason.DPOP_REQUEST
    )
    assert (
        check_proof(rfc9449_request(1_767_225_600), RFC9449_TOKEN_SHA256, RFC9449_JKT, origin, None) is Reason.DPOP_TIME
    )


def test_the_certificate_of_rfc_8705_has_its_thumbprint() -> None:
    """Appendix A: the printed certificate and the printed x5t#S256."""
    der = x509.load_pem_x509_certificate(RFC8705_CERTIFICATE).public_bytes(Encoding.DER)
    connection = Connection("192.0.2.1", True, hashlib.sha256(der).digest())
    thumb = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
    assert check_certificate(connection, thumb, ThumbprintEncoding.RFC8705) is None
    assert check_certificate(connection, thumb, ThumbprintEncoding.ANS_HEX) is Reason.BINDING_CERTIFICATE


def test_the_signed_example_of_rfc_7515() -> None:
    """Appendix A.3: an ES256 token and its key; changing nothing verifies, another algorithm's name does not."""
    token = jws.split(
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnV"
        b"lfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        8192,
    )
    key = public_key(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )
    assert token is not None
    assert not isinstance(key, KeyFault)
    assert jws.verifies(token, key, "ES256")
    assert not jws.verifies(token, key, "PS256")


def test_the_signed_example_of_rfc_8037() -> None:
    """Appendix A.4 and A.5: an Ed25519 signature and its key. That its payload is no JSON is not for the signature."""
    token = jws.split(
        b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4"
        b"iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        8192,
    )
    key = public_key(RFC8037_KEY)
    assert token is not None
    assert not isinstance(key, KeyFault)
    assert jws.verifies(token, key, "EdDSA")
    assert not jws.verifies(token, key, "ES256")
    assert jws.read_object(token.payload) is None


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 has a new name for it; tokens have the old one
@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "EdDSA", "RS256"])
def test_signatures_agree_with_another_implementation(alg: str) -> None:
    """What joserfc signs verifies here, and what is signed here verifies there; with one bit of it changed, neither."""
    key = signing_key(alg, "any")
    theirs = import_key(bare_jwk(key.public))
    mine = import_key(pem(key), bare_jwk(key.public)["kty"])
    told = joserfc_jws.serialize_compact({"alg": alg}, b"{}", mine, algorithms=[alg])
    ours = compact(key, {"alg": alg}, {})
    for token in (told, ours):
        spoilt = token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]
        for text, good in ((token, True), (spoilt, False)):
            parts = jws.split(text.encode(), 8192)
            assert parts is not None
            assert jws.verifies(parts, key.public, alg) is good
            try:
                joserfc_jws.deserialize_compact(text, theirs, algorithms=[alg])
                agreed = True
            except JoseError:
                agreed = False
            assert agreed is good


def pem(key: SigningKey) -> bytes:
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_one_spelling_of_base64url() -> None:
    """Padding, foreign characters, impossible lengths and unused bits that are set are all refused."""
    assert base64url.decode(b"") == b""
    assert base64url.decode(b"AA") == b"\0"
    for text in (b"AA==", b"AB", b"A", b"A+", b"A/", b"AA\n", b" AA", "é".encode()):
        assert base64url.decode(text) is None
