"""Configuration that somebody got very wrong, or wrote to hurt: a list of problems, quickly, and never a traceback."""

import copy
import json
import os
import pickle
import time
import traceback
from pathlib import Path

import pytest

from deployments import JWKS, Deployment
from paravent.problems import InvalidFiles
from paravent.settings import load_settings
from paravent.settings.toml import parse
from tokens import signing_key

P = "paravent.toml"
URL = 'url = "http://127.0.0.1:9000"'
KEY = "ab" * 32


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


# ---- texts that hurt their reader

DEEP = ".".join(["a"] * 60_000)

BOMBS = [
    pytest.param(
        f"{DEEP} = 1", "a key has more than 16 parts", id="a key of 60 000 parts, which tomllib would remember"
    ),
    pytest.param(f"[{DEEP}]", "a key has more than 16 parts", id="a section of 60 000 parts"),
    pytest.param(f"a = {{{DEEP} = 1}}", "a key has more than 16 parts", id="the same in an inline table"),
    pytest.param(".".join(["'a=,'"] * 30_000) + " = 1", "a key has more than 16 parts", id="the same in quotes"),
    pytest.param("a = " + "[" * 50_000, "beyond all measure", id="lists in lists"),
    pytest.param("a = " + "{a = " * 20_000, "beyond all measure", id="tables in tables"),
    pytest.param("a = 1" + "0" * 5000, "beyond all measure", id="a number of 5000 digits"),
]


@pytest.mark.parametrize(("text", "told"), BOMBS)
def test_a_text_that_would_take_all_memory(deployment: Deployment, text: str, told: str) -> None:
    """One problem, at once."""
    started = time.perf_counter()
    (problem,) = deployment.write(P, text).problems()
    assert problem.startswith(f"{P}: ")
    assert told in problem
    assert time.perf_counter() - started < 2


def test_dots_that_are_only_dots() -> None:
    """Ellipses in comments, long host names and paths in texts, numbers in a list: none of these is a deep key."""
    dots = "." * 200
    text = f"""\
# {dots} it's a ruler
a = "{dots}"  # {dots}
b = '../{"../" * 40}x'
c = \"\"\"
{dots} "quoted" {dots}
\"\"\"
d = '''{dots}
'''
e = [{", ".join(["1.5"] * 50)}]
f = [{", ".join(['"10.0.0.1/32"'] * 50)}]
"""
    assert not hasattr(parse(P, text.encode()), "message")


# ---- values that hurt their reader

VALUES = [
    pytest.param((URL, URL + "\ntimeout = 1" + "0" * 400), "timeout is not a time above 0", id="400 digits of seconds"),
    pytest.param((URL, URL + "\ntimeout = -inf"), "timeout is not a time above 0", id="minus infinity"),
    pytest.param(('path = "audit"', r'path = "a\u0000b"'), "path has control characters", id="a NUL in a path"),
    pytest.param(('"audit.key"', r'"a\nb"'), "key_file has control characters", id="a line end in a path"),
    pytest.param(('["portail"]', r'["a\u001b[2J"]'), "clients has control characters", id="a terminal's escape"),
    pytest.param(('path = "policies"', f'path = "{"p" * 300}"'), "there is no folder", id="a name too long for a disk"),
    pytest.param(
        ("sqlite:state.db", f"sqlite:{'p' * 300}/s"), "folder of the state file", id="a folder too long for one"
    ),
    pytest.param(
        ('path = "audit"', f'path = "{"p" * 300}/a"'), "the folder that would hold", id="the same for the ledger"
    ),
    pytest.param(('"audit.key"', '"/dev/zero"'), "is not a regular file", id="a device without end"),
]


@pytest.mark.parametrize(("change", "told"), VALUES)
def test_a_value_that_is_no_value(deployment: Deployment, change: tuple[str, str], told: str) -> None:
    """One problem, at the line of its key."""
    (problem,) = deployment.change(change).problems()
    assert told in problem
    assert problem.startswith(f"{P}:")


def test_half_of_the_world_is_no_front_proxy(deployment: Deployment) -> None:
    """Plaintext from the whole internet cannot be allowed in two halves; IPv4 is not written as IPv6."""
    tls = 'certificate = "server.pem"\nkey = "server.key"'
    wide = ["0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/7", "8000::/1", "::ffff:0:0/96", "::ffff:10.0.0.7"]
    fine = ["10.0.0.0/8", "fc00::/7", "127.0.0.1", "::1"]
    deployment.change((tls, f"plaintext_from = {json.dumps(wide)}"))
    assert len(deployment.problems()) == len(wide)
    deployment.change((json.dumps(wide), json.dumps(fine)))
    assert len(deployment.load().listen.plaintext_from) == len(fine)


