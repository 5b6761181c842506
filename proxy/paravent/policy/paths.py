"""The three small grammars of a policy: paths into an answer, path templates of an operation, durations.

    /contratsAMC[]/garanties[domaine=PHAR]/tauxPourcent     a field of an answer; [] is every element of a list
    /v1/cartes/{numeroAMC}/{numeroAdherent}/beneficiaires   a request path; {…} is a parameter
    10s  5m  4h  30d                                        a duration, in seconds
    contratsAMC/periode                                     not a path: it must begin with /

Each reader raises ValueError with a sentence that says what to write.
"""

import re
from typing import Final

from paravent.rules import Path, Step

_MEMBER: Final = r"(?:[A-Za-z_][A-Za-z0-9_.:-]{0,63})?(?:@[A-Za-z_][A-Za-z0-9_.-]{0,63})?(?<=[A-Za-z0-9_.:-])"
"""Member names as the upstream's description has them; after @ an attribute, of the element itself or of a child."""
_STEP: Final = re.compile(rf"({_MEMBER})(\[(?:({_MEMBER})=([A-Za-z0-9_.:-]{{1,64}}))?\])?")
MAX_STEPS: Final = 10


def parse_path(text: str) -> Path:
    """`/a/b[]/c[k=v]/d` as steps. `rules.path_text` writes it back."""
    if not text.startswith("/"):
        raise ValueError("a path begins with /")
    names = text[1:].split("/")
    if len(names) > MAX_STEPS:
        raise ValueError(f"a path has at most {MAX_STEPS} steps")
    return tuple(_step(name) for name in names)


def _step(text: str) -> Step:
    if not text:
        raise ValueError("a step is empty: write no / at the end, and no two in a row")
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a step of a path: write name, name[] or name[member=value], with one condition at most"
        )
    name, brackets, member, value = match.groups()
    return Step(name, brackets is not None, (member, value) if member is not None else None)


# RFC 3986 section 2.3: the unreserved characters mean themselves, in every parser, and are never percent-encoded.
UNRESERVED: Final = r"[A-Za-z0-9._~-]"
_LITERAL: Final = re.compile(rf"{UNRESERVED}+")
_PARAMETER: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9]{0,31})\}")
QUERY_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}"
"""Names of query parameters, FHIR's among them: `_include`, `payor:identifier`, `patient.birthdate`."""
ESCAPED_NAME: Final = r"[A-Za-z_](?:[A-Za-z0-9_.-]|%3A){0,63}"
"""The same with every colon escaped."""
DOTS: Final = frozenset({".", ".."})
"""RFC 3986 section 3.3: dot-segments mean another path to whoever resolves them."""


def parse_template(text: str) -> tuple[str, ...]:
    """`/v1/cartes/{numeroAMC}` as segments; a parameter keeps its braces."""
    if not text.startswith("/"):
        raise ValueError("a request path begins with /")
    segments = tuple(text[1:].split("/"))
    for segment in segments:
        literal = _LITERAL.fullmatch(segment) is not None and segment not in DOTS
        if not literal and parameter_name(segment) is None:
            raise ValueError(f"{segment!r} is not a segment: write letters, digits and . _ ~ -, or {{parameter}}")
    return segments


def parameter_name(segment: str) -> str | None:
    """The name in `{name}`, or None for a literal segment."""
    match = _PARAMETER.fullmatch(segment)
    return match.group(1) if match else None


_DURATION: Final = re.compile("([1-9][0-9]{0,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> int:
    """Seconds. A day is 86 400 of them; months and years have no length and are not accepted."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("a duration is a whole number and a unit: 10s, 5m, 4h or 30d")
    return int(match.group(1)) * _SECONDS[match.group(2)]


def duration_text(seconds: int) -> str:
    """The shortest way a policy would write it."""
    unit = next(unit for unit in "dhms" if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"
