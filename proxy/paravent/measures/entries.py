"""One measure from what somebody says on the command line, within what the policy allows.

Raises ValueError with a sentence, as all readers of words.
"""

import re
from typing import Final

from paravent.audit.keys import practitioner_hash
from paravent.audit.words import explained
from paravent.effects import Measure, MeasureKind
from paravent.identity.claims import PRACTITIONER_IS
from paravent.model import Secret
from paravent.policy.lint_thresholds import MAX_SUSPENSION_S
from paravent.policy.paths import duration_text
from paravent.rules import Quotas

_RPPS: Final = re.compile("[0-9]{11}")


def measure(  # noqa: PLR0913, PLR0917 (what a measure is made of)
    key: Secret[bytes],
    id: str,
    kind: MeasureKind,
    rpps: str,
    persons: int,
    in_force_s: tuple[int, int],
    author: str,
    because: str,
) -> Measure:
    """`rpps`: canonical. `in_force_s`: from and until, seconds since 1970."""
    if _RPPS.fullmatch(rpps) is None:
        raise ValueError(f"a practitioner is {PRACTITIONER_IS}")
    explained("--author", author)
    explained("--reason", because)
    if in_force_s[1] <= in_force_s[0]:
        raise ValueError("it must end after it begins")
    return Measure(id, kind, practitioner_hash(key, rpps), persons, *in_force_s, author, because)


def check_grant(grant: Measure, quotas: Quotas) -> None:
    """Whether the policy lets this be given in full."""
    bounds = quotas.grants
    if bounds is None:
        raise ValueError("the policy allows no grants (grants in quotas.yaml)")
    if not 1 <= grant.persons <= bounds.extra_persons:
        raise ValueError(f"--persons must be 1 to {bounds.extra_persons}, says the policy")
    if grant.until_s - grant.from_s > bounds.longest_s:
        raise ValueError(f"a grant lasts at most {duration_text(bounds.longest_s)}, says the policy")


def check_suspension(suspension: Measure) -> None:
    """Whether it is one: what lasts longer is a revocation."""
    if suspension.until_s - suspension.from_s > MAX_SUSPENSION_S:
        raise ValueError(f"a suspension lasts at most {duration_text(MAX_SUSPENSION_S)}; revoke who is to stay out")
