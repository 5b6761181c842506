"""What somebody did by command, in a chain of the ledger of its own: beside a node that runs, and without one."""

import time
from pathlib import Path
from typing import Final

from paravent.audit.chain import seal
from paravent.audit.keys import ChainKey
from paravent.model import Secret
from paravent.sinks.files import SEGMENT_BYTES
from paravent.sinks.journal import Journal, LedgerBusy, LedgerDamaged

WRITER: Final = "commands"
"""Its files are `ledger-commands-000001.jsonl` and so on."""

BUSY_S: Final = 5.0
"""How long another command is waited for; each takes milliseconds."""
_AGAIN_S: Final = 0.05


def put_on_record(directory: Path, chain_key: Secret[bytes], record: dict[str, object]) -> bool:
    """True: it is durable. False: the folder, the disk or another command said no, and nothing may be done."""
    key = ChainKey.of(chain_key)
    journal = _opened(directory, key)
    if journal is None:
        return False
    try:
        line, tip = seal(journal.tip, record, key)
        written = journal.commit(line, tip)
        journal.keep_head()
        return written
    finally:
        journal.close()


def _opened(directory: Path, key: ChainKey) -> Journal | None:
    ends_s = time.monotonic() + BUSY_S
    while True:
        try:
            return Journal(directory, key, WRITER, SEGMENT_BYTES)
        except LedgerBusy:
            if time.monotonic() > ends_s:
                return None
            time.sleep(_AGAIN_S)
        except (LedgerDamaged, OSError):
            return None