def test_a_pipe_is_not_waited_for(deployment: Deployment) -> None:
    """A file that nobody will ever write to is told, not waited for."""
    os.mkfifo(deployment.folder / "pipe")
    deployment.change(*((f'"{name}"', '"pipe"') for name in ("server.pem", "jwks.json", "audit.key")))
    assert [problem.endswith("the file 'pipe' is not a regular file") for problem in deployment.problems()] == [
        True
    ] * 3


def test_a_name_is_printed_without_what_a_terminal_obeys(deployment: Deployment) -> None:
    """Unknown keys, sections and variables are quoted when they hold more than a name does."""
    deployment.change(("[listen]", '"a\\u001b[2J" = 1\n[listen]\n"b\\nc" = 2'))
    told = "\n".join(deployment.problems({"PARAVENT_LISTEN_\udcff\n": "x"}))
    assert len(told.splitlines()) == 3
    assert all(line.isascii() and line.isprintable() for line in told.splitlines())


def test_bytes_of_the_environment_that_are_no_text(deployment: Deployment) -> None:
    """What an environment holds beyond UTF-8 arrives as half characters: a problem, or a value that matches nothing."""
    for name in (
        "LISTEN_ADDRESS",
        "LISTEN_EXTERNAL_ORIGIN",
        "UPSTREAM_URL",
        "ISSUERS_OPERATEUR_ISSUER",
        "AUDIT_KEY_FILE",
    ):
        (problem,) = deployment.problems({f"PARAVENT_{name}": "https://\udcff\udcfe"})
        assert problem.startswith(f"PARAVENT_{name}: ")
        problem.encode()


def test_lines_are_counted_as_editors_count_them(deployment: Deployment) -> None:
    """A character that only some programs take for the end of a line moves no problem to another line."""
    deployment.change(("[listen]", '# \u2028 \u0085\n[listen]\nx = "\u2028"'))
    (problem,) = deployment.problems()
    assert problem.startswith(f"{P}:3:1: unknown key x in [listen]")


# ---- key sets that others wrote


def test_one_bad_key_does_not_stop_a_start(deployment: Deployment) -> None:
    """What cannot be used of a set is left out and noted; whoever signs with the good key logs in."""
    good = JWKS["keys"]
    bad = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        signing_key("ES256", "b").jwk(d="c2VjcmV0"),
        {"kid": "c"},
        "d",
        signing_key("ES512", "e").jwk(),
        {"kty": "RSA", "kid": "f", "n": 3, "e": []},
        {"kty": "EC", "kid": "g", "crv": ["P-256"], "x": {}, "y": None},
        {"kty": ["EC"], "kid": "h"},
    ]
    notes = deployment.write("jwks.json", json.dumps({"keys": [*bad, *good]})).load().notes
    assert [str(note).partition(" is not used: ")[0] for note in notes] == [
        f"{P}:13:1: jwks: key {number}" for number in range(1, len(bad) + 1)
    ]
    assert "c2VjcmV0" not in str(notes)


# ---- secrets


def test_a_private_key_that_everybody_can_read_is_noted_and_taken(deployment: Deployment) -> None:
    """0444 and 0644 are how Docker and Kubernetes mount secrets, 0440 is fsGroup: none of them may stop a start."""
    for name, key in (("server.key", "key"), ("audit.key", "key_file")):
        for mode, noted in (
            (0o400, False),
            (0o600, False),
            (0o440, False),
            (0o640, False),
            (0o444, True),
            (0o666, True),
        ):
            (deployment.folder / name).chmod(mode)
            notes = [str(note) for note in deployment.load().notes]
            assert bool(notes) is noted, oct(mode)
            assert all(f"{key}: everybody on this machine" in note and ":1: " in note for note in notes)
        (deployment.folder / name).chmod(0o600)


def test_no_object_of_the_settings_shows_the_key(deployment: Deployment) -> None:
    """Printed, formatted, copied or pickled, whole or in parts."""
    settings = deployment.load()
    forms = [
        settings,
        settings.audit,
        settings.audit.key,
        settings.listen,
        settings.issuers,
        vars(type(settings.audit)),
    ]
    shown = "".join(f"{form!r}{form!s}{form}" for form in forms)
    raw = bytes.fromhex(KEY)
    assert not any(secret in shown for secret in (KEY, repr(raw), raw.decode("latin-1")))
    for way in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            way(settings.audit)


def test_no_traceback_shows_the_key(deployment: Deployment) -> None:
    """Also with the values of local variables, as error trackers add them."""
    deployment.change(('path = "policies"', 'path = "absent"'))
    try:
        load_settings(deployment.file, {})
    except InvalidFiles as invalid:
        shown = "".join(traceback.TracebackException.from_exception(invalid, capture_locals=True).format())
    assert "load_settings" in shown
    private = (deployment.folder / "server.key").read_text().splitlines()[1]
    for secret in (KEY, repr(bytes.fromhex(KEY))[2:30], private):
        assert secret not in shown
