"""Which pages of docs/reference are made here, and by which module."""

from collections.abc import Callable
from typing import Final

from generator import callers, commands, configuration, events, ledger, operators, policy, problems

PAGES: Final[dict[str, Callable[[], str]]] = {
    "callers.md": callers.page,
    "commands.md": commands.page,
    "configuration.md": configuration.page,
    "events.md": events.page,
    "ledger.md": ledger.page,
    "operators.md": operators.page,
    "policy.md": policy.page,
    "problems.md": problems.page,
}
"""File name → the whole page."""
