"""Writes the generated pages of docs/reference. Run it after a change of what they describe.

    ./dev shell python docs/build_reference.py

The facts come from the code; the sentences that the code does not hold stand in `generator/`. Tests compare the pages
with what this makes, and fail when a setting, reason, operator, command or member has no words. `metrics.md` alone is
made elsewhere, by observability/build.py.
"""

from pathlib import Path

from generator.reference import PAGES

if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).resolve().parent / "reference" / name).write_text(page(), encoding="utf-8")
