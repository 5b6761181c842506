"""Nonces of the server in DPoP proofs (RFC 9449 section 8): where the policy asks for them, and only there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answers import ANSWER
from asking import ASSURANCE, CALLER_KEY, ISSUER_KEY, NONCES, ask, facts
from node import parse, running_node
from paravent.audit.keys import derive_keys
from paravent.effects import ProofSeen
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.challenge import www_authenticate
from paravent.identity.nonces import Nonces
from paravent.model import Facts, Secret
from paravent.reasons import Problem, Reason
from tokens import ABSENT, NOW_S, ath, b64url, bearer_headers, dpop_headers, mint, prove
from wire import raw_upstream

REQUIRED = replace(ASSURANCE, dpop_nonces=True)
TOKEN = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
NOW = NONCES.current(NOW_S)


def asked(now_s: int = NOW_S, **claims: Any) -> Facts:
    proof = prove(CALLER_KEY, TOKEN, now_s=now_s, **claims)
    return facts(dpop_headers(TOKEN, proof), now_ms=now_s * 1000)


def told(request: Facts) -> Any:
    return ask(request, assurance=REQUIRED).result


def test_the_retry_of_the_standard() -> None:
    """Section 8: a proof without nonce is answered with one; the same request with it is accepted, and the answer
    names the nonce of the next."""
    first = told(asked())
    assert isinstance(first, Refusal)
    assert (first.reason, first.reason.problem) == (Reason.DPOP_NONCE, Problem.PROOF_REFUSED)
    assert first.challenge is not None
    assert www_authenticate(first.challenge).startswith(b'DPoP error="use_dpop_nonce", algs=')
    assert first.challenge.nonce == NOW

    second = told(asked(nonce=first.challenge.nonce))
    assert isinstance(second, Authenticated)
    assert second.next_nonce == NOW


@pytest.mark.parametrize(
    "nonce", ["", "x", NOW[:-1], NOW + "=", NOW.swapcase(), "é" * 22, 1, True, None, [NOW], ABSENT]
)
def test_what_is_no_nonce(nonce: Any) -> None:
    """Absent, of another type, cut, padded, in another case: the answer is a nonce, and the memory is not asked."""
    conversation = ask(asked(nonce=nonce), assurance=REQUIRED)
    assert isinstance(conversation.result, Refusal)
    assert conversation.result.reason is Reason.DPOP_NONCE
    assert not any(isinstance(effect, ProofSeen) for effect in conversation.asked)


@pytest.mark.parametrize(
    ("age_s", "accepted"),
    [
        (0, True),
        (59, True),
        (60, True),
        (119, True),
        (120, False),
        (3600, False),
        (-1, True),
        (-60, True),
        (-61, False),
    ],
)
def test_a_nonce_lives_for_its_minute_and_the_next(age_s: int, accepted: bool) -> None:
    """Given out at the beginning of a minute; negative: by a node whose clock is ahead."""
    given = NONCES.current(NOW_S - NOW_S % 60)
    assert NONCES.accepts(given, NOW_S - NOW_S % 60 + age_s) is accepted


def test_a_client_is_told_in_time() -> None:
    """A proof with the nonce of the last minute is accepted, and the answer names the new one."""
    result = told(asked(nonce=NONCES.current(NOW_S - 60)))
    assert isinstance(result, Authenticated)
    assert result.next_nonce == NOW != NONCES.current(NOW_S - 60)


def test_a_proof_made_ahead_of_time_is_worthless() -> None:
    """Section 11.2: whoever held the key for a moment cannot make tomorrow's proofs, right as they are otherwise."""
    later_s = NOW_S + 200
    token = mint(ISSUER_KEY, NOW_S + 100, jkt=CALLER_KEY.jkt)
    stocked = prove(CALLER_KEY, token, now_s=later_s, nonce=NOW)
    result = told(facts(dpop_headers(token, stocked), now_ms=later_s * 1000))
    assert isinstance(result, Refusal)
    assert result.reason is Reason.DPOP_NONCE


def test_a_nonce_excuses_nothing() -> None:
    """With the right one every other check is made: time, method, address, token, key."""
    for change, reason in (
        ({"iat": NOW_S - 61}, Reason.DPOP_TIME),
        ({"htm": "GET"}, Reason.DPOP_REQUEST),
        ({"ath": ath(TOKEN + "x")}, Reason.DPOP_TOKEN),
    ):
        result = told(asked(nonce=NOW, **change))
        assert isinstance(result, Refusal)
        assert result.reason is reason


def test_a_forged_signature_learns_no_nonce() -> None:
    """The signature is checked first: a nonce goes to whoever holds a key."""
    proof = prove(CALLER_KEY, TOKEN)
    head, _, _ = proof.rpartition(".")
    result = told(facts(dpop_headers(TOKEN, f"{head}.{b64url(b'x' * 64)}")))
    assert isinstance(result, Refusal)
    assert result.reason is Reason.DPOP_SIGNATURE
    assert result.challenge is not None
    assert result.challenge.nonce is None


def test_where_none_is_asked_for_none_is_given_or_read() -> None:
    """`dpop_nonces: off`: a claim that is there is ignored, whatever it is."""
    for nonce in (ABSENT, "from-elsewhere", 1):
        result = ask(asked(nonce=nonce)).result
        assert isinstance(result, Authenticated)
        assert result.next_nonce is None


def test_a_certificate_needs_no_nonce() -> None:
    """It proves itself in the handshake, which has its own."""
    digest = b"\1" * 32
    result = told(facts(bearer_headers(mint(ISSUER_KEY, x5t=b64url(digest))), certificate_sha256=digest))
    assert isinstance(result, Authenticated)
    assert result.next_nonce is None


def test_nodes_with_the_same_key_file_understand_each_other() -> None:
    """Nothing is stored: the key of the ledger makes the nonces of every node, and another key makes others."""
    one, two, other = (Nonces(derive_keys(Secret(bytes([n]) * 32)).nonce) for n in (1, 1, 2))
    assert one.accepts(two.current(NOW_S), NOW_S)
    assert not one.accepts(other.current(NOW_S), NOW_S)
    assert len(one.current(NOW_S)) == 22


async def test_on_the_wire(tmp_path: Path) -> None:
    """A node with `dpop_nonces: required`: 401 with the nonce in a header of its own, then 200 with the next one."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        policy = tmp_path / "policies" / "assurance.yaml"
        policy.write_text(policy.read_text().replace('dpop_nonces: "off"', "dpop_nonces: required"))
        assert node.node.runtime.reload_policy()
        status, headers, _ = await node.ask()
        assert status == 401
        assert headers[b"www-authenticate"].startswith(b'DPoP error="use_dpop_nonce", ')
        assert len(upstream.requests) == 0
        nonce = headers[b"dpop-nonce"].decode()
        status, headers, _ = parse(await node.send(node.request(nonce=nonce)))
        assert (status, b"dpop-nonce" in headers) == (200, True)
        assert node.records()[0]["reason"] == "dpop_nonce"
