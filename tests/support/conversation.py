"""A driver for deciding generators, so that a test reads as the conversation it plays.

    conversation = run(authenticate(facts, …), {FindKey: key, ProofSeen: False})
    assert conversation.result == …
    assert conversation.asked == (FindKey("operateur", "k1", "ES256"), ProofSeen(…))

Replies come in three forms:

* a mapping, effect class → reply, or effect class → function of the effect; answers any number of times;
* one function of the effect;
* a script, a sequence of (effect or effect class, reply): that order, and every line of it must be reached.

Whatever was not foreseen fails the test: a conversation cannot be left unfinished.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Conversation[Result]:
    """How it went."""

    result: Result
    asked: tuple[Any, ...]
    """Every effect, in order."""


type Replies = Mapping[type, Any] | Callable[[Any], Any] | Sequence[tuple[Any, Any]]


def run[Result](generator: Generator[Any, Any, Result], replies: Replies = ()) -> Conversation[Result]:
    """Play it to its end."""
    asked: list[Any] = []
    reply = None
    while True:
        try:
            effect = generator.send(reply)
        except StopIteration as end:
            if isinstance(replies, Sequence) and len(asked) < len(replies):
                raise AssertionError(f"it ended without asking {replies[len(asked)][0]!r}") from None
            return Conversation(end.value, tuple(asked))
        reply = _answer(effect, len(asked), replies)
        asked.append(effect)


def _answer(effect: Any, turn: int, replies: Replies) -> Any:
    if isinstance(replies, Mapping):
        if type(effect) not in replies:
            raise AssertionError(f"not foreseen: {effect!r}")
        return _told(replies[type(effect)], effect)
    if isinstance(replies, Sequence):
        if turn >= len(replies):
            raise AssertionError(f"it went on and asked {effect!r}")
        expected, reply = replies[turn]
        same = isinstance(effect, expected) if isinstance(expected, type) else effect == expected
        if not same:
            raise AssertionError(f"turn {turn}: expected {expected!r}, it asked {effect!r}")
        return _told(reply, effect)
    return replies(effect)


def _told(reply: Any, effect: Any) -> Any:
    """A function stands for the reply it gives; a class is a value."""
    return reply(effect) if callable(reply) and not isinstance(reply, type) else reply
