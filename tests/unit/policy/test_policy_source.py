"""A YAML file is read in one way only, and remembers where everything stood."""

import pytest

from paravent.model import Json
from paravent.policy.source import MAX_FILE_BYTES, Document, Spot, load

SCALARS = [
    pytest.param("a: no", "no", id="no is a word, not false"),
    pytest.param("a: on", "on", id="on is a word, not true"),
    pytest.param("a: y", "y", id="y is a letter, not true"),
    pytest.param("a: 12:30", "12:30", id="12:30 is text, not 750"),
    pytest.param("a: 0123456", "0123456", id="0123456 is text, not an octal number"),
    pytest.param("a: 0o17", "0o17", id="0o17 is text"),
    pytest.param("a: 0x1F", "0x1F", id="0x1F is text"),
    pytest.param("a: 1_000", "1_000", id="1_000 is text, not a thousand"),
    pytest.param("a: 2026-11-22", "2026-11-22", id="a date is text"),
    pytest.param("a: +5", "+5", id="a number with a plus is text"),
    pytest.param("a: .inf", ".inf", id="there is no infinity"),
    pytest.param("a: =", "=", id="= is text"),
    pytest.param("a: 4h", "4h", id="a duration is text"),
    pytest.param("a: 60", 60, id="60 is a number"),
    pytest.param("a: -1", -1, id="-1 is a number"),
    pytest.param("a: 0", 0, id="0 is a number"),
    pytest.param("a: 1.5", 1.5, id="1.5 is a number"),
    pytest.param("a: true", True, id="true is true"),
    pytest.param("a: False", False, id="False is false"),
    pytest.param("a: null", None, id="null is nothing"),
    pytest.param("a:", None, id="an empty value is nothing"),
    pytest.param("a: '60'", "60", id="what is quoted is text"),
    pytest.param('a: "true"', "true", id="what is quoted twice is text too"),
    pytest.param("a: |\n  true\n", "true\n", id="a block is text"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalar(text: str, value: Json) -> None:
    """A plain scalar is what every YAML reader takes it for, or it is text."""
    document = load("x.yaml", text.encode())
    assert isinstance(document, Document)
    assert isinstance(document.value, dict)
    assert (document.value["a"], type(document.value["a"])) == (value, type(value))


def test_keys_are_always_text() -> None:
    """`no:` is the key "no", and `21:` is the key "21"."""
    document = load("x.yaml", b"no: 1\n21: 2\nnull: 3\n")
    assert isinstance(document, Document)
    assert document.value == {"no": 1, "21": 2, "null": 3}


def test_places_of_keys_and_values() -> None:
    """Every key and value knows its line and column, after accents and inside flow collections too."""
    document = load("x.yaml", "été:\n  - {clé: [1, é, 2]}\n  - fin\n".encode())
    assert isinstance(document, Document)
    assert document.keys["été",] == Spot(1, 1)
    assert document.keys["été", 0, "clé"] == Spot(2, 6)
    assert document.values["été", 0, "clé", 2] == Spot(2, 18)
    assert document.values["été", 1] == Spot(3, 5)
    assert document.at_value(("été", 7, "x"), "gone").line == 2


REFUSED = [
    pytest.param(b"a: 1\nb: 2\na: 3\n", ["3:1: the key 'a' stands here twice; first in line 1"], id="a key twice"),
    pytest.param(
        b"{a: {b: 1, b: 2}}", ["1:12: the key 'b' stands here twice; first in line 1"], id="a key twice inside"
    ),
    pytest.param(
        b"a: 1\n'a': 2\n", ["2:1: the key 'a' stands here twice; first in line 1"], id="a key twice, once quoted"
    ),
    pytest.param(
        b"a: &x [1]\nb: *x\n", ["1:4: anchors (&) are not allowed", "2:4: aliases (*) are not allowed"], id="an alias"
    ),
    pytest.param(
        b"a: &x {b: 1}\nc:\n  <<: *x\n",
        ["1:4: anchors (&) are not allowed", "3:7: aliases (*) are not allowed"],
        id="a merge key with an alias",
    ),
    pytest.param(b"a:\n  <<: {b: 1}\n", ["2:3: merge keys (<<) are not allowed"], id="a merge key"),
    pytest.param(b"a: !!str 21\n", ["1:4: tags (!) are not allowed"], id="a standard tag"),
    pytest.param(b"a: !!python/object/apply:os.system [x]\n", ["1:4: tags (!) are not allowed"], id="a Python tag"),
    pytest.param(b"a: ! 21\n", ["1:4: tags (!) are not allowed"], id="the non-specific tag"),
    pytest.param(b"%YAML 1.1\n---\na: 1\n", ["1:1: directives (%) are not allowed"], id="a directive"),
    pytest.param(b"a: 1\n---\nb: 2\n", ["2:1: a second document begins here"], id="a second document"),
    pytest.param(b"? [a, b]\n: 1\n", ["1:3: a key must be plain text, not a list or a mapping"], id="a list as a key"),
    pytest.param(b"a: \xe9t\xe9\n", ["1:4: the file is not UTF-8 text"], id="Latin-1"),
    pytest.param("a: 1\n".encode("utf-16"), ["1:1: the file is not UTF-8 text"], id="UTF-16"),
    pytest.param(
        b"\xef\xbb\xbfa: 1\n", ["1:1: the character U+FEFF is not allowed: it does not show"], id="a byte order mark"
    ),
    pytest.param(b"a: 1\nb: x\x00\n", ["2:5: the character U+0000 is not allowed: it does not show"], id="a NUL"),
    pytest.param(
        "a: x\u202ey\n".encode(), ["1:5: the character U+202E is not allowed: it does not show"], id="reversed text"
    ),
    pytest.param(
        "kee\u200bp: 1\n".encode(),
        ["1:4: the character U+200B is not allowed: it does not show"],
        id="a zero-width space",
    ),
    pytest.param(
        "a: 1 # \u2028b: 2\n".encode(),
        ["1:8: the character U+2028 is not allowed: it does not show"],
        id="a line end that is none",
    ),
    pytest.param(
        b"a: 1\rb: 2\n", ["1:5: the character U+000D is not allowed: it does not show"], id="a bare carriage return"
    ),
    pytest.param(b"a: [1, 2\nb: 3\n", ["2:2: not valid YAML: did not find expected ',' or ']'"], id="an open bracket"),
    pytest.param(
        b"a:\n\tb: 1\n", ["2:1: not valid YAML: found character that cannot start any token"], id="a tab as indentation"
    ),
    pytest.param(b"[" * 13 + b"]" * 13, ["1:13: nested more than 12 deep"], id="too deep"),
    pytest.param(b"[" * 100_000, ["1:13: nested more than 12 deep"], id="deep enough to break a parser"),
    pytest.param(b"a: " + b"x" * MAX_FILE_BYTES, ["the file is longer than 256 KB"], id="too long"),
]


@pytest.mark.parametrize(("data", "told"), REFUSED)
def test_refused(data: bytes, told: list[str]) -> None:
    """What YAML offers beyond plain data, or reads in several ways, is refused where it stands."""
    problems = load("x.yaml", data)
    assert isinstance(problems, tuple)
    lines = [str(problem).partition("\n")[0].removeprefix("x.yaml:").lstrip() for problem in problems]
    assert len(lines) == len(told)
    for line, beginning in zip(lines, told, strict=True):
        assert beginning in line


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        pytest.param(b"a:\n\tb: 1\n", "line 2 begins with a tab or a no-break space", id="a tab"),
        pytest.param(
            "a:\n  b: 1\n\u00a0 c: 2\n  d: 3\n".encode(), "line 3 begins with a tab or a no", id="a no-break space"
        ),
        pytest.param(
            b"a:\n  b:1\n  c: 2\n", "the blank after each colon, here and above", id="a colon without a blank"
        ),
        pytest.param(b"\xef\xbb\xbfa: 1\n", "save the file without a byte order mark", id="a byte order mark"),
        pytest.param("kee\u200bp: 1\n".encode(), "remove it", id="a zero-width space"),
    ],
)
def test_what_does_not_show_is_told_as_what_it_is(data: bytes, hint: str) -> None:
    """A tab, a no-break space, a blank that is missing: the parser's own words name none of them."""
    problems = load("x.yaml", data)
    assert isinstance(problems, tuple)
    assert [hint in problem.hint for problem in problems] == [True]


def test_a_file_of_mistakes_is_not_listed_to_its_end() -> None:
    """A hundred problems of one file are enough to read."""
    problems = load("x.yaml", b"- !a 1\n" * 30_000)
    assert isinstance(problems, tuple)
    assert len(problems) == 100


def test_windows_line_ends_are_line_ends() -> None:
    """CRLF counts as one line end."""
    document = load("x.yaml", b"a: 1\r\nb: 2\r\n")
    assert isinstance(document, Document)
    assert document.keys["b",] == Spot(2, 1)
