"""Whatever is done to the lines of a chain without the key, the verifier notices."""

from hypothesis import given, settings
from hypothesis import strategies as st

from audit_records import KEY, a_record
from effort import examples
from paravent.audit.chain import HEAD_BYTES, Broken, Head, genesis, seal, seal_head, unseal_head
from paravent.audit.verify import verify_lines

quick = settings(max_examples=examples(150), deadline=None)


def chain(count: int) -> tuple[list[bytes], Head]:
    tip, lines = genesis("0"), []
    for number in range(1, count + 1):
        line, tip = seal(tip, a_record(number), KEY)
        lines.append(line)
    return lines, Head(tip, 1)


LINES, HEAD = chain(8)
SEALED_HEAD = seal_head(HEAD, KEY)


def damaged(content: bytes, head: Head | None = HEAD) -> bool:
    return bool(verify_lines(content.splitlines(keepends=True), KEY, genesis("0"), head).findings)


def test_an_untouched_chain_is_whole() -> None:
    """The other claims of this file would hold of a verifier that always complains; this one would not."""
    assert not damaged(b"".join(LINES))


@quick
@given(at=st.integers(0, sum(map(len, LINES)) - 1), byte=st.integers(0, 255))
def test_any_byte_changed_anywhere_is_noticed(at: int, byte: int) -> None:
    """One byte, any place, any value, newlines included."""
    content = bytearray(b"".join(LINES))
    changed = content[at] != byte
    content[at] = byte
    # `splitlines` of bytes also splits at a carriage return; the files are split at newlines only.
    lines = [part + b"\n" for part in bytes(content).split(b"\n")]
    lines[-1] = lines[-1][:-1]
    walk = verify_lines([line for line in lines if line], KEY, genesis("0"), HEAD)
    assert bool(walk.findings) == changed


@quick
@given(at=st.integers(0, HEAD_BYTES - 1), byte=st.integers(0, 255))
def test_any_byte_of_the_head_is_sealed(at: int, byte: int) -> None:
    """One byte of the head, its padding included."""
    raw = bytearray(SEALED_HEAD)
    changed = raw[at] != byte
    raw[at] = byte
    assert isinstance(unseal_head(bytes(raw), KEY), Broken) == changed


@quick
@given(order=st.permutations(range(len(LINES))))
def test_any_other_order_is_noticed(order: list[int]) -> None:
    """Every permutation but one."""
    assert damaged(b"".join(LINES[index] for index in order)) == (order != sorted(order))


@quick
@given(picked=st.lists(st.integers(0, len(LINES) - 1), max_size=12))
def test_any_other_selection_is_noticed(picked: list[int]) -> None:
    """Lines left out, repeated and mixed at will: only the whole chain in its order passes."""
    assert damaged(b"".join(LINES[index] for index in picked)) == (picked != list(range(len(LINES))))


@quick
@given(end=st.integers(0, sum(map(len, LINES))))
def test_any_end_cut_off_is_noticed(end: int) -> None:
    """However many bytes are missing at the end, whole lines included."""
    content = b"".join(LINES)
    assert damaged(content[:end]) == (end != len(content))


@quick
@given(after=st.integers(0, len(LINES)), planted=st.binary(min_size=1, max_size=200))
def test_anything_put_in_is_noticed(after: int, planted: bytes) -> None:
    """Any line that was not sealed, anywhere."""
    content = b"".join(LINES[:after]) + planted.replace(b"\r", b".") + b"\n" + b"".join(LINES[after:])
    assert damaged(content)


@quick
@given(end=st.integers(0, sum(map(len, LINES))), acknowledged=st.integers(0, len(LINES)))
def test_a_crash_is_never_mistaken_for_damage(end: int, acknowledged: int) -> None:
    """A write that stopped anywhere after the acknowledged lines is whole, with every acknowledged line in it."""
    lines, head = chain(acknowledged)
    content = b"".join(LINES)[: max(end, sum(map(len, lines)))]
    walk = verify_lines(content.splitlines(keepends=True), KEY, genesis("0"), head)
    assert walk.findings == []
    assert walk.records >= acknowledged
