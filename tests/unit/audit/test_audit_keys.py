"""Keys of the ledger."""

from dataclasses import fields

import pytest

from audit_records import MASTER
from paravent.audit.keys import ChainKey, derive_keys, key_id
from paravent.model import Secret


def test_each_use_has_a_key_of_its_own() -> None:
    """No derived key equals another or the key file."""
    keys = derive_keys(MASTER)
    derived = [getattr(keys, each.name).reveal() for each in fields(keys)]
    values = {MASTER.reveal(), *derived}
    assert len(values) == 1 + len(derived)
    assert {len(value) for value in values} == {32}


def test_the_same_file_gives_the_same_keys() -> None:
    """A restart neither breaks the chain nor renames the persons. `openssl kdf … HKDF` gives the same values."""
    keys = derive_keys(Secret(bytes(range(32))))
    assert keys.chain.reveal().hex() == "38660d6337780b6f678ba41b5a2e662e5475263c0a1b3366e3083994dba0cb66"
    assert keys.subject.reveal().hex() == "e97327894466a8299579c04668e76fb27ef85d5311bcba62e847cc71783d905c"


def test_another_file_gives_other_keys() -> None:
    """Nothing is shared between two key files, ids included."""
    ours, theirs = derive_keys(MASTER), derive_keys(Secret(bytes(32)))
    assert ours.chain.reveal() != theirs.chain.reveal()
    assert key_id(ours.chain) != key_id(theirs.chain)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    """A key file that is not 32 bytes is a mistake, not a shorter key; the message holds the length only."""
    with pytest.raises(ValueError, match=f"{length} bytes long"):
        derive_keys(Secret(b"k" * length))


def test_the_id_names_the_key_and_does_not_show_it() -> None:
    """8 hexadecimal characters, stable, and no part of the key."""
    chain = derive_keys(MASTER).chain
    assert len(key_id(chain)) == 8
    assert key_id(chain) not in chain.reveal().hex()
    assert ChainKey.of(chain).id == key_id(chain)


def test_keys_do_not_print() -> None:
    """A repr in a traceback or a log shows no byte of a key."""
    keys = derive_keys(MASTER)
    shown = repr(keys) + repr(ChainKey.of(keys.chain))
    assert keys.chain.reveal().hex() not in shown
    assert repr(keys.chain.reveal()) not in shown
    assert shown.count("<redacted>") == len(fields(keys)) + 1
