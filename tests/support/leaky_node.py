"""`paravent serve` with a leak of each kind, so that the soak has something to find.

python leaky_node.py serve --config FILE

Each question to the upstream leaves behind as much as a flow takes; each hundredth a descriptor and a thread.
"""

import asyncio
import os
import threading
from typing import Final

from paravent.cli import main
from paravent_mitmproxy.listener.conversation import Conversation

LEAK_BYTES: Final = 16 * 1024
"""A flow of mitmproxy takes about 10 KB."""

left: Final[list[bytearray]] = []
begin = Conversation.connection_made


def leaking(self: Conversation, transport: asyncio.BaseTransport) -> None:
    left.append(bytearray(LEAK_BYTES))
    if len(left) % 100 == 0:
        os.dup(2)
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    begin(self, transport)


Conversation.connection_made = leaking  # type: ignore[method-assign]
main()
