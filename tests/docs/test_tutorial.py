"""docs/tutorial/first-lookup.md does what it says: its commands are run as they stand, with real processes.

Blocks `sh tutorial` are run in order, in one shell; a block `… output` shows what the one before it printed. Ports
alone are changed, so that nothing else on the machine is in the way.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pages import DOCS, ROOT, Block, blocks
from paravent.simulate.processes import free_ports

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("tutorial")]

PAGE = DOCS / "tutorial/first-lookup.md"
PORTS = ("9000", "9001", "8080", "9464")
STEPS = tuple(block for block in blocks(PAGE) if {"tutorial", "output"} & set(block.words))
MARK = "@@ step"


@dataclass(frozen=True)
class Ran:
    """One block of commands, and what it printed."""

    printed: str
    shown: Block | None
    """What the page says that it prints."""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    commands = [block for block in STEPS if "tutorial" in block.words]
    script = "".join(f"echo; echo '{MARK}'\n{block.text}" for block in commands)
    for port, free in zip(PORTS, free_ports(len(PORTS)), strict=True):
        script = re.sub(rf"\b{port}\b", str(free), script)
    home = tmp_path_factory.mktemp("home")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8"}
    # What a shell that stops half-way leaves behind is ended with it.
    script = f"set -eu\ntrap 'kill ${{proxy:-}} ${{issuer:-}} ${{api:-}} 2>/dev/null || true' EXIT\n{script}"
    log = home / "log"
    with log.open("wb") as sink:
        done = subprocess.run(
            ["sh", "-c", script], cwd=ROOT, env=environ, stdout=sink, stderr=sink, timeout=120, check=False
        )
    text = log.read_text("utf-8")
    assert done.returncode == 0, text
    printed = text.split(f"{MARK}\n")[1:]
    assert len(printed) == len(commands), text
    shown = [after if "output" in after.words else None for _, after in _with_next()]
    return [Ran(*pair) for pair in zip(printed, shown, strict=True)]


def _with_next() -> Iterator[tuple[Block, Block]]:
    nothing = Block(PAGE, (), "")
    for block, after in zip(STEPS, (*STEPS[1:], nothing), strict=True):
        if "tutorial" in block.words:
            yield block, after


def test_every_step_works_and_prints_what_is_shown(steps: list[Ran]) -> None:
    """Status, headers, members of the JSON, and the words of a table; not dates, references and figures."""
    compared = 0
    for step in steps:
        if step.shown is None:
            continue
        compared += 1
        match step.shown.words[0]:
            case "json":
                assert outline(json.loads(step.shown.text)) == outline(json.loads(last_json(step.printed)))
            case "http":
                assert_same_answer(step.shown.text, step.printed)
            case _:
                assert figureless(step.shown.text) in figureless(step.printed)
    assert compared == 7


def test_what_was_left_behind_is_what_the_page_says(steps: list[Ran]) -> None:
    """The API's own answer has the family, the address, the doctor and the illness; the reduced one has not."""
    raw, reduced = (
        next(step.printed for step in steps if mark in step.printed) for mark in ('"famille"', "HTTP/1.1 200")
    )
    for member in ('"famille"', '"adresse"', '"nom":', '"libelle"', '"codeALD"'):
        assert member in raw
        assert member not in reduced


def outline(value: Any) -> Any:
    """Names of members, and what kind of list they stand in. Values vary; null stands for any of them."""
    if isinstance(value, dict):
        return {name: outline(member) for name, member in value.items()}
    if isinstance(value, list):
        return [outline(value[0])] if value else []
    return None


def last_json(printed: str) -> str:
    return next(line for line in reversed(printed.splitlines()) if line.startswith("{") and '"level"' not in line)


def assert_same_answer(shown: str, printed: str) -> None:
    """The lines of a status and its headers, and the members of the body."""
    answer = printed[printed.index("HTTP/1.1") :].replace("\r", "")
    head, _, body = shown.partition("\n\n")
    real_head, _, real_body = answer.partition("\n\n")
    assert real_head.splitlines()[0] == head.splitlines()[0]
    if body:
        names = [[line.partition(":")[0] for line in text.splitlines()[1:]] for text in (head, real_head)]
        assert names[0] == names[1]
        challenges = [[line for line in text.splitlines() if line.startswith("WWW-")] for text in (head, real_head)]
        assert challenges[0] == challenges[1]
        assert outline(json.loads(body)) == outline(json.loads(real_body.splitlines()[0]))


def figureless(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.split()))
