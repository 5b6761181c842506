"""What a policy can be used with and everybody should know: said by `check`, in the log at each start and reload."""

from paravent.problems import Problem
from paravent.rules import Policy


def notes(policy: Policy) -> tuple[Problem, ...]:
    """A sentence each."""
    return tuple(
        Problem(
            "assurance.yaml",
            0,
            0,
            f"observe_unbound: tokens of {issuer} that are bound to nobody are judged and put on record, and refused",
            "for as long as it takes to see who would be served; then bind them, and remove it",
        )
        for issuer in sorted(policy.assurance.observe_unbound)
    )
