"""Every link of a page leads somewhere, every page is found from the first one, and what pages tell to type exists."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pages import DOCS, PAGES, ROOT, anchors, blocks, links, named, tables
from paravent.cli import main

each_page = pytest.mark.parametrize("page", PAGES, ids=named)


def target_of(page: Path, link: str) -> tuple[Path, str]:
    """File and anchor."""
    file, _, anchor = link.partition("#")
    return (page.parent / file).resolve() if file else page, anchor


@each_page
def test_every_link_resolves(page: Path) -> None:
    """A link names a file of this project, and a heading in it when it has an anchor. None leads outside."""
    for link in links(page):
        assert "://" not in link, f"{link} leads outside, where nobody tests it"
        file, anchor = target_of(page, link)
        assert file.exists(), f"{link} leads nowhere"
        assert file.is_relative_to(ROOT), f"{link} leads out of the project"
        assert not anchor or anchor in anchors(file), f"{link}: no such heading"


@each_page
def test_every_row_of_a_table_has_the_cells_of_its_head(page: Path) -> None:
    """GitHub shows no table at all where the head and the line below it differ, and cuts a row that is too long."""
    for table in tables(page):
        assert len({cells for _, cells in table}) == 1, table[0][0]


def test_every_page_is_found_from_the_readme() -> None:
    """By following links; a page that nothing leads to is read by nobody."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            waiting += [target_of(page, link)[0] for link in links(page)]
    assert set(PAGES) - seen == set()


def test_every_decision_is_listed_under_its_title() -> None:
    """docs/decisions/README.md has each one's number, first heading and file."""
    index = (DOCS / "decisions/README.md").read_text("utf-8")
    for page in sorted((DOCS / "decisions").glob("0*.md")):
        title = page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        number, _, words = title.partition(". ")
        assert f"{number}. [{words}]({page.name})" in index


@each_page
def test_every_command_that_is_told_exists(page: Path) -> None:
    """Each `paravent …` and `./dev …` of a shell block is one."""
    script = (ROOT / "dev").read_text("utf-8")
    for block in blocks(page, "sh"):
        for words in re.findall(r"^[ \t(]*paravent ([a-z ]+)", block.text, re.MULTILINE):
            command = main
            for word in words.split()[:2]:
                if hasattr(command, "get_command"):
                    found = command.get_command(None, word)  # type: ignore[arg-type]  # our groups need no context
                    assert found is not None, f"paravent {words} is no command"
                    command = found
        for word in re.findall(r"\./dev ([a-z]+)", block.text):
            assert re.search(rf"^  {word}\)", script, re.MULTILINE), f"./dev {word} is no command"


@pytest.mark.parametrize("picture", sorted((DOCS / "images").glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_sound_and_described(picture: Path) -> None:
    """Well-formed, on a ground of its own so that it reads in light and dark, and told in words too."""
    root = ElementTree.fromstring(picture.read_text("utf-8"))
    names = [element.tag.rpartition("}")[2] for element in root]
    assert names[:3] == ["title", "desc", "rect"]
    assert root[2].get("fill") == "#ffffff"
