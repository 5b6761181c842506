"""A TLS 1.3 client that changes its keys as often as it likes (RFC 8446 section 4.6.3). `ssl` has no call for it.

sock, keys = shaken_hands(port)
sock.sendall(keys.updates(20_000))
"""

import hashlib
import hmac
import re
import socket
import ssl
import tempfile
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

UPDATE: Final = bytes([24, 0, 0, 1, 1])
"""A KeyUpdate that asks for one in return."""
HANDSHAKE: Final = b"\x16"
SUITE: Final = "TLS_AES_256_GCM_SHA384"


@dataclass(slots=True)
class Keys:
    """What this side writes with."""

    secret: bytes

    def updates(self, count: int) -> bytes:
        """So many records, each with a KeyUpdate, each under the keys of the one before."""
        return b"".join(self._update() for _ in range(count))

    def _update(self) -> bytes:
        plain = UPDATE + HANDSHAKE
        head = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2)
        # The first record under new keys: its number is 0, and the nonce the IV itself (section 5.3).
        sealed = AESGCM(self._expanded(b"key", 32)).encrypt(self._expanded(b"iv", 12), plain, head)
        self.secret = self._expanded(b"traffic upd", 48)
        return head + sealed

    def _expanded(self, label: bytes, length: int) -> bytes:
        """HKDF-Expand-Label (section 7.1), for no more than one block."""
        info = length.to_bytes(2) + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return hmac.digest(self.secret, info + b"\x01", hashlib.sha384)[:length]


def shaken_hands(port: int) -> tuple[socket.socket, Keys]:
    """A connection whose handshake is done and that has written nothing since."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with tempfile.NamedTemporaryFile() as log:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.keylog_filename = log.name
        tls = context.wrap_bio(incoming, outgoing)
        sock = socket.create_connection(("127.0.0.1", port))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        sock.sendall(outgoing.read())
        cipher = tls.cipher()
        assert cipher is not None
        assert cipher[0] == SUITE
        [secret] = re.findall("^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]+ ([0-9a-f]+)$", log.read().decode(), re.MULTILINE)
    return sock, Keys(bytes.fromhex(secret))
