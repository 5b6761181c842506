"""One revocation as people write it, in the file and on the command line.

kind          token, session, practitioner, client, certificate, key
issuer        its name in the configuration: for a session and a key; for a token by its jti instead of the name
              that the ledger gives it; for a practitioner, where only that issuer's tokens are meant
until         2026-12-01T08:00:00Z: from then on it is void; without it, it stands until it is lifted
issued_before only tokens issued up to then; whoever logs in anew is let in
because       a ticket's number; nobody's own, since whoever reads the list sees it
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from paravent.audit.words import explained
from paravent.effects import Revocation
from paravent.identity.revocation import Kind, Named, mark_of
from paravent.policy.hints import did_you_mean


def kind_of(text: str) -> Kind:
    """Raises ValueError with a sentence, as all readers here."""
    try:
        return Kind(text)
    except ValueError:
        hint = did_you_mean(text, [kind.value for kind in Kind])
        raise ValueError(f"{text!r} is nothing that can be revoked; {hint}".rstrip("; ")) from None


def moment(text: str) -> int:
    """Seconds since 1970. RFC 3339 with a time zone: an hour that is meant for another zone revokes too late."""
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return int(read.astimezone(UTC).timestamp())  # OverflowError: a year that cannot be written there
    except (ValueError, OverflowError):
        pass
    raise ValueError("is no time such as 2026-12-01T08:00:00Z")


def mark(kind: Kind, value: str, issuer: str | None, issuers: Mapping[str, str]) -> str:
    """The name it is looked up by. `issuers`: name in the configuration → iss."""
    if issuer is None:
        return mark_of(kind, value)
    if issuer not in issuers:
        hint = did_you_mean(issuer, issuers)
        raise ValueError(f"there is no issuer {issuer!r}; {hint}".rstrip("; "))
    return mark_of(kind, value, Named(issuer, issuers[issuer]))


def revocation(
    mark: str, until: str | None = None, issued_before: str | None = None, because: str | None = None
) -> Revocation:
    """Put together from its texts."""
    return Revocation(
        mark,
        until_s=_named("until", until),
        issued_before_s=_named("issued_before", issued_before),
        because="" if because is None else explained("because", because),
    )


def _named(name: str, text: str | None) -> int | None:
    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
