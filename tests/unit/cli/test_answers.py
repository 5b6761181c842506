"""What a command has to say, where nobody can be told."""

import subprocess
import sys
from pathlib import Path

import pytest

from paravent.cli import EXIT_UNSAID

POLICIES = Path(__file__).parents[3] / "policies"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full by nature is Linux's")
def test_an_answer_that_cannot_be_written_is_told_in_a_sentence() -> None:
    """Neither a traceback nor an exit code that means something else, as 1 of `audit verify` does."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "paravent.cli", "policy", "check", str(POLICIES)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == EXIT_UNSAID
    assert ended.stderr == "paravent: the answer could not be written: No space left on device.\n"
