"""Editors complete the policy from schemas that are generated, current, and found by every file.

To write them anew after a change of `paravent.policy.schema`: .venv/bin/python tests/docs/test_policy_schema.py
"""

import json
import posixpath
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from paravent.policy.editor import editor_schemas
from paravent.policy.source import Document, load

FOLDER = Path(__file__).parents[2] / "policies"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml"))
RULES = [name for name in FILES if not name.startswith("tests/")]
MARK = "# yaml-language-server: $schema="


def text_of(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schema_of(name: str) -> str:
    """The schema file that the first line of a policy file names, relative to the policy folder."""
    first = (FOLDER / name).read_text("utf-8").partition("\n")[0]
    assert first.startswith(MARK), f"{name} does not begin with {MARK}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), first.removeprefix(MARK)))


def test_the_schemas_are_current() -> None:
    """policies/schema holds exactly what the models generate."""
    stored = {path.name: path.read_text("utf-8") for path in (FOLDER / "schema").iterdir()}
    assert stored == {name: text_of(schema) for name, schema in editor_schemas().items()}


@pytest.mark.parametrize("name", RULES)
def test_each_file_names_the_schema_of_its_kind(name: str) -> None:
    """quotas.yaml is completed as quotas, operations/droits.yaml as operations."""
    kind = name.partition("/")[0].removesuffix(".yaml")
    assert schema_of(name) == f"schema/{kind}.json"


@pytest.mark.parametrize("name", RULES)
def test_each_file_satisfies_its_schema(name: str) -> None:
    """An editor shows no mistake in the reference policy."""
    schema = json.loads((FOLDER / schema_of(name)).read_text("utf-8"))
    document = load(name, (FOLDER / name).read_bytes())
    assert isinstance(document, Document)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    jsonschema.validate(document.value, schema)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        pytest.param(
            "quotas", {"quotas": {"pharmacien": {"persons": [{"limit": 0, "per": "1d"}]}}}, id="a limit of zero"
        ),
        pytest.param("quotas", {"quotas": {"pharmacien": {"persns": []}}}, id="a mistyped key"),
        pytest.param(
            "assurance", {"levels": {}, "bindings": ["bearer"], "thumbprint_encoding": "rfc8705"}, id="a binding"
        ),
        pytest.param("views", {"droits.consultation": {"soins": {"/nom": "kep"}}}, id="a mistyped operator"),
        pytest.param("operations", {"a.b": {"match": {"method": "GET", "path": "/a"}}}, id="half an operation"),
    ],
)
def test_the_schemas_see_mistakes(kind: str, wrong: Any) -> None:
    """A schema that accepts anything would help nobody."""
    schema = json.loads((FOLDER / "schema" / f"{kind}.json").read_text("utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def rewrite() -> None:
    """Write policies/schema anew."""
    for name, schema in editor_schemas().items():
        (FOLDER / "schema" / name).write_text(text_of(schema), "utf-8")


if __name__ == "__main__":
    rewrite()
