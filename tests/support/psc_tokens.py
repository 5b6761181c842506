"""Access tokens as Pro Santé Connect writes them, for tests: two minutes, RS256, no aud, no amr, no cnf."""

from typing import Any, Final

from tokens import CLIENT, NOW_S, RPPS, SigningKey, compact, signing_key

PSC: Final = "https://psc.example/auth/realms/esante-wallet"
KEY: Final = signing_key("RS256", "psc")
SUBJECT: Final = f"f:3f5e6a70-1b2c-4d3e-8f90-a1b2c3d4e5f6:8{RPPS}"


def psc_claims(now_s: int = NOW_S, **changes: Any) -> dict[str, Any]:
    """Of a pharmacist who logged in with a card an hour and a half ago; None leaves one out."""
    usual = {
        "exp": now_s + 100,
        "iat": now_s - 20,
        "auth_time": now_s - 5395,
        "jti": "b1a2c3d4",
        "iss": PSC,
        "sub": SUBJECT,
        "typ": "Bearer",
        "azp": CLIENT,
        "nonce": "n",
        "session_state": "0e1f",
        "sid": "0e1f",
        "acr": "eidas3",
        "scope": "openid scope_all",
        "authMode": "CARD",
        "otherIds": [{"identifiant": RPPS, "origine": "RPPS", "qualite": 1}],
        "preferred_username": "8" + RPPS,
        "SubjectRole": ["21^1.2.250.1.213.1.1.5.5"],
        "SubjectOrganizationID": "F990000012",
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def psc_token(now_s: int = NOW_S, key: SigningKey = KEY, header_typ: str = "JWT", **changes: Any) -> str:
    """`changes` are of the claims, `typ` among them."""
    return compact(key, {"alg": key.alg, "typ": header_typ, "kid": key.kid}, psc_claims(now_s, **changes))
