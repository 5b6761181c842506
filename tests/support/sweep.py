"""The sweep: no NIR, token or contract number anywhere it may not be.

`SECRETS` are in what scripted upstreams say and may be nowhere: not in a byte to a client, nor in a log line, a metric
or a ledger line. What the caller sent, a NIR and credentials, may not be in logs, metrics and ledger; the NIR alone may
come back to the caller.
"""

import base64
import hashlib
import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from paravent.telemetry.logs import JsonFormatter

OTHER_NIR: Final = "1821199990014"
CONTRACT: Final = "CTR0099887766"
SECRETS: Final = (OTHER_NIR, CONTRACT)
"""An invented person's and an invented contract's."""


def traces(secret: str) -> Mapping[str, bytes]:
    """The ways in which a value shows itself."""
    raw = secret.encode()
    digest = hashlib.sha256(raw).digest()
    return {
        "as it is": raw,
        "in hexadecimal": raw.hex().encode(),
        "in base64": base64.b64encode(raw).rstrip(b"="),
        "hashed without a key, in hexadecimal": digest.hex().encode(),
        "hashed without a key, in base64": base64.b64encode(digest).rstrip(b"="),
        "backwards": raw[::-1],
    }


def found(places: Mapping[str, bytes], secrets: Iterable[str]) -> list[str]:
    """One sentence a find. Upper and lower case are the same."""
    contents = {place: content.lower() for place, content in places.items()}
    return [
        f"{secret[:6]}… {how} in {place}"
        for secret in secrets
        for how, trace in traces(secret).items()
        for place, content in contents.items()
        if trace.lower() in content
    ]


@contextmanager
def recorded_logs() -> Iterator[io.StringIO]:
    """Everything that any logger says from DEBUG up, as our formatter writes it; production keeps less."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
