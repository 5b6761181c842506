"""Pro Santé Connect's own tokens: who they name, what is refused, and in whose hands they are worth something."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from asking import ASSURANCE, REQUIREMENT, ask, facts, world
from conversation import Conversation
from paravent.effects import FindRevocations, Introspect, IssuerDown, Standing
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.issuers import Issuer, Profile
from paravent.identity.verified import VerifiedTokens
from paravent.model import Practitioner
from paravent.reasons import Reason
from paravent.rules import Assurance, Binding, Level, Methods
from psc_tokens import KEY, PSC, SUBJECT, psc_token
from tokens import CLIENT, FINESS, NOW_MS, NOW_S, RPPS, bearer_headers, mint

OURS, THEIRS = b"o" * 32, b"t" * 32
ISSUER = Issuer(
    "psc",
    PSC,
    (),
    frozenset({CLIENT, "autre"}),
    ("RS256",),
    Profile.PRO_SANTE_CONNECT,
    certificates={CLIENT: frozenset({OURS, b"n" * 32})},
    max_lifetime_s=300,
)
POLICY = replace(
    ASSURANCE, levels=(Level("substantiel", frozenset({"eidas3"}), auth_mode=Methods(any=frozenset({"CARD"}))),)
)


def told(
    token: str,
    certificate: bytes | None = OURS,
    *,
    issuer: Issuer = ISSUER,
    assurance: Assurance = POLICY,
    answer: Standing | IssuerDown | None = None,
    scheme: bytes = b"Bearer",
    now_ms: int = NOW_MS,
    verified: VerifiedTokens | None = None,
) -> Conversation[Authenticated | Refusal]:
    replies = {**world(KEY), **({} if answer is None else {Introspect: answer})}
    asked = facts(((b"authorization", scheme + b" " + token.encode()),), certificate_sha256=certificate, now_ms=now_ms)
    return ask(asked, replies, issuers={PSC: issuer}, assurance=assurance, verified=verified)


def reason(*args: Any, **how: Any) -> Reason | None:
    result = told(*args, **how).result
    return result.reason if isinstance(result, Refusal) else None


@pytest.mark.parametrize(
    ("changes", "finess"),
    [
        pytest.param({}, FINESS, id="as it is"),
        pytest.param({"SubjectOrganizationID": "1990000012"}, FINESS, id="the establishment by its type 1"),
        pytest.param({"SubjectOrganizationID": f"4{RPPS}006"}, None, id="a practice, by RPPS and rank"),
        pytest.param({"SubjectOrganizationID": "R102671"}, None, id="a technical number"),
        pytest.param({"SubjectOrganizationID": "F990000012X"}, None, id="an establishment and a letter"),
        pytest.param({"SubjectOrganizationID": None}, None, id="no structure"),
        pytest.param({"SubjectNameID": "8" + RPPS}, FINESS, id="named three times"),
        pytest.param({"preferred_username": None}, FINESS, id="named by sub alone"),
        pytest.param({"sub": "0b1c", "SubjectNameID": "8" + RPPS}, FINESS, id="with a sub that says nothing"),
        pytest.param({"preferred_username": RPPS}, FINESS, id="RPPS without its type"),
        pytest.param({"SubjectRole": "21"}, FINESS, id="one role, as a text"),
        pytest.param({"SubjectRole": ["21^1.2", "21^1.3"]}, FINESS, id="one profession in two code systems"),
        pytest.param({"client_id": CLIENT}, FINESS, id="client_id says the same"),
    ],
)
def test_who_asks(changes: dict[str, Any], finess: str | None) -> None:
    """One canonical practitioner, however the token writes them."""
    result = told(psc_token(**changes)).result
    assert isinstance(result, Authenticated)
    assert result.practitioner == Practitioner(RPPS, "21", finess, CLIENT, "psc")
    assert result.evidence.binding == "mtls"
    assert result.evidence.auth_age_s == 5395


OTHER = "810003461033"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"typ": "ID"}, Reason.TOKEN_MALFORMED, id="an ID token"),
        pytest.param({"typ": "Refresh"}, Reason.TOKEN_MALFORMED, id="a refresh token"),
        pytest.param({"typ": None}, Reason.TOKEN_MALFORMED, id="a token that does not say what it is"),
        pytest.param({"preferred_username": OTHER}, Reason.TOKEN_IDENTITY, id="two persons: username and sub"),
        pytest.param({"SubjectNameID": OTHER}, Reason.TOKEN_IDENTITY, id="two persons: name and sub"),
        pytest.param({"sub": SUBJECT.replace(RPPS, OTHER[1:])}, Reason.TOKEN_IDENTITY, id="another federated person"),
        pytest.param({"preferred_username": ["8" + RPPS]}, Reason.TOKEN_IDENTITY, id="a name in a list"),
        pytest.param({"preferred_username": "0123456789"}, Reason.TOKEN_IDENTITY, id="an ADELI number"),
        pytest.param({"preferred_username": None, "sub": "x"}, Reason.TOKEN_IDENTITY, id="nobody"),
        pytest.param(
            {"preferred_username": None, "sub": SUBJECT + "\n"}, Reason.TOKEN_IDENTITY, id="somebody and a line end"
        ),
        pytest.param({"SubjectRole": None}, Reason.TOKEN_IDENTITY, id="no profession"),
        pytest.param({"SubjectRole": []}, Reason.TOKEN_IDENTITY, id="an empty list of professions"),
        pytest.param({"SubjectRole": ["21^1.2", "10^1.2"]}, Reason.TOKEN_IDENTITY, id="two professions"),
        pytest.param({"SubjectRole": ["210"]}, Reason.TOKEN_IDENTITY, id="a profession in three digits"),
        pytest.param({"SubjectRole": ["21^1.2 10^1.2"]}, Reason.TOKEN_IDENTITY, id="two professions in one text"),
        pytest.param({"SubjectRole": ["SECRETARIAT^1.2"]}, Reason.TOKEN_IDENTITY, id="a role that is none"),
        pytest.param({"SubjectRole": [{"21": 1}]}, Reason.TOKEN_IDENTITY, id="a role of another type"),
        pytest.param({"SubjectOrganizationID": 1}, Reason.TOKEN_IDENTITY, id="a structure of another type"),
        pytest.param({"azp": None}, Reason.TOKEN_IDENTITY, id="no azp"),
        pytest.param({"client_id": "autre"}, Reason.TOKEN_IDENTITY, id="client_id against azp"),
        pytest.param({"azp": "inconnu"}, Reason.TOKEN_CLIENT, id="software nobody knows"),
        pytest.param({"aud": "account"}, Reason.TOKEN_AUDIENCE, id="for another service"),
        pytest.param({"aud": []}, Reason.TOKEN_AUDIENCE, id="an audience of nobody"),
        pytest.param({"exp": NOW_S + 281}, Reason.TOKEN_LIFETIME, id="longer than five minutes"),
        pytest.param({"exp": NOW_S}, Reason.TOKEN_EXPIRED, id="over"),
        pytest.param({"auth_time": None}, Reason.AUTHENTICATION_TOO_OLD, id="no time of login"),
        pytest.param({"authMode": "PASSWORD"}, Reason.ASSURANCE_TOO_LOW, id="another way of login"),
        pytest.param({"authMode": None}, Reason.ASSURANCE_TOO_LOW, id="no way of login"),
        pytest.param({"acr": "eidas1"}, Reason.ASSURANCE_TOO_LOW, id="a weak login"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: Reason) -> None:
    """Nothing is repaired, nothing chosen between two sayings."""
    assert reason(psc_token(**changes)) is expected


def test_the_two_profiles_do_not_mix() -> None:
    """Threat row 11: `typ` at+jwt at this issuer, or JWT at an RFC 9068 one, is a token made for something else."""
    assert reason(psc_token(header_typ="at+jwt")) is Reason.TOKEN_MALFORMED
    untyped = replace(ISSUER, untyped_logouts=True)
    assert reason(psc_token(header_typ="at+jwt"), issuer=untyped) is Reason.TOKEN_MALFORMED
    other = Issuer("operateur", PSC, ("urn:x",), frozenset({CLIENT}), ("RS256",))
    assert reason(psc_token(), issuer=other) is Reason.TOKEN_MALFORMED
    assert reason(mint(KEY, iss=PSC)) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("certificate", "how", "expected"),
    [
        pytest.param(THEIRS, {}, Reason.BINDING_CERTIFICATE, id="in another organisation's hands"),
        pytest.param(None, {}, Reason.BINDING_CERTIFICATE, id="without a certificate"),
        pytest.param(b"n" * 32, {}, None, id="with the organisation's next certificate"),
        pytest.param(OURS, {"scheme": b"DPoP"}, Reason.BINDING_DOWNGRADE, id="as DPoP"),
        pytest.param(
            OURS,
            {"assurance": replace(POLICY, bindings=frozenset({Binding.DPOP}))},
            Reason.BINDING_NOT_ACCEPTED,
            id="where the policy takes no certificates",
        ),
        pytest.param(OURS, {"issuer": replace(ISSUER, certificates={})}, Reason.BINDING_MISSING, id="nowhere"),
    ],
)
def test_in_whose_hands(certificate: bytes | None, how: dict[str, Any], expected: Reason | None) -> None:
    """An unbound token is worth something in the hands of the configured organisation, and no other's."""
    assert reason(psc_token(), certificate, **how) is expected


