"""operators.md, from the registry of `paravent.masking.operators`. The results are computed, not written."""

import json
from collections.abc import Mapping
from typing import Final

from generator.markdown import code, made_by, table
from paravent.masking.json import Scalar
from paravent.masking.operators import DROP, REGISTRY, Identifies, Operator, Parameter
from paravent.model import Asked, Disguise, Secret

_INTRODUCTION: Final = """\
What a line of a view may do with a field. Not listed is not sent, so there is no operator for dropping.

    /beneficiaireDeSoins/nomUsuel: keep
    /contratsAMC[]/numeroAdherent: {mask: 4}
    /resultats[]/nomUsuel: {echo: /nom}

"At a NIR" says whether the operator may stand where a person's NIR does: only what never shows part of it. `null`
leaves as `null` through all of them. A number, text or flag that an operator cannot handle is dropped, and its name
with it. A line on which its operator would change nothing, or let nothing leave, is a policy error: a birth rank has no
year, a code does not map to itself, and what a condition compares with is known of every element that it selects.

Handles, pseudonyms and periods depend on who asks and when: `handle` needs an operation whose NIR says `handle: true`,
and `filter-period` compares with the request's field of type `date`, or with the day of the request in France.

"""

type Example = tuple[Parameter, Scalar, Asked, Identifies | None]

_SENT: Final = Asked(
    nir="1990799990999",
    birth_date="19990701",
    birth_rank=1,
    fields={"/nom": "DUBOIS-TEST", "{numeroAMC}": "99990001"},
    disguise=Disguise(Secret(bytes(32)), "99910000021", 1_795_000_000),
)

EXAMPLES: Final[Mapping[str, tuple[Example, ...]]] = {
    "keep": ((None, "01", _SENT, None),),
    "echo": (
        (None, "1990799990999", _SENT, Identifies.NIR),
        (None, "2840328990023", _SENT, Identifies.NIR),
        ("/nom", "DUBOIS-TEST", _SENT, None),
        ("/nom", "MARTIN-TEST", _SENT, None),
    ),
    "redact": ((None, "2840328990023", _SENT, Identifies.NIR),),
    "mask": ((4, "0012345678", _SENT, None), (4, "12345678", _SENT, None)),
    "year": ((None, "19990701", _SENT, None), (None, "inconnue", _SENT, None)),
    "initial": ((None, "Émilie", _SENT, None), (None, "42", _SENT, None)),
    "free-text": (
        (None, "né à l'étranger, tél. 01 99 00 12 34", _SENT, None),
        (None, "mutation demandée (NIR 2 84 03 28 990 023 51)", _SENT, None),
        (None, "mutation demandée (NIR &#50;840328990023)", _SENT, None),
    ),
    "pseudonym": ((None, "CTR-2026-0012345678-01", _SENT, None), (None, True, _SENT, None)),
    "handle": ((None, "2840328990023", _SENT, Identifies.NIR),),
    "code-map": (
        ((("0100", "1"), ("0000", "0")), "0100", _SENT, None),
        ((("0100", "1"), ("0000", "0")), "0400", _SENT, None),
    ),
    "filter-period": (("dateFin", "2026-01-01", _SENT, None), ("dateFin", "inconnue", _SENT, None)),
    "exists": ((None, "AUBERT-ESSAI", _SENT, None), (None, "", _SENT, None)),
}
"""By operator: parameter, value of the API, what the caller sent, and what stands at the leaf."""


def page() -> str:
    """The whole page."""
    rows = [(f"[{name}](#{name})", "yes" if each.for_nir else "", each.summary) for name, each in REGISTRY.items()]
    return (
        "# Operators\n\n"
        + made_by("the operators of `proxy/paravent/masking/operators`")
        + _INTRODUCTION
        + table(("operator", "at a NIR", "what leaves"), rows)
        + "\nIn the examples the caller sent NIR 1990799990999, birth date 19990701 and the name DUBOIS-TEST.\n\n"
        + "".join(map(_section, REGISTRY.values())).rstrip()
        + "\n"
    )


def _section(operator: Operator) -> str:
    rows = [_row(operator, example) for example in EXAMPLES[operator.name]]
    return f"## {operator.name}\n\n{operator.summary}\n\n{table(('written', 'the API says', 'leaves'), rows)}\n"


def _row(operator: Operator, example: Example) -> tuple[str, str, str]:
    parameter, value, asked, identifies = example
    problem = operator.problem(parameter, identifies)
    if problem is not None:
        raise ValueError(f"the example of {operator.name} is wrong: {problem}")
    left = operator.bind(parameter, identifies)(value, asked)
    written = operator.name if parameter is None else f"{{{operator.name}: {_parameter(parameter)}}}"
    return code(written), _json(value), "nothing, not even the name" if left is DROP else _json(left)


def _parameter(parameter: Parameter) -> str:
    if isinstance(parameter, tuple):
        return "{" + ", ".join(f'"{code}": "{mapped}"' for code, mapped in parameter) + "}"
    return str(parameter)


def _json(value: object) -> str:
    return code(json.dumps(value, ensure_ascii=False))
