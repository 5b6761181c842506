"""How many callers a node takes, by what the system lets it have."""

import resource

import pytest

from paravent_mitmproxy.descriptors import for_callers

UNBOUNDED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "then", "callers"),
    [
        pytest.param(1024, 524_288, 4608, 4096, id="what is needed may be had: systemd's default"),
        pytest.param(1024, UNBOUNDED, 4608, 4096, id="anything may be had"),
        pytest.param(65_536, 65_536, 65_536, 4096, id="more is there than is needed, and stays"),
        pytest.param(UNBOUNDED, UNBOUNDED, UNBOUNDED, 4096, id="there is no bound"),
        pytest.param(1024, 1024, 1024, 512, id="nothing may be had beyond: callers have what is left"),
        pytest.param(1024, 2048, 2048, 1536, id="a part of it may be had"),
        pytest.param(256, 256, 256, 64, id="hardly any: a quarter is for callers"),
    ],
)
def test_what_fits(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, then: int, callers: int) -> None:
    bounds = [soft, hard]

    def bound(_what: int, to: tuple[int, int]) -> None:
        bounds[:] = to

    monkeypatch.setattr(resource, "getrlimit", lambda _what: tuple(bounds))
    monkeypatch.setattr(resource, "setrlimit", bound)
    assert for_callers(4096, 256) == callers
    assert bounds == [then, hard]


def test_a_system_that_lets_nothing_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is what counts."""

    def bound(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", bound)
    assert for_callers(4096, 256) == 512
