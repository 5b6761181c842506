"""Which walk a view takes: the one that was compiled when Paravent was built, or the plain one where nothing compiles.

Both let the same leave (docs/decisions/0033-a-compiled-walk-beside-the-plain-one.md).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from paravent.masking.json import Outgoing
from paravent.masking.person import Members
from paravent.masking.trie import Branch
from paravent.masking.walk import Run, reduce_object

type Walker = Callable[[Members, Run], dict[str, Outgoing]]
"""What may leave of one document, by one view."""


def plain_walker(tree: Branch) -> Walker:
    """The walk of `walk.py`."""
    return partial(reduce_object, tree)


def _compiled() -> Callable[[Branch], Walker] | None:
    try:
        from paravent.masking.compiled_walk import Walker as Compiled  # noqa: PLC0415 - not there without a compiler
    except ImportError:
        return None
    return Compiled


compiled_walker: Final = _compiled()
"""The compiled walk, where there is one."""
walker: Final = compiled_walker or plain_walker
WALK: Final = "plain" if compiled_walker is None else "compiled"
"""Which it is, as `paravent_build_info` has it."""
