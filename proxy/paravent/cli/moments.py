"""How commands show moments."""

from datetime import UTC, datetime


def shown(seconds: int) -> str:
    """2026-12-01T08:00:00Z"""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
