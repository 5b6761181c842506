"""Runs `paravent` in a process whose clock is wrong.

python wrong_clock.py SECONDS serve …     so many ahead or, below zero, behind
"""

import sys
import time

_ahead_s = int(sys.argv.pop(1))
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _ahead_s
time.time_ns = lambda: _time_ns() + _ahead_s * 1_000_000_000

from paravent.cli import main  # noqa: E402 — after the clock, which some modules take with them

main()