def test_one_clients_certificate_is_not_anothers() -> None:
    """A token of another software, in our hands: refused, though both are accepted."""
    assert reason(psc_token(azp="autre")) is Reason.BINDING_MISSING
    both = replace(ISSUER, certificates={CLIENT: frozenset({OURS}), "autre": frozenset({THEIRS})})
    assert reason(psc_token(azp="autre"), issuer=both) is Reason.BINDING_CERTIFICATE


def test_a_token_that_names_a_key_is_held_to_it() -> None:
    """Should Pro Santé Connect bind its tokens one day, the organisation's certificate does not replace that."""
    assert reason(psc_token(cnf={"x5t#S256": "x" * 43})) is Reason.BINDING_CERTIFICATE
    assert reason(psc_token(cnf={"unknown": "x"})) is Reason.BINDING_NOT_ACCEPTED


# ---- the issuer is asked

ASKED = replace(ISSUER, introspection=True)
BARE = {"SubjectRole": None, "SubjectOrganizationID": None}
PERSON: Mapping[str, Any] = {"SubjectRole": ["21^1.2"], "SubjectOrganizationID": "F990000012", "sub": SUBJECT}


def test_the_issuer_says_what_the_token_does_not() -> None:
    """Profession and establishment come from its answer where the token has none."""
    result = told(psc_token(**BARE), issuer=ASKED, answer=Standing(True, PERSON)).result
    assert isinstance(result, Authenticated)
    assert (result.practitioner.profession, result.practitioner.finess) == ("21", FINESS)


