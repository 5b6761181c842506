"""An issuer whose tokens are bound to nothing, and which is only watched: decided and recorded, never answered."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs

from answers import ANSWER
from asking import CALLER_KEY
from conversation import run
from node import make_folder, running_node
from paravent.cli import main
from paravent.decide import Rulebook, decide
from paravent.effects import FindKey, FindRevocations
from paravent.model import Deny
from paravent.problems import InvalidFiles
from paravent.reasons import Problem, Reason
from paravent.settings import load_settings
from paravent.wiring import load_rulebook
from reference import consultation, facts, rulebook
from tokens import ABSENT, NOW_S, bearer_headers, dpop_headers, mint, prove, signing_key
from wire import raw_upstream

KEY = signing_key("ES256", "k1")
ASKED = consultation("2840599990001", "19840517", 1)


def rules(*watched: str) -> Rulebook:
    book = rulebook()
    assurance = replace(book.policy.assurance, observe_unbound=frozenset(watched))
    return replace(book, policy=replace(book.policy, assurance=assurance))


def decided(book: Rulebook, headers: Any, ask: Any = ASKED) -> Deny:
    """The world knows the key and no revocation; anything else that is asked of it fails the test: no budget is."""
    request = facts(ask)
    request = structs.replace(request, headers=(*headers, (b"content-type", b"application/json")))
    verdict = run(decide(request, book), {FindKey: KEY.public, FindRevocations: ()}).result
    assert isinstance(verdict, Deny)
    return verdict


def test_what_would_have_been_answered_is_on_record_and_refused() -> None:
    """Practitioner, evidence, purpose and person are known; no budget is charged and the upstream is not asked."""
    for headers in (bearer_headers(mint(KEY)), dpop_headers(mint(KEY), prove(CALLER_KEY, mint(KEY)))):
        verdict = decided(rules("operateur"), headers)
        assert verdict.reason is Reason.BINDING_OBSERVED
        assert verdict.about.practitioner is not None
        assert verdict.about.evidence is not None
        assert verdict.about.evidence.binding == "none"
        assert (verdict.about.purpose, verdict.about.subject is not None) == ("dispensation", True)


@pytest.mark.parametrize(
    ("claims", "ask"),
    [
        ({"acr": "eidas1"}, ASKED),
        ({"auth_time": NOW_S - 86_400}, ASKED),
        ({"profession": "60"}, ASKED),
        ({}, replace(ASKED, body={"immatriculation": "x"})),
    ],
    ids=["a weak login", "an old login", "a profession without a view", "a question that is none"],
)
def test_a_thief_cannot_tell(claims: dict[str, Any], ask: Any) -> None:
    """Whoever holds a token that is bound to nobody learns nothing: watched or not, in order or not, one answer."""
    headers = bearer_headers(mint(KEY, **claims))
    watched, unwatched = decided(rules("operateur"), headers, ask), decided(rules(), headers, ask)
    good = decided(rules("operateur"), bearer_headers(mint(KEY)))
    assert watched.reason is unwatched.reason is Reason.BINDING_MISSING
    assert watched.reason.problem is good.reason.problem is Problem.PROOF_REFUSED
    assert watched.challenge == unwatched.challenge == good.challenge


@pytest.mark.parametrize("claims", [{"jkt": CALLER_KEY.jkt}, {"x5t": "x"}, {"cnf": {}}, {"cnf": {"kid": "1"}}])
def test_a_token_that_is_bound_is_held_to_it(claims: dict[str, Any]) -> None:
    """Watching an issuer loosens nothing for its tokens that are bound, or bound in a way we do not know."""
    headers = bearer_headers(mint(KEY, **claims))
    assert decided(rules("operateur"), headers) == decided(rules(), headers)
    assert decided(rules("operateur"), headers).reason is not Reason.BINDING_OBSERVED


def test_another_issuer_is_not_watched() -> None:
    """The list names issuers one by one."""
    assert decided(rules("psc"), bearer_headers(mint(KEY))).reason is Reason.BINDING_MISSING


async def test_it_is_loud(tmp_path: Path) -> None:
    """In the checks, in the log of a start, in a metric, on record; and the upstream hears nothing."""
    (tmp_path / "check").mkdir()
    sandbox = make_folder(tmp_path / "check", 9)
    policy = sandbox.folder / "policies" / "assurance.yaml"
    policy.write_text(policy.read_text() + "observe_unbound: [operateur]\n")
    for words in (["check", "--config", str(sandbox.config)], ["policy", "check", str(policy.parent)]):
        told = await asyncio.to_thread(CliRunner().invoke, main, words)
        assert told.exit_code == 0
        assert "observe_unbound: tokens of operateur" in told.output

    (tmp_path / "run").mkdir()
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path / "run", upstream.port) as node:
        live = node.sandbox.folder / "policies" / "assurance.yaml"
        live.write_text(live.read_text() + "observe_unbound: [operateur]\n")
        assert node.node.runtime.reload_policy()
        status, _, _ = await node.ask(cnf=ABSENT)
        assert (status, upstream.requests) == (401, [])
        assert (node.records()[-1]["reason"], node.records()[-1]["binding"]) == ("binding_observed", "none")
        assert node.metric("paravent_policy_unbound_issuers") == 1
        assert "unbound_tokens_observed" in node.logs.getvalue()


def test_an_issuer_that_does_not_exist_is_a_mistake(tmp_path: Path) -> None:
    """Misspelt, it would watch nobody and nobody would notice."""
    sandbox = make_folder(tmp_path, 9)
    policy = sandbox.folder / "policies" / "assurance.yaml"
    policy.write_text(policy.read_text() + "observe_unbound: [operator]\n")
    with pytest.raises(InvalidFiles) as invalid:
        load_rulebook(load_settings(sandbox.config, {}))
    (problem,) = invalid.value.problems
    assert "the configuration has no [issuers.operator]" in str(problem)
