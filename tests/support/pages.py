"""The Markdown pages of the project: their fenced blocks, links and anchors.

block = blocks(ROOT / "README.md", "yaml")[0]
block.words        ["yaml", "policy=quotas.yaml", "excerpt"]
block.value("policy")          "quotas.yaml"
links(page)        every target in [text](target)
tables(page)       every table: each line with its number of cells
anchors(page)      what #… may say, as GitHub makes it of headings
"""

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from paravent.settings import read_policy_folder

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))
"""What this project says to its readers. Other folders keep pages of their own."""

_FENCE: Final = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\(([^()\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_TABLE: Final = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
_BAR: Final = re.compile(r"(?<!\\)\|")
_CODE: Final = re.compile(r"`[^`]*`")

if str(DOCS) not in sys.path:
    sys.path.append(str(DOCS))  # its generator is run, not installed


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: Path
    words: tuple[str, ...]
    """Of the line that opens it: the language, then marks of ours."""
    text: str
    """Without the indentation of the fence."""

    def value(self, name: str) -> str | None:
        """What follows `name=` among the words."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def blocks(page: Path, *words: str) -> tuple[Block, ...]:
    """Every fenced block whose opening line has all these words, in order."""
    found = (
        Block(page, tuple(info.split()), re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for indent, info, text in _FENCE.findall(page.read_text("utf-8"))
    )
    return tuple(block for block in found if set(words) <= set(block.words))


def policy_of(page: Path) -> dict[str, bytes]:
    """The reference policy with what a page shows laid over it: every block `yaml policy=FILE`."""
    named_blocks = ((block.value("policy"), block.text) for block in blocks(page, "yaml"))
    return policy_with((name, text) for name, text in named_blocks if name is not None)


def policy_with(pieces: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """The reference policy with pieces laid over it: each the name of a file, and YAML."""
    files = dict(read_policy_folder(ROOT / "policies"))
    for name, text in pieces:
        merged = _laid_over(yaml.safe_load(files.get(name, b"{}")), yaml.safe_load(text))
        files[name] = json.dumps(merged).encode()
    return files


def _laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{name: _laid_over(below.get(name), value) for name, value in above.items()}}


def links(page: Path) -> tuple[str, ...]:
    """Every target, blocks and code left out."""
    return tuple(_LINK.findall(_CODE.sub("", _prose(page))))


def tables(page: Path) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Every table: each of its lines, and how many cells that has. A bar in code begins one too, as on GitHub."""
    found = (table.splitlines() for table in _TABLE.findall(_prose(page)))
    return tuple(tuple((line, len(_BAR.findall(line)) - 1) for line in lines) for lines in found)


def anchors(page: Path) -> frozenset[str]:
    """As GitHub makes them: small letters, blanks to hyphens, other marks left out."""
    headings = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in _HEADING.findall(_prose(page)))
    return frozenset(heading.replace(" ", "-") for heading in headings)


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def named(page: Path) -> str:
    """How a test calls a page."""
    return page.relative_to(ROOT).as_posix()
