"""Rows that the log has and their table may not have yet."""

from collections.abc import Iterator


class Recent[Key, Row]:
    """Rows by key, each with the number of the log entry that changed it last; oldest change first.

    A row that is changed again moves to the end. So what is busy stays in memory, and each row is written to its table
    once for many changes of it.
    """

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[Key, tuple[int, Row]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Key) -> Row:
        return self._rows[key][1]

    def put(self, key: Key, row: Row, seq: int) -> None:
        """Entry `seq` holds this row."""
        self._rows.pop(key, None)
        self._rows[key] = (seq, row)

    def drop(self, key: Key) -> None:
        """The table has it, or never needs to."""
        self._rows.pop(key, None)

    def up_to(self, seq: int) -> list[tuple[Key, Row]]:
        """The rows whose last change is of entry `seq` or before."""
        return list(self._up_to(seq))

    def forget(self, seq: int) -> list[Key]:
        """Drop those rows. Their keys."""
        keys = [key for key, _ in self._up_to(seq)]
        for key in keys:
            del self._rows[key]
        return keys

    def _up_to(self, seq: int) -> Iterator[tuple[Key, Row]]:
        for key, (changed, row) in self._rows.items():
            if changed > seq:
                return
            yield key, row
