"""JSON Schemas of the policy files, for completion and checks while typing.

An editor that speaks to yaml-language-server reads them through the first line of each file:

    # yaml-language-server: $schema=schema/quotas.json

They are a help, not the judge: `compile_policy` is stricter.
"""

from typing import Any, Final

from paravent.policy.schema import KINDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TITLES: Final = {
    "vocabulary": "Professions and purposes",
    "assurance": "Evidence of multi-factor authentication",
    "quotas": "Budgets",
    "operations": "Questions that may be asked",
    "views": "What may leave, for one profession",
}


def editor_schemas() -> dict[str, dict[str, Any]]:
    """File name under `policies/schema/` → schema. Equal for every supported version of pydantic."""
    return {f"{kind}.json": _schema(kind) for kind in KINDS}


def _schema(kind: str) -> dict[str, Any]:
    generated = _plain(KINDS[kind].json_schema())
    return {"$schema": DIALECT, "title": f"Paravent policy: {_TITLES[kind]}", **generated}


def _plain(schema: Any) -> Any:
    """Without generated titles and empty defaults, which say nothing and differ between versions of the generator."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    keep = {key: value for key, value in schema.items() if key != "default" or isinstance(value, bool | int | str)}
    # `title` is a generated annotation where its value is a text; under "properties" it would be a member's schema.
    return {key: _plain(value) for key, value in sorted(keep.items()) if key != "title" or not isinstance(value, str)}
