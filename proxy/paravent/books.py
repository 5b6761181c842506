"""What of the state store nodes and commands open alike, chosen by the settings: the books, and where a Redis is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from paravent.effects import Revocation, StoreDown
from paravent.identity.revocation import Kind, mark_of
from paravent.ports import MeasureBook, RevocationBook, UsageBook
from paravent.problems import InvalidFiles, Problem
from paravent.revocations.file import RevocationFile
from paravent.settings import Redis, Settings
from paravent.stores.sqlite_measures import SqliteMeasures
from paravent.stores.sqlite_revocations import SqliteRevocations
from paravent.stores.sqlite_usage import SqliteUsage

if TYPE_CHECKING:
    from paravent.stores.redis_link import Server


def revocation_book(settings: Settings) -> RevocationBook:
    """The list that all nodes share."""
    if isinstance(settings.state, Redis):
        from paravent.stores.redis_revocations import RedisRevocations  # noqa: PLC0415 — an extra of the distribution

        return RedisRevocations(server(settings.state))
    return SqliteRevocations(settings.state.path)


def measure_book(settings: Settings) -> MeasureBook:
    """What was decided about practitioners, for all nodes."""
    if isinstance(settings.state, Redis):
        from paravent.stores.redis_measures import RedisMeasures  # noqa: PLC0415 — as above

        return RedisMeasures(server(settings.state))
    return SqliteMeasures(settings.state.path)


def usage_book(settings: Settings) -> UsageBook:
    """What has been used, by everybody."""
    if isinstance(settings.state, Redis):
        from paravent.stores.redis_usage import RedisUsage  # noqa: PLC0415 — as above

        return RedisUsage(server(settings.state))
    return SqliteUsage(settings.state.path)


def revocations_of(settings: Settings, rpps: str) -> tuple[Revocation, ...] | StoreDown:
    """Of one practitioner: by any issuer's tokens or one issuer's, in the state store and in the file. Raises
    InvalidFiles."""
    held = revocation_book(settings).read()
    if isinstance(held, StoreDown):
        return held
    file = revocation_file(settings)
    listed = () if file is None else file.read()
    problems = [each for each in listed if isinstance(each, Problem)]
    if problems:
        raise InvalidFiles(problems)
    mark = mark_of(Kind.PRACTITIONER, rpps)
    entries = (*held, *(each for each in listed if isinstance(each, Revocation)))
    return tuple(each for each in entries if each.mark == mark or each.mark.startswith(f"{mark}@"))


def revocation_file(settings: Settings) -> RevocationFile | None:
    """None: the settings name none."""
    path = settings.revocation.file
    return None if path is None else RevocationFile(path, names_of_issuers(settings))


def names_of_issuers(settings: Settings) -> Mapping[str, str]:
    """Name in the configuration → iss."""
    return {name: each.issuer for name, each in settings.issuers.items()}


def server(state: Redis) -> "Server":
    """How to reach it."""
    from paravent.stores.redis_link import Server  # noqa: PLC0415 — as above

    return Server(
        state.address.host,
        state.address.port,
        state.database,
        state.user,
        state.password,
        state.ca,
        state.certificate,
        state.cluster,
    )
