"""Which operation a request is: the paths of the OpenAPI file, in a table, and their names."""

import base64
import binascii
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import orjson

from paravent.sandbox.operations import Operations
from paravent.sandbox.practitioners import practitioner
from paravent.sandbox.questions import Refused
from paravent.sandbox.replies import Reply, error

OPERATIONS: Final = (
    "droits.consultation", "beneficiaires.recherche", "cartes.beneficiaires", "prises-en-charge.demande",
    "compte.lecture", "exports.creation", "soap.adri", "fhir.eligibilite", "fhir.couvertures", "portail.droits",
    "portail.statique",
)  # fmt: skip
OTHER: Final = "autre"
"""Whatever is no operation of the API."""

_POSTS: Final[dict[str, tuple[str, Callable[[Operations, bytes, str], Reply]]]] = {
    "/v1/droits/consultation": ("droits.consultation", Operations.rights),
    "/v1/beneficiaires/recherche": ("beneficiaires.recherche", Operations.search),
    "/v1/prises-en-charge": ("prises-en-charge.demande", Operations.agreement),
    "/v1/exports": ("exports.creation", Operations.export),
    "/soap/adri": ("soap.adri", Operations.soap),
    "/fhir/CoverageEligibilityRequest": ("fhir.eligibilite", Operations.eligibility),
    "/portail/droits": ("portail.droits", Operations.portal),
}
_GETS: Final[dict[str, tuple[str, Callable[[Operations, str, str], Reply]]]] = {
    "/v1/compte": ("compte.lecture", lambda operations, _, caller: operations.account(caller)),
    "/fhir/Coverage": ("fhir.couvertures", lambda operations, query, _: operations.coverages(query)),
}


def answer(operations: Operations, method: str, target: str, body: bytes, caller: str) -> tuple[str, Reply]:
    """The name to count the request under, and its answer."""
    path, _, query = target.partition("?")
    if method == "POST" and path in _POSTS:
        name, post = _POSTS[path]
        try:
            return name, post(operations, body, caller)
        except Refused as refused:
            return name, error(422, refused.code, refused.message)
    if method == "GET":
        return _get(operations, path, query, caller)
    return OTHER, _nothing(method, path)


def _get(operations: Operations, path: str, query: str, caller: str) -> tuple[str, Reply]:
    if path in _GETS:
        name, get = _GETS[path]
        return name, get(operations, query, caller)
    match path.split("/"):
        case ["", "v1", "cartes", amc, member, "beneficiaires"]:
            return "cartes.beneficiaires", operations.card(unquote(amc), unquote(member), caller)
        case ["", "portail", asset] if asset:
            return "portail.statique", operations.asset(unquote(asset))
    return OTHER, _nothing("GET", path)


def _nothing(method: str, path: str) -> Reply:
    status = 405 if path in _POSTS or path in _GETS else 404
    return error(status, "ADRESSE_INCONNUE", f"Rien à cette adresse : {method} {path}")


@lru_cache(maxsize=4096)
def caller_of(assertion: str | None) -> str:
    """RPPS of who asks: `sub` ("8" + RPPS) of the JWT in `Paravent-Assertion`, whose signature is NOT checked.

    The API trusts the network. Without a readable assertion the caller is the first invented pharmacist.
    """
    if assertion is not None and assertion.count(".") == 2:
        payload = assertion.split(".")[1]
        try:
            claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (binascii.Error, ValueError):
            claims = None
        sub = claims.get("sub") if isinstance(claims, dict) else None
        if isinstance(sub, str) and len(sub) == 12 and sub[0] == "8":
            return sub[1:]
    return practitioner(0, "21").rpps
