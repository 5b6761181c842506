"""The OpenAPI file and its examples, as they come with the package."""

from importlib.resources import files

import yaml

from paravent.sandbox.documents_json import Document

_HERE = files("paravent.sandbox")


def document() -> Document:
    """The OpenAPI 3.1 document."""
    loaded = yaml.safe_load(_HERE.joinpath("openapi.yaml").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def example(name: str) -> bytes:
    """A file of `examples/`, where the document's `externalValue`s point."""
    return _HERE.joinpath("examples", name).read_bytes()
