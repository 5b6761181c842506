"""What a caller sees as a budget fills, through the real listener."""

import json
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner

from answers import ANSWER
from node import NIR, QUESTION, running_node
from paravent.cli import main
from tokens import RPPS
from until import until
from wire import raw_upstream

SAID = ("--author", "J. Essai", "--reason", "ticket 4711")
OTHER_NIR = b"2840599990002"
OTHER = {**QUESTION, "immatriculation": OTHER_NIR.decode()}
"""Somebody who would be one too many."""
ANSWER_OF_OTHER = ANSWER.replace(NIR[:13].encode(), OTHER_NIR)


async def test_an_answer_warns_and_is_counted(tmp_path: Path) -> None:
    """Not before the policy's share is reached; then in a header of ours, which the metric counts."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        _, before, _ = await node.ask()
        before_revision = node.node.runtime.revision
        edit(node.sandbox.folder / "policies/quotas.yaml", {"warn_at: 80%": "warn_at: 1%"})
        await until(lambda: node.node.runtime.revision != before_revision)
        _, after, _ = await node.ask()
        assert b"paravent-warning" not in before
        assert after[b"paravent-warning"] == b'"persons-10m"'
        assert node.metric("paravent_budget_warnings_total") == 1


async def test_who_goes_on_asking_is_suspended_until_released(tmp_path: Path) -> None:
    """By the node itself: on record, in the log, in the metrics, for every question. `release` lets them in again."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        revision = node.node.runtime.revision
        quotas = {
            "{limit: 60, per: 10m}": "{limit: 1, per: 10m}",
            "\nquotas:": "\nsuspension: {refusals: 3, within: 10m, lasts: 1h}\nquotas:",
        }
        edit(node.sandbox.folder / "policies/quotas.yaml", quotas)
        await until(lambda: node.node.runtime.revision != revision)
        config = ("--config", str(node.sandbox.config))
        told = [await node.ask(each) for each in (QUESTION, OTHER, OTHER, OTHER, QUESTION)]
        assert [status for status, _, _ in told] == [200, 429, 429, 429, 429]
        problems = [json.loads(body)["type"].rpartition(":")[2] for _, _, body in told[1:]]
        assert problems == ["budget_spent", "budget_spent", "suspended", "suspended"]
        assert 3590 < int(told[-1][1][b"retry-after"]) <= 3600
        assert node.metric("paravent_measures_enacted_total", kind="suspension") == 1
        assert node.metric("paravent_measures", kind="suspension") == 1
        suspended = [each["measures"] for each in node.records() if each["reason"] == "practitioner_suspended"]
        assert len(suspended) == 2
        assert len(suspended[0]) == 1
        assert suspended[0] == suspended[1]
        (line,) = [each for each in map(json.loads, node.logs.getvalue().splitlines()) if "enacted" in each["event"]]
        assert (line["level"], line["cause"], [line["measure"]]) == ("warning", "suspension", suspended[0])
        shown = CliRunner().invoke(main, ["practitioner", "show", RPPS, *config]).output
        assert "paravent  3 refusals in 10m" in shown
        released = CliRunner().invoke(main, ["practitioner", "release", RPPS, *SAID, *config])
        assert released.output == f"suspension {suspended[0][0]} is over.\n"
        await until(lambda: node.metric("paravent_measures", kind="suspension") == 0)
        assert (await node.ask())[0] == 200


async def test_the_glass_is_broken_once_and_everybody_hears_of_it(tmp_path: Path) -> None:
    """The words are on record and nowhere else; the log, the metrics and `practitioner show` say that it was done."""
    about_whom = lambda _, asked: ANSWER_OF_OTHER if OTHER_NIR in asked else ANSWER  # noqa: E731
    async with raw_upstream(about_whom) as upstream, running_node(tmp_path, upstream.port) as node:
        revision = node.node.runtime.revision
        quotas = {
            "{limit: 60, per: 10m}": "{limit: 1, per: 10m}",
            "\nquotas:": "\nbreak_glass: {extra_persons: 5, lasts: 1h, once_per: 7d}\nquotas:",
        }
        edit(node.sandbox.folder / "policies/quotas.yaml", quotas)
        await until(lambda: node.node.runtime.revision != revision)
        assert (await node.ask())[0] == 200
        before = await node.ask(OTHER)
        words = b"Campagne de vaccination au gymnase"
        header = b"Paravent-Justification: %b\r\n"
        twice = await node.ask(OTHER, extra=header % words * 2)
        numbered = await node.ask(OTHER, extra=header % b"pour %b du village" % OTHER_NIR)
        broken = await node.ask(OTHER, extra=header % words)
        assert [each[0] for each in (before, twice, numbered, broken)] == [429, 400, 400, 200]
        assert b"q=6;" in broken[1][b"ratelimit-policy"]
        assert [each["justification"] for each in node.records()] == [None] * 4 + [words.decode()]
        assert node.metric("paravent_measures_enacted_total", kind="break_glass") == 1
        assert words.decode() not in node.logs.getvalue()
        (line,) = [each for each in map(json.loads, node.logs.getvalue().splitlines()) if "enacted" in each["event"]]
        assert line["cause"] == "break_glass"
        config = str(node.sandbox.config)
        shown = json.loads(
            CliRunner().invoke(main, ["practitioner", "show", RPPS, "--json", "--config", config]).output
        )
        assert [(each["kind"], each["persons"]) for each in shown["measures"]] == [("break_glass", 5)]
        assert {"kind": "persons", "window": "10m", "used": 2, "limit": 6} in shown["usage"]


def edit(file: Path, changes: Mapping[str, str]) -> None:
    """Of a policy file; each text must be there."""
    text = file.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
