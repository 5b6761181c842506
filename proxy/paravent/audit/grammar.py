"""What a text in the ledger may look like. What does not fit its grammar is recorded as "other", never as itself.

An allow-list, like everything that leaves: the ledger must not become the second copy of what it protects (CNIL,
délibération 2021-122: as little personal data as possible in logs). Two nets lie under the grammars of names, which
come from a policy or a configuration and could hold anything: nothing that reads as a NIR, nothing that reads as a
token. Names and paths are few and come again with every record, so their verdicts are remembered.
"""

import re
from functools import lru_cache
from typing import Final

OTHER: Final = "other"

NUMBER_MAX: Final = 999_999_999
"""Greatest number recorded: nine digits, so that no number can be a NIR (13 digits) or an RPPS (11)."""

# Sex, year, month, department (2A and 2B: Corsica), commune, order: the 13 characters of a NIR, keyless.
_NIR = re.compile(r"[1-8]\d{4}(?:\d\d|2[AaBb])\d{6}")
# Eight digits of any script without a letter between them: an RPPS, a telephone, a birth date.
_LONG_NUMBER = re.compile(r"\d(?:[\W_]*\d){7}")
_SEPARATORS = re.compile(r"[ ._/=-]")

# A JWT starts with the base64url of '{"' (RFC 7515 section 3.3). An opaque token is a long run that mixes lower case,
# upper case and digits; 20 such characters are the 119 bits that RFC 6749 section 10.10 asks of one.
_TOKEN = re.compile(r"eyJ|[A-Za-z0-9]{25}")
_RUN = re.compile(r"[A-Za-z0-9_-]{20,}")
_CLASSES = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"))

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_RPPS = re.compile(r"[0-9]{11}")
_PROFESSION = re.compile(r"[0-9A-Z]{1,3}")
_FINESS = re.compile(r"[0-9A-Z]{9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KID = re.compile(r"(?!eyJ)[A-Za-z0-9._~=-]{1,128}")
_BINDING = re.compile(r"dpop|mtls|none")
_NAME = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORDS = re.compile(r"[A-Za-z0-9 .,:;#/+()'!?-]{1,200}")
_SAID = re.compile(r"[\w .,:#/+()'-]{0,100}")
_STEP = r"/[A-Za-z_@][A-Za-z0-9_.-]{0,63}(?:\[(?:[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+)?\])?"
_PATH = re.compile(rf"(?=.{{1,256}}\Z)(?:{_STEP})+")


def number(value: int) -> int:
    """A count or a duration, between 0 and `NUMBER_MAX`."""
    fits = type(value) is int and 0 <= value <= NUMBER_MAX
    return value if fits else min(max(int(value), 0), NUMBER_MAX)


def request_id(text: str) -> str:
    """32 hexadecimal characters."""
    return _fit(_REQUEST_ID, text)


@lru_cache(maxsize=1024)
def digest(text: str) -> str:
    """16 hexadecimal characters: a policy's revision, a token's id."""
    return _fit(_DIGEST, text)


def rpps(text: str) -> str:
    """11 digits (ANS: the national identifier without its type prefix)."""
    return _fit(_RPPS, text)


def profession(text: str) -> str:
    """A code of TRE_G15."""
    return _fit(_PROFESSION, text)


def finess(text: str) -> str:
    """9 characters, as `identity.claims` takes them from a token: who pays and who is on record must be one name."""
    return _fit(_FINESS, text)


@lru_cache(maxsize=16)
def binding(text: str) -> str:
    """How the token was bound: "dpop", "mtls", "none"."""
    return _fit(_BINDING, text)


@lru_cache(maxsize=1024)
def name(text: str) -> str:
    """A word of a policy or a configuration, or a UUID. Not a NIR, not a token, not a URL."""
    if _UUID.fullmatch(text):
        return text
    return text if _NAME.fullmatch(text) and not _reads_as_secret(text) else OTHER


def words(text: str) -> str:
    """A sentence of a practitioner's. Not one with a NIR, a token or another long number in it."""
    fits = _WORDS.fullmatch(text) and not _reads_as_secret(text) and _LONG_NUMBER.search(text) is None
    return text if fits else OTHER


def said(text: str) -> str:
    """A few words of an operator's, in any language; empty where there are none. Nobody's number, no token."""
    fits = _SAID.fullmatch(text) and not _reads_as_secret(text) and _LONG_NUMBER.search(text) is None
    return text if fits else OTHER


def mark(text: str) -> str:
    """What a revocation names, as its list writes it (`identity.revocation`): a kind, and which of it. What of that
    does not fit is "other"."""
    kind, _, which = text.partition(":")
    match kind:
        case "token" | "session":
            return f"{kind}:{digest(which)}"
        case "practitioner":
            number, _, issuer = which.partition("@")
            return f"{kind}:{rpps(number)}@{name(issuer)}" if issuer else f"{kind}:{rpps(number)}"
        case "client":
            return f"{kind}:{name(which)}"
        case "certificate":
            return f"{kind}:{_fit(_SHA256, which)}"
        case "key":
            issuer, _, kid = which.partition("/")
            return f"{kind}:{name(issuer)}/{OTHER if _reads_as_nir(kid) else _fit(_KID, kid)}"
        case _:
            return OTHER


@lru_cache(maxsize=1024)
def path(text: str) -> str:
    """A policy path (`rules.path_text`): names of members, never their values."""
    return text if _PATH.fullmatch(text) and not _reads_as_nir(text) else OTHER


def _fit(grammar: re.Pattern[str], text: str) -> str:
    return text if grammar.fullmatch(text) else OTHER


def _reads_as_nir(text: str) -> bool:
    return _NIR.search(_SEPARATORS.sub("", text)) is not None


def _reads_as_secret(text: str) -> bool:
    if _reads_as_nir(text) or _TOKEN.search(text):
        return True
    return any(all(kind.search(run) for kind in _CLASSES) for run in _RUN.findall(text))
