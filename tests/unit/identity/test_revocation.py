"""What is revoked gets no further: under which names it is looked up, and whether a list's word holds."""

from typing import Any

import pytest

from asking import CALLER_KEY, ISSUER_KEY, ask, facts, world
from paravent.effects import FindRevocations, ProofSeen, Revocation, StoreDown
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.revocation import Kind, Named, mark_of
from paravent.identity.verified import VerifiedTokens
from paravent.model import Facts
from paravent.reasons import Problem, Reason
from tokens import CLIENT, ISSUER, NOW_S, RPPS, b64url, bearer_headers, dpop_headers, mint, prove, signing_key

OPERATEUR = Named("operateur", ISSUER)
CERTIFICATE = b"\1" * 32
TOKEN = mint(ISSUER_KEY, x5t=b64url(CERTIFICATE), sid="login-1")


def asked(token: str = TOKEN) -> Facts:
    return facts(bearer_headers(token), certificate_sha256=CERTIFICATE)


def listed(*revocations: Revocation) -> dict[type, Any]:
    """A world whose lists hold these, and answers as `ports.Revocations` does."""
    return {
        **world(),
        FindRevocations: lambda wanted: tuple(each for each in revocations if each.mark in wanted.marks),
    }


def reason(replies: Any, asked_for: Facts | None = None, verified: VerifiedTokens | None = None) -> Reason | None:
    result = ask(asked_for or asked(), replies, verified=verified).result
    return result.reason if isinstance(result, Refusal) else None


MARKS = (
    (mark_of(Kind.TOKEN, "token-1", OPERATEUR), Reason.TOKEN_REVOKED),
    (mark_of(Kind.SESSION, "login-1", OPERATEUR), Reason.SESSION_REVOKED),
    (mark_of(Kind.PRACTITIONER, RPPS), Reason.PRACTITIONER_REVOKED),
    (mark_of(Kind.PRACTITIONER, RPPS, OPERATEUR), Reason.PRACTITIONER_REVOKED),
    (mark_of(Kind.PRACTITIONER, "8" + RPPS), Reason.PRACTITIONER_REVOKED),
    (mark_of(Kind.CLIENT, CLIENT), Reason.CLIENT_REVOKED),
    (mark_of(Kind.CERTIFICATE, CERTIFICATE.hex()), Reason.CERTIFICATE_REVOKED),
    (mark_of(Kind.KEY, "k1", OPERATEUR), Reason.KEY_REVOKED),
)


@pytest.mark.parametrize(("mark", "expected"), MARKS, ids=[mark.partition(":")[0] for mark, _ in MARKS])
def test_what_can_be_revoked(mark: str, expected: Reason) -> None:
    """Threat row 46: a token, its login, its practitioner, its software, its certificate, its issuer's key."""
    assert reason(world()) is None
    assert reason(listed(Revocation(mark))) is expected


def test_a_token_of_no_login_stands_on_none() -> None:
    """Where the issuer names no session, no session of that name is asked for."""
    told = ask(asked(mint(ISSUER_KEY, x5t=b64url(CERTIFICATE))))
    (wanted,) = [each for each in told.asked if isinstance(each, FindRevocations)]
    assert [mark for mark in wanted.marks if mark.startswith("session:")] == []


def test_a_front_proxy_whose_key_was_stolen() -> None:
    """Its own certificate is one of the connection's. Once it is revoked nobody comes in through it."""
    through = facts(bearer_headers(TOKEN), certificate_sha256=CERTIFICATE, front_sha256=b"\2" * 32)
    assert reason(listed(Revocation(mark_of(Kind.CERTIFICATE, "03" * 32))), through) is None
    assert reason(listed(Revocation(mark_of(Kind.CERTIFICATE, "02" * 32))), through) is Reason.CERTIFICATE_REVOKED
    assert reason(listed(Revocation(mark_of(Kind.CERTIFICATE, CERTIFICATE.hex()))), through) is not None


@pytest.mark.parametrize(("mark", "expected"), MARKS, ids=[mark.partition(":")[0] for mark, _ in MARKS])
def test_a_list_is_asked_at_every_use(mark: str, expected: Reason) -> None:
    """A token that is remembered as verified is refused from the moment that it is revoked, and let in when that is
    lifted."""
    memory = VerifiedTokens()
    assert reason(world(), verified=memory) is None
    assert reason(listed(Revocation(mark)), verified=memory) is expected
    assert reason(world(), verified=memory) is None


def test_others_are_not_concerned() -> None:
    """The same name for another thing, or of another issuer, revokes nothing."""
    elsewhere = Named("psc", "https://psc.example")
    others = (
        mark_of(Kind.TOKEN, "token-2", OPERATEUR),
        mark_of(Kind.TOKEN, "token-1", elsewhere),
        mark_of(Kind.SESSION, "login-1", elsewhere),
        mark_of(Kind.PRACTITIONER, "10003461033"),
        mark_of(Kind.PRACTITIONER, RPPS, elsewhere),
        mark_of(Kind.CLIENT, RPPS),
        mark_of(Kind.CERTIFICATE, "02" * 32),
        mark_of(Kind.KEY, "k2", OPERATEUR),
        mark_of(Kind.KEY, "k1", elsewhere),
    )
    assert reason(listed(*(Revocation(mark) for mark in others))) is None


def test_the_caller_learns_only_that_the_token_is_not_accepted() -> None:
    """One constant body and one challenge for all six; the audit alone knows which, and who it was."""
    for mark, _ in MARKS:
        result = ask(asked(), listed(Revocation(mark))).result
        assert isinstance(result, Refusal)
        assert result.reason.problem is Problem.TOKEN_REFUSED
        assert result.challenge is not None
        assert result.challenge.error == "invalid_token"
        assert result.practitioner is not None


