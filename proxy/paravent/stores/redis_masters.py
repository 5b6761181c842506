"""The masters of a Redis Cluster: which of them has a key, and a connection to each (Redis Cluster specification)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat
from typing import Final, cast

from redis.crc import key_slot

from paravent.stores.redis_calls import Call
from paravent.stores.redis_link import Answer, CommandError, Link, LinkDown, Server, connect

SLOTS: Final = 16_384

NOT_DONE: Final = ("MOVED ", "ASK ", "TRYAGAIN ")
"""How an error begins that says: the slot is moving or has moved, and nothing was carried out."""

MOVING_S: Final = 0.01
"""Between two tries while it moves. A slot of some hundred keys takes that long."""

TAGS_TRIED: Final = 1000
"""To find a key in a slot of one master: of three masters it takes three."""

type _Place = tuple[str, int]
"""Host and port."""


class Masters:
    """One per ledger; all on one event loop."""

    def __init__(self, seed: Server, deadline_s: float, script: str, sha: bytes, look: Callable[[str], Call]) -> None:
        """`seed`: the node that is asked for the others, as long as none of them is known. `look`: what asks the master
        of a tag whether it takes charges."""
        self._seed = seed
        self._deadline_s = deadline_s
        self._script = script.encode()
        self._sha = sha
        self._look = look
        self._places: list[_Place | None] = [None] * SLOTS
        self._links: dict[_Place, Link] = {}
        self._connecting: dict[_Place, asyncio.Task[Link]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def healthy(self) -> bool:
        """Every slot has a master, and each of them a connection."""
        places = set(self._places)
        return not self._closed and None not in places and all(self._is_up(place) for place in places)

    async def run(self, call: Call) -> list[bytes | int]:
        """The script's answer, from the master of its keys, within the deadline. Raises LinkDown: it may have run."""
        answer = await self.ask(cast(bytes, call[1]), b"EVALSHA", self._sha, *call)
        return cast(list[bytes | int], answer)

    async def ask(self, key: bytes, *words: bytes | int) -> Answer:
        """Any command about one key. Raises LinkDown."""
        asked = False
        try:
            async with asyncio.timeout(self._deadline_s):
                for wait_s in chain((0.0,), repeat(MOVING_S)):
                    try:
                        asked = True
                        return await self._once(key, words)
                    except CommandError as error:
                        asked = False
                        if not str(error).startswith(NOT_DONE):
                            self._drop(key)
                            raise LinkDown from None
                        if str(error).startswith("MOVED "):
                            await self._learn()
                    await asyncio.sleep(wait_s)
        except TimeoutError:
            if asked:
                self._drop(key)
        raise LinkDown

    async def look_after(self) -> None:
        """Learn who the masters are, connect to those that have no connection, find out whether they take charges. To
        be called now and then."""
        with suppress(LinkDown, CommandError, TimeoutError):
            async with asyncio.timeout(self._deadline_s):
                if not self.healthy:
                    await self._learn()
                for place in {each for each in self._places if each is not None}:
                    link = await self._link(place)
                    try:
                        await link.send(*self._looking(place))
                    except (asyncio.CancelledError, CommandError):
                        link.drop()
                        raise

    def close(self) -> None:
        self._closed = True
        with suppress(RuntimeError):
            for task in self._connecting.values():
                task.cancel()
            for link in self._links.values():
                link.close()

    async def _once(self, key: bytes, words: tuple[bytes | int, ...]) -> Answer:
        place = self._places[key_slot(key)]
        if place is None:
            await self._learn()
            place = self._places[key_slot(key)]
        if place is None:
            raise LinkDown
        return await (await self._link(place)).send(*words)

    async def _link(self, place: _Place) -> Link:
        if self._closed:
            raise LinkDown
        if self._is_up(place):
            return self._links[place]
        task = self._connecting.get(place)
        if task is None or task.done():
            task = self._connecting[place] = asyncio.get_running_loop().create_task(self._connect(place))
            task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def _connect(self, place: _Place) -> Link:
        try:
            server = replace(self._seed, host=place[0], port=place[1])
            link = await connect(server, (b"SCRIPT", b"LOAD", self._script), self._looking(place))
        except LinkDown:
            self._places = [None if each == place else each for each in self._places]  # to be learned anew
            raise LinkDown from None
        self._links[place] = link
        return link

    def _looking(self, place: _Place) -> tuple[bytes | int, ...]:
        """Whether this master takes charges; of one that is not known to have slots, whether it answers."""
        tags = (f"look-{number}" for number in range(TAGS_TRIED))
        tag = next((tag for tag in tags if self._places[key_slot(tag.encode())] == place), None)
        return (b"PING",) if tag is None else (b"EVALSHA", self._sha, *self._look(tag))

    async def _learn(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_around())
            self._asking.add_done_callback(_seen)
        await asyncio.shield(self._asking)

    async def _ask_around(self) -> None:
        """Whoever answers first, of those who are known and of the seed."""
        known = list(dict.fromkeys(place for place in (*self._links, (self._seed.host, self._seed.port))))
        for place in known:
            try:
                ranges = await self._slots(await self._link(place))
            except (LinkDown, CommandError):
                continue
            places: list[_Place | None] = [None] * SLOTS
            for first, last, (host, port, *_), *_ in cast(list[tuple[int, int, list[bytes | None]]], ranges):
                # None or empty: where the one is that was asked (CLUSTER SLOTS, "Preferred endpoint").
                there = (host.decode() if host else place[0], int(port or 0))
                places[first : last + 1] = [there] * (last + 1 - first)
            self._places = places
            for gone in self._links.keys() - {each for each in places if each is not None}:
                self._links.pop(gone).drop()
            return
        raise LinkDown

    async def _slots(self, link: Link) -> Answer:
        """What one node knows of all of them. Raises LinkDown, CommandError."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await link.send(b"CLUSTER", b"SLOTS")
        except TimeoutError:
            link.drop()  # else everybody who wants to know would wait for this one
            raise LinkDown from None

    def _is_up(self, place: _Place | None) -> bool:
        return place is not None and place in self._links and self._links[place].up

    def _drop(self, key: bytes) -> None:
        place = self._places[key_slot(key)]
        if place is not None and place in self._links:
            self._links.pop(place).drop()


def _seen(task: asyncio.Task[object]) -> None:
    if not task.cancelled():
        task.exception()
