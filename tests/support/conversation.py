"""A driver for deciding generators, so that a test reads as the conversation it plays.

    conversation = run(authenticate(facts, …), {FindKey: key, ProofSeen: False})
    assert conversation.result == …
    assert conversation.asked == (FindKey("operateur", "k1", "ES256"), ProofSeen(…))

Replies come in three forms:

* a mapping, effect class → reply, or effect class → function of the effect; answers any number of times;
* one function of the effect;
* a script, a sequence of (effect or effect class, reply): that order, and every line of it must be reached.

Nothing was decided about anybody, unless the replies say so: `FindMeasures` is then answered with none and not listed.

Whatever else was not foreseen fails the test: a conversation cannot be left unfinished.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paravent.effects import FindMeasures


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
        if isinstance(effect, FindMeasures) and not _foresees_measures(replies):
            reply = ()
            continue
        reply = _answer(effect, len(asked), replies)
        asked.append(effect)


def _foresees_measures(replies: Replies) -> bool:
    if isinstance(replies, Mapping):
        return FindMeasures in replies
    return isinstance(replies, Sequence) and any(FindMeasures in (line[0], type(line[0])) for line in replies)


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