def test_a_revocation_ends_at_its_moment() -> None:
    """In force to the last second before `until`, void from then on."""
    mark = mark_of(Kind.PRACTITIONER, RPPS)
    assert reason(listed(Revocation(mark, until_s=NOW_S + 1))) is Reason.PRACTITIONER_REVOKED
    assert reason(listed(Revocation(mark, until_s=NOW_S))) is None


def test_whoever_logs_in_anew_is_let_in() -> None:
    """`issued_before` spares tokens issued after it. The token here was issued a minute ago."""
    mark = mark_of(Kind.PRACTITIONER, RPPS)
    for before_s, expected in ((NOW_S - 60, Reason.PRACTITIONER_REVOKED), (NOW_S - 61, None)):
        assert reason(listed(Revocation(mark, issued_before_s=before_s))) is expected


def test_one_that_is_void_hides_no_other() -> None:
    """Two lists may speak of the same thing; each is judged."""
    mark = mark_of(Kind.CLIENT, CLIENT)
    assert reason(listed(Revocation(mark, until_s=NOW_S), Revocation(mark))) is Reason.CLIENT_REVOKED


def test_the_second_form_of_a_signature_is_revoked_with_the_first() -> None:
    """Threat row 42: revocation is keyed on claims; another text of the same token is the same token."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    head, _, _ = TOKEN.rpartition(".")
    signature = ISSUER_KEY.sign(head.encode())
    s = order - int.from_bytes(signature[32:])
    twin = f"{head}.{b64url(signature[:32] + s.to_bytes(32))}"
    revoked = listed(Revocation(mark_of(Kind.TOKEN, "token-1", OPERATEUR)))
    assert reason(world(), asked(twin)) is None
    assert reason(revoked, asked(twin)) is Reason.TOKEN_REVOKED


def test_a_revoked_token_costs_no_proof() -> None:
    """It is refused before its proof is read, and the replay memory is not asked."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    told = ask(facts(dpop_headers(token, "no proof")), listed(Revocation(mark_of(Kind.CLIENT, CLIENT))))
    assert isinstance(told.result, Refusal)
    assert told.result.reason is Reason.CLIENT_REVOKED
    assert not any(isinstance(effect, ProofSeen) for effect in told.asked)


def test_a_certificate_is_revoked_whatever_the_token_is_bound_to() -> None:
    """Also where it only carries a connection on which a DPoP-bound token comes."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    carried = facts(dpop_headers(token, prove(CALLER_KEY, token)), certificate_sha256=CERTIFICATE)
    assert reason(world(), carried) is None
    revoked = listed(Revocation(mark_of(Kind.CERTIFICATE, CERTIFICATE.hex())))
    assert reason(revoked, carried) is Reason.CERTIFICATE_REVOKED


def test_a_stranger_learns_nothing_from_the_lists() -> None:
    """Without the issuer's signature no list is asked."""
    stranger = signing_key("ES256", "stranger")
    told = ask(asked(mint(stranger, x5t=b64url(CERTIFICATE), header={"kid": "k1"})))
    assert not any(isinstance(effect, FindRevocations) for effect in told.asked)


def test_lists_that_are_too_old_let_nobody_in() -> None:
    """Not knowing is never "not revoked": 503, our outage, and no challenge."""
    result = ask(asked(), {**world(), FindRevocations: StoreDown.UNAVAILABLE}).result
    assert isinstance(result, Refusal)
    assert (result.reason, result.challenge) == (Reason.STATE_UNAVAILABLE, None)


def test_a_token_may_name_no_login() -> None:
    """sid is optional; where it stands it is a text."""
    assert isinstance(ask(asked(mint(ISSUER_KEY, x5t=b64url(CERTIFICATE)))).result, Authenticated)
    for sid in (1, "", "a b", ["x"], "s" * 257):
        token = mint(ISSUER_KEY, x5t=b64url(CERTIFICATE), sid=sid)
        assert reason(world(), asked(token)) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("kind", "value", "issuer", "sentence"),
    [
        (Kind.TOKEN, "token-1", None, "token must be 16 hexadecimal characters, as the ledger names a token"),
        (Kind.PRACTITIONER, "0" + RPPS, None, "practitioner must be an RPPS number: 11 digits, or 8 and 11 digits"),
        (
            Kind.CERTIFICATE,
            "AB" * 32,
            None,
            "certificate must be the SHA-256 of a certificate, 64 hexadecimal characters",
        ),
        (Kind.SESSION, "login-1", None, "session needs an issuer: its name in the configuration"),
        (Kind.KEY, "k1", None, "key needs an issuer: its name in the configuration"),
        (Kind.PRACTITIONER, "anna", OPERATEUR, "practitioner must be an RPPS number: 11 digits, or 8 and 11 digits"),
        (Kind.KEY, "k" * 129, OPERATEUR, "key must be a kid"),
        (Kind.CLIENT, CLIENT, OPERATEUR, "client takes no issuer"),
        (Kind.CERTIFICATE, "ab" * 32, OPERATEUR, "certificate takes no issuer"),
    ],
)
def test_what_cannot_be_meant_is_said(kind: Kind, value: str, issuer: Named | None, sentence: str) -> None:
    """A revocation that would match nothing is a mistake, and whoever makes it is told."""
    with pytest.raises(ValueError, match="^" + sentence.replace(".", r"\.")):
        mark_of(kind, value, issuer)


def test_software_may_be_called_like_a_practitioner() -> None:
    """Their numbers alone have two spellings; the name of software is what it is."""
    assert mark_of(Kind.CLIENT, "8" + RPPS) == f"client:8{RPPS}"
