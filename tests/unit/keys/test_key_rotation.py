"""Key sets while they change, or while somebody plays with them: no honest token is refused for it."""

import json
import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from paravent.effects import FindKey, KeyMissing
from paravent.identity.jwk import _edwards, _elliptic, _rsa, public_key
from paravent.keys import source
from paravent.keys.held import HeldKeys
from paravent.keys.places import KeyFile, KeyUrl, ReadError
from paravent.keys.source import JwksSource
from tokens import jwks, signing_key

OLD, NEW = signing_key("ES256", "old"), signing_key("ES384", "new")


def watched(file: Path) -> tuple[HeldKeys, Any]:
    """A file with the old key, in force; and a function that lets a second pass."""
    now_s = [0.0]
    file.write_bytes(jwks(OLD))
    keys = HeldKeys(KeyFile(file), lambda: now_s[0])

    def a_second_later() -> None:
        now_s[0] += 1
        keys.tick()

    keys.tick()
    return keys, a_second_later


def test_a_file_seen_in_the_middle_of_being_written(tmp_path: Path) -> None:
    """Cut off at any byte, as a writer that truncates first leaves it: the old set stays until the new is whole."""
    file = tmp_path / "jwks.json"
    keys, a_second_later = watched(file)
    text = jwks(OLD, NEW)
    for written in range(0, len(text), 7):
        file.write_bytes(text[:written])
        a_second_later()
        assert keys.find("old", "ES256") == OLD.public
        assert keys.find("new", "ES384") is KeyMissing.UNKNOWN
    file.write_bytes(text)
    a_second_later()
    assert (keys.find("old", "ES256"), keys.find("new", "ES384")) == (OLD.public, NEW.public)


def test_a_file_replaced_by_another(tmp_path: Path) -> None:
    """By rename, as tools do; by a link to another folder, as Kubernetes does; and while it is missing in between."""
    file, keys, a_second_later = tmp_path / "jwks.json", *watched(tmp_path / "jwks.json")
    (tmp_path / "next").write_bytes(jwks(OLD, NEW))
    os.replace(tmp_path / "next", file)
    a_second_later()
    assert keys.find("new", "ES384") == NEW.public

    for folder, text in (("one", jwks(NEW)), ("two", jwks(OLD))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "jwks.json").write_bytes(text)
    file.unlink()
    a_second_later()
    assert keys.find("new", "ES384") == NEW.public
    file.symlink_to("..data/jwks.json")
    for folder, kid, alg in (("one", "new", "ES384"), ("two", "old", "ES256")):
        (tmp_path / "link").symlink_to(folder)
        os.replace(tmp_path / "link", tmp_path / "..data")
        a_second_later()
        assert keys.find(kid, alg) is not KeyMissing.UNKNOWN


def test_a_set_that_is_poisoned(tmp_path: Path) -> None:
    """Threat row 51, while serving: a set full of keys that may not be used does not displace the good one."""
    file = tmp_path / "jwks.json"
    keys, a_second_later = watched(file)
    poison: list[Any] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "old"},
        signing_key("RS256", "old", 1024).jwk(),
        {**OLD.jwk(), "d": "AAAA"},
        {**OLD.jwk(), "alg": "none"},
        {**OLD.jwk(), "use": "enc"},
        {**OLD.jwk(), "y": OLD.jwk()["x"]},
    ]
    for text in (json.dumps({"keys": poison}).encode(), *(json.dumps({"keys": [each]}).encode() for each in poison)):
        file.write_bytes(text)
        a_second_later()
        assert keys.find("old", "ES256") == OLD.public
        assert keys.problems
    file.write_bytes(json.dumps({"keys": [*poison, OLD.jwk()]}).encode())
    a_second_later()
    assert keys.find("old", "ES256") == OLD.public


def test_a_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    """It would be waited for; it is not read."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReadError):
        KeyFile(tmp_path / "pipe").read()


async def test_servers_that_never_answer_do_not_hold_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses are asked at once, for a bounded time together; files serve at once."""
    monkeypatch.setattr(source, "FIRST_S", 0.3)
    (tmp_path / "jwks.json").write_bytes(jwks(OLD))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/jwks"
        keys = JwksSource({"a": KeyUrl(url), "b": KeyUrl(url), "c": KeyFile(tmp_path / "jwks.json")})
        started = time.monotonic()
        assert keys.load() == []
        keys.start()
        assert time.monotonic() - started < 2
        assert keys.ready() == {"a": False, "b": False, "c": True}
        assert await keys.find(FindKey("a", "old", "ES256")) is KeyMissing.UNAVAILABLE
        keys.stop(0)


def test_one_read_at_a_time() -> None:
    """A second look while the first one hangs returns at once and asks nobody."""
    inside, release = threading.Event(), threading.Event()
    reads: list[int] = []

    class Slow:
        def read(self) -> bytes:
            reads.append(1)
            inside.set()
            release.wait(5)
            return jwks(OLD)

    keys = HeldKeys(Slow(), lambda: 0.0)  # type: ignore[arg-type]
    first = threading.Thread(target=keys.tick)
    first.start()
    assert inside.wait(5)
    keys.tick()
    release.set()
    first.join(5)
    assert (reads, keys.ready()) == ([1], True)


def test_what_is_wrong_with_a_set_is_logged_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the issuer and a number, once; never a kid or a key."""
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(OLD, {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}))
    now_s = [0.0]
    keys = JwksSource({"operateur": KeyFile(file)}, clock_s=lambda: now_s[0])
    with caplog.at_level(logging.WARNING, "paravent"):
        assert keys.load() == []
        keys.load()
    (record,) = caplog.records
    assert record.getMessage() == "key_set_problems"
    assert (vars(record)["issuer"], vars(record)["problems"]) == ("operateur", 1)
    assert "secret" not in str(vars(record))


def test_the_memory_of_callers_keys_is_bounded() -> None:
    """Threat row 37: a caller with a token can choose a new key for each proof; the oldest are forgotten."""
    for number in range(3000):
        assert public_key({"kty": "EC", "crv": "P-256", "x": str(number), "y": "AA"}) is not None
    for remembered in (_elliptic, _rsa, _edwards):
        info = remembered.cache_info()
        assert info.maxsize is not None
        assert info.currsize <= info.maxsize <= 4096
