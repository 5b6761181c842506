"""The first page shows what the product really prints and reads."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from deployments import Deployment, certificate
from pages import DOCS, ROOT, blocks
from paravent.sandbox.tokens import TokenMint
from paravent.settings import Settings
from paravent.simulate.attack import Row
from paravent.simulate.day import DayFigures
from paravent.simulate.report import Figures, as_table

README = ROOT / "README.md"


def shape(text: str) -> list[str]:
    """Rows without their figures and their padding."""
    rows = (re.sub(r"\d[\d,.]*", "#", row) for row in text.splitlines())
    return [re.sub(r"={2,}|-{2,}", "rule", " ".join(row.split())) for row in rows]


def a_row(path: str, stolen: str, persons: int, *, dry: bool) -> Row:
    return Row(
        path=path,
        stolen=stolen,
        accounts=19,
        requests=100,
        persons_exposed=persons,
        nirs_gained=0,
        fields_per_person=1.0,
        seconds_until_dry=2.0,
        seconds=5.0,
        dry=dry,
        retry_after_s=570,
    )


def test_the_table_is_the_one_that_the_demo_prints() -> None:
    """Same heading, same rows, same rules, in the same order; the figures are those of one run."""
    rows = [
        a_row("api", "password", 10, dry=False),
        a_row("paravent", "password", 0, dry=True),
        a_row("api", "session", 10, dry=False),
        a_row("paravent", "session", 10, dry=True),
    ]
    printed = as_table(Figures(DayFigures(200), 2.0, tuple(rows), 44.0))
    (shown,) = blocks(README, "demo")
    assert shape(shown.text) == shape(printed)[: len(shown.text.splitlines())]
    assert shape(printed)[len(shown.text.splitlines())] == "", "the demo's table goes on after what is shown"


def deployment(folder: Path) -> Deployment:
    """Every file that the configuration names, with a key set that tokens can be verified with."""
    mint = TokenMint("https://as.example", "urn:paravent:droits", "portail")
    return (
        Deployment(folder).write("clients.pem", certificate("clients")[0]).write("jwks.json", json.dumps(mint.jwks()))
    )


def test_the_smallest_configuration_is_accepted(tmp_path: Path) -> None:
    """As it stands, beside the files that it names."""
    (configuration,) = blocks(README, "configuration")
    folder = deployment(tmp_path)
    folder.file.write_text(configuration.text, "utf-8")
    assert isinstance(folder.load(), Settings)


@pytest.mark.parametrize("key", ["listen.client_ca"])
def test_the_smallest_configuration_is_the_smallest(tmp_path: Path, key: str) -> None:
    """Without any line but the one marked optional it is refused."""
    (configuration,) = blocks(README, "configuration")
    folder = deployment(tmp_path)
    lines = configuration.text.splitlines(keepends=True)
    spare = set()
    for number, line in enumerate(lines):
        if "=" in line:
            folder.file.write_text("".join(lines[:number] + lines[number + 1 :]), "utf-8")
            if not folder.problems():
                spare.add(line.split()[0])
    assert spare == {key.partition(".")[2]}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_toml_and_json_in_pages_can_be_read(page: Path) -> None:
    """No example has a slip of the pen."""
    for block in blocks(page, "toml"):
        tomllib.loads(block.text)
    for block in blocks(page, "json"):
        json.loads(block.text)
