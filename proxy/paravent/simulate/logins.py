"""Who asks: invented practitioners, and the tokens that a password, two factors, or a thief of a session can show."""

import urllib.request
from dataclasses import dataclass
from typing import Final

import orjson

from paravent.model import Secret
from paravent.sandbox.practitioners import Account
from paravent.sandbox.proofs import DpopKey
from paravent.sandbox.tokens import TokenMint, Wish
from paravent.simulate.client import Login

AUDIENCE: Final = "urn:paravent:droits"
CLIENT: Final = "portail"
TOKEN_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Factors:
    """What a login was made with, as a token tells it."""

    acr: str
    amr: tuple[str, ...]


PASSWORD: Final = Factors("eidas1", ("pwd",))
"""A password alone: all that the portals of 2022 asked for."""
TWO_FACTORS: Final = Factors("eidas2", ("swk", "pin", "mfa"))
"""e-CPS: an application on a telephone, and a code."""
STOLEN: Final = {"password": PASSWORD, "session": TWO_FACTORS}


class Issuer:
    """The laboratory's issuer, over HTTP."""

    def __init__(self, url: str) -> None:
        """`url`: scheme, host and port."""
        self._url = url

    def log_in(self, account: Account, factors: Factors) -> Login:
        """A session whose key the caller holds. A thief who has only the password binds the token to a key of their
        own; a thief of a session took the key with it. The requests look the same."""
        key = DpopKey.generate()
        return Login(self._token(account, factors, {"jkt": key.jkt}), key)

    def log_in_with_certificate(self, account: Account, factors: Factors, x5t_s256: str) -> Secret[str]:
        """A token bound to a client certificate (RFC 8705 section 3)."""
        return self._token(account, factors, {"x5t#S256": x5t_s256})

    def jwks(self) -> bytes:
        """The key set."""
        with urllib.request.urlopen(f"{self._url}/jwks", timeout=5.0) as response:  # noqa: S310 (our own http URL)
            keys: bytes = response.read()
        return keys

    def _token(self, account: Account, factors: Factors, bound: dict[str, str]) -> Secret[str]:
        wish = {
            "rpps": account.rpps,
            "profession": account.profession,
            "finess": account.finess,
            "client_id": CLIENT,
            "acr": factors.acr,
            "amr": list(factors.amr),
            "ttl_s": TOKEN_S,
            **bound,
        }
        request = urllib.request.Request(  # noqa: S310 (our own http URL)
            f"{self._url}/token", orjson.dumps(wish), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5.0) as response:  # noqa: S310
            return Secret(str(orjson.loads(response.read())["access_token"]))


class DayIssuer:
    """The same mint, in this process: the tokens of a replayed day carry the times of that day."""

    def __init__(self, url: str, account: Account) -> None:
        """`url`: what its tokens say they were issued by."""
        self._mint = TokenMint(url, AUDIENCE, CLIENT)
        self._account = account
        self._key = DpopKey.generate()

    def jwks(self) -> bytes:
        """The key set."""
        return orjson.dumps(self._mint.jwks())

    def log_in(self, now_s: int, login_s: int) -> Login:
        """A token got at `now_s` in a session begun at `login_s` with two factors."""
        wish = Wish(
            rpps=self._account.rpps,
            profession=self._account.profession,
            finess=self._account.finess,
            acr=TWO_FACTORS.acr,
            amr=TWO_FACTORS.amr,
            auth_time_s=login_s,
            jkt=self._key.jkt,
            ttl_s=TOKEN_S,
        )
        return Login(Secret(self._mint.mint(wish, now_s)), self._key)
