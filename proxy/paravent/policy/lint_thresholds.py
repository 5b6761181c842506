"""Cross-checks of what quotas.yaml says beside the limits: thresholds that contradict one another."""

from collections.abc import Iterator, Sequence

from paravent.policy.files import Read
from paravent.policy.lint_operations import Placed
from paravent.policy.paths import duration_text
from paravent.policy.schema import QuotasFile
from paravent.problems import Problem


def check_thresholds(read: Read[QuotasFile], operations: Sequence[Placed]) -> Iterator[Problem]:
    """Every rule that could never hold, or would always."""
    yield from _step_up(read, operations)


def _step_up(read: Read[QuotasFile], operations: Sequence[Placed]) -> Iterator[Problem]:
    step_up = read.file.step_up
    if step_up is None:
        return
    for placed in operations:
        allowed_s = placed.operation.max_auth_age_s
        if step_up.max_auth_age >= allowed_s:
            message = (
                f"every login that may ask {placed.operation.name} is at most {duration_text(allowed_s)} old: "
                "the extra would always be there"
            )
            yield read.document.at_value(("step_up", "max_auth_age"), message, "raise the limits, or ask for less")
            return
