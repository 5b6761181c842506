"""`python -m paravent.cli`, for where no console script is installed."""

from paravent.cli import main

main(prog_name="paravent")
