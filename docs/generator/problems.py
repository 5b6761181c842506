"""problems.md: every problem that a caller may be told, and every reason that the ledger keeps."""

from typing import Final

from generator.markdown import code, made_by, table
from generator.reasons import MEANING, TO_DO, WHEN
from paravent.reasons import Problem, Reason

_INTRODUCTION: Final = """\
A refusal is an `application/problem+json` document (RFC 9457), in French unless `Accept-Language` prefers English:

    {"type": "urn:paravent:problem:budget_spent", "title": "…", "status": 429, "detail": "…", "reference": "61d0…"}

For one problem and language it is the same for everybody but for its `reference`, so that a refusal teaches an attacker
nothing. What exactly was wrong is the *reason*: it stands in the [ledger](ledger.md), in the record whose `id` is the
reference, and in `paravent_decisions_total`. [How to read a reference](../how-to/read-a-refusal-reference.md) goes from
one to the other. Why there are two lists: [decision 5](../decisions/0005-public-and-private-reasons.md).

A reference of 32 zeros is a refusal that is not on record: a failure of ours came before.

"""


def page() -> str:
    """The whole page."""
    return (
        "# Problems and reasons\n\n"
        + made_by("`proxy/paravent/reasons.py` and `docs/generator/reasons.py`")
        + _INTRODUCTION
        + _overview()
        + "".join(map(_section, Problem)).rstrip()
        + "\n"
    )


def _overview() -> str:
    rows = [
        (f"[{_name(problem)}](#{_name(problem)})", str(problem.status), problem.value.title_en) for problem in Problem
    ]
    return table(("problem", "status", "title"), rows) + "\n"


def _section(problem: Problem) -> str:
    text = problem.value
    told = table(
        ("", "English", "français"),
        [("title", text.title_en, text.title_fr), ("detail", text.advice_en, text.advice_fr)],
    )
    reasons = table(
        ("reason", "when"), [(code(reason), WHEN[reason]) for reason in Reason if reason.problem is problem]
    )
    return (
        f"## {_name(problem)}\n\nStatus {text.status}, `{problem.type}`\n\n{told}\n"
        f"**What it means.** {MEANING[problem]}\n\n**What to do.** {TO_DO[problem]}\n\n{reasons}\n"
    )


def _name(problem: Problem) -> str:
    """The last part of `type`: also what the section is linked by."""
    return problem.name.lower()
