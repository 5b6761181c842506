"""Plain frozen values, made in C.

A frozen dataclass sets each of its fields with a call of its own: one of seven fields takes ten times as long to make
as a msgspec Struct, and a request makes forty. What is made for each request is a `Value`; what is made once, when a
policy or a configuration is loaded, is a dataclass.
"""

from typing import ClassVar

from msgspec import Struct


class Value(Struct, frozen=True):
    """Immutable; compared and hashed by its fields; shown without those that are nobody's to read."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out of what is printed."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__qualname__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """What msgspec tells pretty-printers, with less in it."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.HIDDEN]
