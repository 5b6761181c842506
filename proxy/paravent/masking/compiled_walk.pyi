from paravent.masking.json import Outgoing
from paravent.masking.person import Members
from paravent.masking.trie import Branch
from paravent.masking.walk import Run

SOURCE: str
"""SHA-256 of what it was compiled from, in hexadecimal digits; empty when who compiled it did not say."""

class Walker:
    def __init__(self, tree: Branch) -> None: ...
    def __call__(self, members: Members, run: Run, /) -> dict[str, Outgoing]: ...