@pytest.mark.parametrize(
    ("changes", "answer", "expected"),
    [
        pytest.param({}, Standing(False), Reason.TOKEN_INACTIVE, id="a session that was ended"),
        pytest.param({}, IssuerDown.UNAVAILABLE, Reason.ISSUER_UNAVAILABLE, id="an issuer that does not answer"),
        pytest.param({}, Standing(True, {"sub": "x"}), Reason.TOKEN_IDENTITY, id="an answer about somebody else"),
        pytest.param({}, Standing(True, {"azp": "autre"}), Reason.TOKEN_IDENTITY, id="an answer about other software"),
        pytest.param(
            {},
            Standing(True, {"SubjectRole": ["10^1.2"]}),
            Reason.TOKEN_IDENTITY,
            id="another profession",
        ),
        pytest.param(BARE, Standing(True), Reason.TOKEN_IDENTITY, id="an answer that has no profession either"),
        pytest.param({"acr": None}, Standing(True, {"acr": "eidas3"}), Reason.ASSURANCE_TOO_LOW, id="acr by answer"),
        pytest.param(
            {"cnf": {"jkt": "x"}},
            Standing(True, {"cnf": None}),
            Reason.BINDING_DOWNGRADE,
            id="cnf taken away",
        ),
    ],
)
def test_what_the_issuers_answer_cannot_do(changes: dict[str, Any], answer: Any, expected: Reason) -> None:
    """It ends a token, and completes a name. It makes no login stronger and no token less bound."""
    assert reason(psc_token(**changes), issuer=ASKED, answer=answer) is expected


def test_the_issuer_is_asked_at_each_use_and_never_about_the_expired_or_the_forged() -> None:
    """Remembered or not. Whoever forges tokens makes us ask nobody."""
    memory, token = VerifiedTokens(), psc_token()
    for _ in range(2):
        first = told(token, issuer=ASKED, answer=Standing(True), verified=memory)
        assert sum(isinstance(effect, Introspect) for effect in first.asked) == 1
    ended = told(token, issuer=ASKED, answer=Standing(False), verified=memory)
    assert isinstance(ended.result, Refusal)
    assert (ended.result.reason, ended.result.practitioner is not None) == (Reason.TOKEN_INACTIVE, True)
    assert not any(isinstance(effect, FindRevocations) for effect in ended.asked)
    late = told(token, issuer=ASKED, now_ms=NOW_MS + 100_000, verified=memory)
    new_but_late = told(token, issuer=ASKED, now_ms=NOW_MS + 100_000)
    endless = told(psc_token(exp=None), issuer=ASKED)
    forged = told(token[:-8] + "AAAAAAAA", issuer=ASKED)
    for each, expected in (
        (late, Reason.TOKEN_EXPIRED),
        (new_but_late, Reason.TOKEN_EXPIRED),
        (endless, Reason.TOKEN_EXPIRED),
        (forged, Reason.TOKEN_SIGNATURE),
    ):
        assert isinstance(each.result, Refusal)
        assert each.result.reason is expected
        assert not any(isinstance(effect, Introspect) for effect in each.asked)


def test_an_rfc_9068_issuer_can_be_asked_too() -> None:
    """Its tokens say everything themselves: only whether they stand is taken from the answer."""
    issuer = Issuer("operateur", PSC, ("urn:paravent:droits",), frozenset({CLIENT}), ("RS256",), introspection=True)
    token = mint(KEY, iss=PSC, x5t="x" * 43)
    asked = facts(bearer_headers(token))
    for answer, expected in ((Standing(False), Reason.TOKEN_INACTIVE), (Standing(True), Reason.BINDING_CERTIFICATE)):
        result = ask(asked, {**world(KEY), Introspect: answer}, issuers={PSC: issuer}).result
        assert isinstance(result, Refusal)
        assert result.reason is expected


def test_requirement_is_the_usual_one() -> None:
    """These tests speak of a login of an hour and a half under four hours."""
    assert REQUIREMENT.max_auth_age_s == 4 * 3600
