"""Configuration: one TOML file and the environment → typed `Settings`, or every problem at once.

Deployment facts only; what security decides is in the policy. `model` holds the types, `keys` the list of all keys,
`toml` the reading with places, `values` and `files` the judgement of single values, `load` puts them together,
`folder` reads the policy folder from disk.
"""

from paravent.settings.folder import read_policy_folder
from paravent.settings.load import load_settings
from paravent.settings.model import (
    Address,
    Audit,
    Issuer,
    Listen,
    Metrics,
    PolicyFolder,
    Redis,
    Settings,
    Sqlite,
    State,
    Upstream,
)

__all__ = [
    "Address",
    "Audit",
    "Issuer",
    "Listen",
    "Metrics",
    "PolicyFolder",
    "Redis",
    "Settings",
    "Sqlite",
    "State",
    "Upstream",
    "load_settings",
    "read_policy_folder",
]
