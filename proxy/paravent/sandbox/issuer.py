"""The mint as a server. A LABORATORY ISSUER: whoever reaches it gets any token they ask for.

    GET  /jwks      the key set
    POST /token     {"rpps": "…", "profession": "21", "jkt": "…", …} → {"access_token", "token_type", "expires_in"}
    POST /rotate    signs with a new key from now on → {"kid"}

Of profile pro-sante-connect also, and nobody who asks is asked who they are:

    POST /introspect   token=… → {"active": …} (RFC 7662)
    GET  /userinfo     Authorization: Bearer … → {"sub", "SubjectRole", …}
    POST /end          token=…: its session is over

Members of a token request: rpps (required), profession, finess, client_id, acr, amr, auth_time or auth_age_s, jkt or
x5t#S256, ttl_s, claims. null for acr or amr leaves the claim out.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

import orjson
from tornado.httputil import HTTPHeaders

from paravent.sandbox import server
from paravent.sandbox.psc import PscMint, lifetime_s
from paravent.sandbox.questions import Refused, json_object
from paravent.sandbox.replies import JSON, Reply, error, json_reply
from paravent.sandbox.server import Handler, Listening
from paravent.sandbox.tokens import TokenMint, Wish

_TEXTS: Final = {"rpps", "profession", "finess", "client_id", "acr", "jkt", "x5t#S256"}
_NUMBERS: Final = {"auth_time", "auth_age_s", "ttl_s"}
_FIELDS: Final = {"x5t#S256": "x5t_s256", "auth_time": "auth_time_s"}
_NULLABLE: Final = {"finess", "acr", "amr", "jkt", "x5t#S256"}


def wish_of(body: bytes) -> Wish:
    """A token request. `Refused` when it is not one."""
    members = json_object(body)
    if not isinstance(members.get("rpps"), str):
        raise Refused("invalid_request", "rpps is missing")
    fields: dict[str, object] = {}
    for name, value in members.items():
        if not _acceptable(name, value):
            raise Refused("invalid_request", f"{name} is unknown or of the wrong type")
        fields[_FIELDS.get(name, name)] = tuple(value) if isinstance(value, list) else value
    return Wish(**fields)  # type: ignore[arg-type]  # each checked by _acceptable


def _acceptable(name: str, value: object) -> bool:
    if value is None:
        return name in _NULLABLE
    if name == "amr":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if name == "claims":
        return isinstance(value, dict)
    return type(value) is str if name in _TEXTS else name in _NUMBERS and type(value) is int


def handler(mint: TokenMint | PscMint, now_s: Callable[[], int]) -> Handler:
    """The function from a request to its reply."""
    standing = _standing(mint, now_s) if isinstance(mint, PscMint) else None

    def token(body: bytes) -> Reply:
        try:
            wish = wish_of(body)
        except Refused as refused:
            return Reply(400, JSON, orjson.dumps({"error": refused.code, "error_description": refused.message}))
        kind = "Bearer" if wish.jkt is None or standing is not None else "DPoP"
        signed = mint.mint(wish, now_s())
        lifetime = wish.ttl_s if standing is None else lifetime_s(wish)
        return json_reply({"access_token": signed, "token_type": kind, "expires_in": lifetime})

    def handle(method: str, target: str, headers: HTTPHeaders, body: bytes) -> Reply:
        match method, target:
            case "GET", "/jwks":
                return json_reply(mint.jwks())
            case "POST", "/token":
                return token(body)
            case "POST", "/rotate":
                return json_reply({"kid": mint.rotate()})
        if standing is not None:
            return standing(method, target, headers, body)
        return error(404, "unknown", "GET /jwks, POST /token, POST /rotate")

    return handle


def _standing(mint: PscMint, now_s: Callable[[], int]) -> Handler:
    """What Pro Santé Connect says of its tokens. Whoever asks is answered: there are no secrets here."""

    def handle(method: str, target: str, headers: HTTPHeaders, body: bytes) -> Reply:
        token = parse_qs(body.decode("ascii", errors="replace")).get("token", [""])[0]
        match method, target:
            case "POST", "/introspect":
                return json_reply(mint.introspect(token, now_s()))
            case "POST", "/end":
                return json_reply({"ended": mint.end(token)})
            case "GET", "/userinfo":
                person = mint.userinfo(headers.get("Authorization", "").removeprefix("Bearer "), now_s())
                return (
                    error(401, "invalid_token", "this token does not stand") if person is None else json_reply(person)
                )
        return error(404, "unknown", "GET /jwks, /userinfo; POST /token, /introspect, /end, /rotate")

    return handle


def serve(
    mint: TokenMint | PscMint, listening: Listening, now_s: Callable[[], int], on_ready: Callable[[int], None]
) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is told the port. Raises `server.PortTaken`."""
    server.run(listening, handler(mint, now_s), on_ready)
