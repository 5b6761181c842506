"""Every piece of policy that a page shows can be put into the reference policy as it stands.

A fenced block `yaml policy=FILE` is laid over that file: members it has replace, members it has not stay. All blocks of
one page are laid over together.
"""

from pathlib import Path

import pytest

from pages import PAGES, ROOT, Block, blocks, named, policy_of
from paravent.wiring import compile_views

SHOWN = {page: found for page in PAGES if (found := [b for b in blocks(page, "yaml") if b.value("policy")])}
EXCERPTS = [block for found in SHOWN.values() for block in found if "excerpt" in block.words]


@pytest.mark.parametrize("page", SHOWN, ids=named)
def test_what_a_page_shows_compiles(page: Path) -> None:
    """In the reference policy, without a problem."""
    compiled, views = compile_views(policy_of(page))
    assert len(views) >= len(compiled.views) > 0


@pytest.mark.parametrize("block", EXCERPTS, ids=lambda block: f"{named(block.page)} {block.value('policy')}")
def test_an_excerpt_is_one(block: Block) -> None:
    """Each of its lines stands in the reference policy, in this order."""
    lines = iter((ROOT / "policies" / (block.value("policy") or "")).read_text("utf-8").splitlines())
    for line in block.text.splitlines():
        assert line in lines, f"{line!r} is not there, or not in this place"


def test_excerpts_are_shown() -> None:
    """The first page shows some of the policy."""
    assert {block.value("policy") for block in EXCERPTS} == {"quotas.yaml", "views/pharmacien.yaml"}
