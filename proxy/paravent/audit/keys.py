"""The keys that come from the 32 bytes of `key_file`: one for each use, none of which betrays another.

HKDF-SHA256 (RFC 5869): the key file is uniformly random, so the extract step takes no salt (section 3.1), and the
`info` label keeps the uses apart (section 3.2).
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from paravent.model import Secret

KEY_BYTES = 32
"""Of the key file and of everything derived from it: the output length of SHA-256."""


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """One key a use. 32 bytes each."""

    chain: Secret[bytes]
    """Seals the lines and the head of the ledger."""
    subject: Secret[bytes]
    """Keys the hashes that stand for persons, in the budgets and in the ledger."""
    assertion: Secret[bytes]
    """Seed of the Ed25519 key that signs who asks, for the upstream (RFC 8032 section 5.1.5)."""
    nonce: Secret[bytes]
    """Keys the nonces of DPoP proofs: every node with this key file takes those of the others."""
    disguise: Secret[bytes]
    """Keys pseudonyms and handles."""
    practitioner: Secret[bytes]
    """Keys the hashes that stand for practitioners where only their own requests need to find them."""
    payer: Secret[bytes]
    """Keys the hashes that stand for certificates and networks in the budgets."""


def derive_keys(master: Secret[bytes]) -> LedgerKeys:
    """The keys of one key file. ValueError when `master` is not 32 bytes."""
    if len(master.reveal()) != KEY_BYTES:
        raise ValueError(f"the key is {len(master.reveal())} bytes long, not {KEY_BYTES}")
    return LedgerKeys(
        chain=_labelled(master, b"paravent 1 chain"),
        subject=_labelled(master, b"paravent 1 subject"),
        assertion=_labelled(master, b"paravent 1 assertion"),
        nonce=_labelled(master, b"paravent 1 nonce"),
        disguise=_labelled(master, b"paravent 1 disguise"),
        practitioner=_labelled(master, b"paravent 1 practitioner"),
        payer=_labelled(master, b"paravent 1 payer"),
    )


def practitioner_hash(key: Secret[bytes], rpps: str) -> str:
    """32 hexadecimal characters that stand for a practitioner, under `LedgerKeys.practitioner`.

    There are a few million RPPS numbers: without the key a hash of one is turned back in a second.
    """
    return hmac.digest(key.reveal(), rpps.encode("ascii"), "sha256").hex()[:32]


def key_id(key: Secret[bytes]) -> str:
    """8 hexadecimal characters that name a key without weakening it: SHA-256 over a key of their own."""
    return hashlib.sha256(_labelled(key, b"paravent 1 key id").reveal()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class ChainKey:
    """The chain key, with its id worked out once."""

    id: str
    secret: Secret[bytes]

    @classmethod
    def of(cls, secret: Secret[bytes]) -> Self:
        return cls(key_id(secret), secret)

    def mac(self, label: bytes, message: bytes) -> bytes:
        """HMAC-SHA256 (RFC 2104), 32 bytes. `label` has a fixed length for each use and keeps the uses apart."""
        return hmac.digest(self.secret.reveal(), label + message, "sha256")


def _labelled(key: Secret[bytes], label: bytes) -> Secret[bytes]:
    return Secret(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=label).derive(key.reveal()))
