"""Pro Santé Connect's own access tokens, as they are: who, for which software, since which login.

    {"typ": "Bearer", "iss": "https://…/realms/esante-wallet", "sub": "f:3f5e…:899700427885", "azp": "portail",
     "preferred_username": "899700427885", "acr": "eidas3", "authMode": "CARD", "auth_time": …, "sid": …,
     "iat": …, "exp": iat + 120}

Keycloak signs them with typ "JWT". They have no `aud`, no `amr` and no `cnf`: for whom they are is said by `azp`
alone, and what they are bound to by the configuration (`binding`). What somebody's profession is (SubjectRole) the
issuer says elsewhere: in the answer to an introspection (RFC 7662) or of its userinfo endpoint. `completed` brings the
two together.
"""

import re
from collections.abc import Mapping
from typing import Final

from paravent.identity.claims import CLIENT, IDENTIFIER, Claims, Refused, read, rpps_of, text_of
from paravent.identity.issuers import Issuer
from paravent.model import Json, Practitioner
from paravent.reasons import Reason

_FEDERATED: Final = re.compile(r"f:[0-9a-fA-F-]{36}:(.+)")
"""Keycloak, of a user who is kept elsewhere: "f:", the name of that place, the person's identifier there."""
_ROLE: Final = re.compile(r"([0-9]{2})(?:\^[0-9.]+)?")
"""ANS, SubjectRole: the profession (TRE_G15), "^", the code system. "10^1.2.250.1.213.1.1.5.5" is a doctor."""
_ESTABLISHMENT: Final = re.compile(r"[F1]([0-9A-Z]{9})")
"""ANS, identifier of a structure: F or 1, then FINESS. Others (4: a practice by RPPS and rank, 3: SIRET, R: a number
without meaning) name no establishment that has a FINESS number."""

_BROUGHT: Final = ("SubjectNameID", "SubjectRole", "SubjectOrganizationID")
"""What may come from the issuer's answer. All else is believed of the signed token alone."""
READ: Final = ("iss", "sub", "azp", "preferred_username", *_BROUGHT)
"""All that is read of an answer. It may not say any of it otherwise than the token: it would be about somebody else."""


def completed(payload: Mapping[str, Json], answer: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The token's members, and those that only the issuer's answer has. None when the two contradict each other."""
    if any(name in payload and name in answer and payload[name] != answer[name] for name in READ):
        return None
    return {**{name: answer[name] for name in _BROUGHT if name in answer}, **payload}


def pro_sante_connect(payload: Mapping[str, Json], issuer: Issuer) -> Claims | Refused:
    """Read the payload of a token whose signature holds."""
    # Keycloak's own word for what a token is. An ID token ("ID") and a refresh token ("Refresh") are signed with the
    # same key, under the same header, and without `aud` nothing else would tell them apart.
    if payload.get("typ") != "Bearer":
        return Refused(Reason.TOKEN_MALFORMED)
    practitioner = _practitioner(payload, issuer)
    return Refused(Reason.TOKEN_IDENTITY) if practitioner is None else read(payload, issuer, practitioner)


def _practitioner(payload: Mapping[str, Json], issuer: Issuer) -> Practitioner | None:
    rpps, profession, client = _rpps(payload), _profession(payload), text_of(payload, "azp", CLIENT)
    if rpps is None or profession is None or client is None or payload.get("client_id", client) != client:
        return None
    structure = payload.get("SubjectOrganizationID")
    if structure is not None and text_of(payload, "SubjectOrganizationID", IDENTIFIER) is None:
        return None
    establishment = _ESTABLISHMENT.fullmatch(str(structure))
    finess = None if establishment is None else establishment[1]
    return Practitioner(rpps=rpps, profession=profession, finess=finess, client=client, issuer=issuer.name)


def _rpps(payload: Mapping[str, Json]) -> str | None:
    """Of `preferred_username`, `SubjectNameID` and the federated part of `sub`, at least one names the person, and all
    that do name the same."""
    federated = _FEDERATED.fullmatch(subject) if isinstance(subject := payload.get("sub"), str) else None
    named = [payload[name] for name in ("preferred_username", "SubjectNameID") if name in payload]
    named += [federated[1]] if federated is not None else []
    persons = {rpps_of(each) for each in named}
    return persons.pop() if len(persons) == 1 else None


def _profession(payload: Mapping[str, Json]) -> str | None:
    """A text or a list of texts. Somebody with two professions has not said in which one they ask."""
    roles = payload.get("SubjectRole")
    found = {
        match[1] if isinstance(role, str) and (match := _ROLE.fullmatch(role)) else None
        for role in (roles if isinstance(roles, list) else [roles])
    }
    return found.pop() if len(found) == 1 else None
