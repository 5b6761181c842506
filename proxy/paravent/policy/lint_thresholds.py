"""Cross-checks of what quotas.yaml says beside the limits: thresholds that contradict one another."""

from collections.abc import Iterator, Sequence
from typing import Final

from paravent.policy.files import Read
from paravent.policy.lint_operations import Placed
from paravent.policy.paths import duration_text
from paravent.policy.schema import QuotasFile
from paravent.problems import Problem

MAX_SUSPENSION_S: Final = 30 * 86400
"""As long as the longest window."""


def check_thresholds(read: Read[QuotasFile], operations: Sequence[Placed]) -> Iterator[Problem]:
    """Every rule that could never hold, or would always."""
    yield from _step_up(read, operations)
    yield from _suspension(read)
    yield from _break_glass(read)


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


def _suspension(read: Read[QuotasFile]) -> Iterator[Problem]:
    suspension = read.file.suspension
    if suspension is None:
        return
    if suspension.lasts > MAX_SUSPENSION_S:
        message = f"a suspension lasts at most {duration_text(MAX_SUSPENSION_S)}"
        yield read.document.at_value(("suspension", "lasts"), message, "revoke who is not to come back by themselves")
    if suspension.within >= suspension.lasts:
        message = "the same refusals would suspend a second time: within must be shorter than lasts"
        yield read.document.at_value(("suspension", "within"), message)


def _break_glass(read: Read[QuotasFile]) -> Iterator[Problem]:
    glass = read.file.break_glass
    if glass is None:
        return
    if glass.once_per > MAX_SUSPENSION_S:
        message = f"once_per is at most {duration_text(MAX_SUSPENSION_S)}"
        yield read.document.at_value(
            ("break_glass", "once_per"), message, "grant by command what is needed more rarely"
        )
    if glass.lasts >= glass.once_per:
        message = "the glass would always be broken: lasts must be shorter than once_per"
        yield read.document.at_value(("break_glass", "lasts"), message)
