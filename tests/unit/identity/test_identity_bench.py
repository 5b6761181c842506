"""The benchmark of identity runs, and measures what it says."""

from bench.identity import ALGORITHMS, measure, steps


def test_every_algorithm_is_measured_cold_and_cached() -> None:
    """One round, one time each: every request in it is accepted, or it would have raised."""
    figures = measure(rounds=1, times=1)
    for algorithm in ALGORITHMS:
        measured = {each.what for each in figures if each.algorithm == algorithm}
        assert {"signature", "certificate, cold", "certificate, cached", "proof of ES256, cached token"} <= measured
        assert ("proof alone" in measured) is (algorithm != "RS256")
    assert all(us >= 0 for us in steps(rounds=1, times=1).values())
