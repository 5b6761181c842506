"""`./dev soak` in short: a real node under load keeps nothing of the requests that it has answered."""

from dataclasses import replace
from pathlib import Path

import pytest
from bench.soak import EACH, MAX_GROWN_MB, REQUESTS, SETTLING_MB, Growth, Held, measure, slope

LEAKY = Path(__file__).parents[1] / "support" / "leaky_node.py"

FLAT = Growth("keep-alive", REQUESTS, 60.0, 0, 120.0, 120.0, 0.0, 0.0, Held(23, 9), Held(23, 9), ())


@pytest.mark.real
@pytest.mark.parametrize(("way", "count"), [("keep-alive", 2000), ("connection", 1000)])
def test_a_node_is_flat_before_an_upstream_that_ends_every_connection(way: str, count: int) -> None:
    """Memory within what settles, no descriptor, no thread; and the requests were really answered."""
    growth = measure(way, count)
    assert growth.complaints() == []
    assert growth.requests == count
    assert growth.rss_mb_warm > 50


@pytest.mark.real
def test_a_leak_is_found() -> None:
    """Sixteen kilobytes a request, and a descriptor and a thread in each hundred: each is named."""
    complaints = measure("keep-alive", 1000, program=(str(LEAKY),)).complaints()
    assert [each.partition(" grew")[0] for each in complaints] == ["memory", "file descriptors", "threads"]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        pytest.param({"grown_mb": MAX_GROWN_MB}, None, id="memory within the noise"),
        pytest.param({"grown_mb": MAX_GROWN_MB + 0.1}, "memory grew by 2.6 MB, more than 2.5 MB", id="memory"),
        pytest.param({"grown_mb": SETTLING_MB, "requests": 2000}, None, id="a short run, which settles"),
        pytest.param(
            {"grown_mb": SETTLING_MB + 0.1, "requests": 2000},
            "memory grew by 8.1 MB, more than 8.0 MB",
            id="a short run that does not",
        ),
        pytest.param({"end": Held(24, 9)}, None, id="the state file, open once more"),
        pytest.param({"end": Held(25, 9)}, "file descriptors grew from 23 to 25", id="two descriptors"),
        pytest.param({"end": Held(20, 8)}, None, id="fewer of both"),
        pytest.param({"end": Held(23, 11)}, None, id="threads of the event loop's pool"),
        pytest.param({"end": Held(23, 12)}, "threads grew from 9 to 12", id="three threads"),
        pytest.param({"refused": REQUESTS // 1000}, None, id="one refusal in a thousand"),
        pytest.param(
            {"refused": REQUESTS // 1000 + 1},
            "201 requests were not answered with 200, more than one in a thousand",
            id="a node that refuses",
        ),
    ],
)
def test_what_counts_as_growth(changed: dict[str, object], complaint: str | None) -> None:
    """Each bound by itself, at it and beyond it."""
    assert replace(FLAT, **changed).complaints() == ([complaint] if complaint else [])  # type: ignore[arg-type]


def test_the_slope_is_that_of_the_line_with_the_least_squares() -> None:
    """Two megabytes in a hundred requests, with a noise that cancels out; and none."""
    assert slope([(0, 10.1), (100, 11.9), (200, 13.9), (300, 16.1)]) == pytest.approx(0.02)
    assert slope([(0, 10.0), (100, 10.0)]) == 0


def test_a_short_run_asks_no_practitioner_too_often() -> None:
    """Or the node would refuse, and serve nothing to hold on to."""
    assert EACH <= 20
