"""The closed list of what a view may do with a field. One operator a file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paravent.masking.operators.base import DROP, Drop, Identifies, Operator, Parameter, Release
from paravent.masking.operators.code_map import CODE_MAP
from paravent.masking.operators.echo import ECHO
from paravent.masking.operators.exists import EXISTS
from paravent.masking.operators.filter_period import FILTER_PERIOD
from paravent.masking.operators.free_text import FREE_TEXT
from paravent.masking.operators.handle import HANDLE
from paravent.masking.operators.initial import INITIAL
from paravent.masking.operators.keep import KEEP
from paravent.masking.operators.mask import MASK
from paravent.masking.operators.pseudonym import PSEUDONYM
from paravent.masking.operators.redact import REDACT
from paravent.masking.operators.year import YEAR

_OPERATORS: Final = (
    KEEP, ECHO, REDACT, MASK, YEAR, INITIAL, EXISTS, FREE_TEXT, PSEUDONYM, HANDLE, CODE_MAP, FILTER_PERIOD,
)  # fmt: skip

REGISTRY: Final[Mapping[str, Operator]] = MappingProxyType({operator.name: operator for operator in _OPERATORS})

__all__ = ["DROP", "REGISTRY", "Drop", "Identifies", "Operator", "Parameter", "Release"]
