"""Views and shapes for tests of the masking engine, from the text of paths, without the policy loader."""

from typing import Final

from paravent.masking import View, compile_view
from paravent.masking.operators import Parameter
from paravent.model import Asked
from paravent.rules import FieldRule, Path, PersonFields, ResponseShape, Step, ViewSpec

FIELDS: Final = PersonFields("noNIRCertifie", "dateNaissance", "rangGemellaire", nir_also=("cleNIR", "insMatricule"))
NO_PERSONS: Final = ResponseShape()


def path(text: str) -> Path:
    """`/contratsAMC[]/garanties[domaine=PHAR]/libelle` as steps."""
    return tuple(_step(part) for part in text.removeprefix("/").split("/"))


def _step(part: str) -> Step:
    name, bracket, inside = part.partition("[")
    member, _, value = inside.removesuffix("]").partition("=")
    return Step(name, array=bool(bracket), where=(member, value) if member else None)


def shape(*persons: str, scope: str = "asked", max_persons: int = 1) -> ResponseShape:
    return ResponseShape(tuple(map(path, persons)), FIELDS if persons else None, scope, max_persons)


CONSULTATION: Final = shape("/beneficiaireDeSoins", "/famille[]", "/contratsAMC[]/beneficiaires[]")


def rule(text: str, operator: str, parameter: Parameter = None) -> FieldRule:
    return FieldRule(path(text), operator, parameter)


def spec(*rules: FieldRule) -> ViewSpec:
    return ViewSpec("droits.consultation", "21", "dispensation", rules)


def view(lines: dict[str, str | dict[str, Parameter]], of: ResponseShape = NO_PERSONS) -> View:
    """A compiled view from lines as a policy writes them: `{"/nom": "keep", "/numero": {"mask": 4}}`."""
    return compile_view(spec(*(_rule(text, wanted) for text, wanted in lines.items())), of)


def _rule(text: str, wanted: str | dict[str, Parameter]) -> FieldRule:
    if isinstance(wanted, str):
        return rule(text, wanted)
    ((operator, parameter),) = wanted.items()
    return rule(text, operator, parameter)


NOBODY: Final = Asked()
