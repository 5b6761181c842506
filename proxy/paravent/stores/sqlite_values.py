"""Several rows in one statement.

Every statement gives up the interpreter's lock and must win it back from the event loop: few and larger is what keeps
the writer thread alive beside a busy loop.
"""

from functools import lru_cache


@lru_cache
def with_rows(sql: str, rows: int, width: int) -> str:
    """`sql` with `:rows` replaced by placeholders: rows=2, width=3 → "(?,?,?),(?,?,?)". Sizes in, never values."""
    row = f"({','.join('?' * width)})"
    return sql.replace(":rows", ",".join([row] * rows))
