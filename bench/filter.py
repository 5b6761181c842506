"""`./dev shell python -m bench.filter`: what reducing an answer costs, by format and size.

In microseconds of CPU, and as a multiple of reading and writing the same document whole with the parsers that the
format uses, in the same run. Of JSON also what is paid, as such a multiple, without looking at one field. Answers are
the sandbox's: one person's, a family's, several families' worth of contracts
(the contracts repeated, so that the document stays about one person). The result is kept in bench/results/filter.json.
"""

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jiter
import orjson
from lxml import etree, html

from paravent.masking import Reduced, View
from paravent.masking.scanner import leaks
from paravent.model import Asked
from paravent.sandbox import documents_csv, documents_fhir, documents_html, documents_json, documents_soap
from paravent.sandbox.documents_json import Desk, Document
from paravent.sandbox.population import Person, Population
from paravent.settings import read_policy_folder
from paravent.wiring import compile_views

ROOT: Final = Path(__file__).resolve().parent.parent
SIZES_KB: Final = (3, 9, 100)
ROUNDS: Final = 40
PERSON: Final = 12_294_990
MOMENT: Final = "2026-11-22T09:30:00+01:00"


def cpu_us(*runs: Callable[[], object]) -> list[float]:
    """The least of several rounds of 10 ms, of each in turn: what else the machine does falls on all of them."""
    least = [float("inf")] * len(runs)
    for _ in range(ROUNDS):
        for place, run in enumerate(runs):
            started = time.process_time()
            count = 0
            while count < 3 or time.process_time() - started < 0.01:
                for _ in range(3):
                    run()
                count += 3
            least[place] = min(least[place], (time.process_time() - started) / count * 1e6)
    return least


def nearest(written: Callable[[int], bytes], size_bytes: int) -> bytes:
    """The document with as many repeats as bring it nearest to a size."""
    repeats = 1
    while abs(len(written(repeats + 1)) - size_bytes) < abs(len(written(repeats)) - size_bytes):
        repeats += 1
    return written(repeats)


def sized(document: Document, write: Callable[[Document], bytes], size_bytes: int) -> bytes:
    """About so many bytes: without the family where it is small, with the contracts repeated where it is large."""
    contracts, family = document["contratsAMC"], document["famille"]
    assert isinstance(contracts, list)
    assert isinstance(family, list)
    alone = [{**each, "beneficiaires": []} for each in contracts]
    smaller = document | {"famille": [], "contratsAMC": alone}
    chosen = smaller if len(write(document)) > size_bytes * 1.5 else document
    listed = alone if chosen is smaller else contracts
    return nearest(lambda repeats: write(chosen | {"contratsAMC": listed * repeats}), size_bytes)


def bundle(desk: Desk, person: Person, size_bytes: int) -> bytes:
    """As `sized`: the person's own resources alone where it is small, the Coverages repeated where it is large."""
    document: Any = documents_fhir.eligibility(desk, person, MOMENT)
    resources = [entry["resource"] for entry in document["entry"]]
    chosen = resources
    if len(orjson.dumps(document)) > size_bytes * 1.5:
        chosen = _alone([each for each in resources if f"REF-{person.index:08d}" in _whose(each)])
    coverages = [each for each in chosen if each["resourceType"] == "Coverage"]

    def written(repeats: int) -> bytes:
        more = [each | {"id": f"{each['id']}-{copy}"} for copy in range(1, repeats) for each in coverages]
        return orjson.dumps(document | {"entry": [{"resource": each} for each in (*chosen, *more)]})

    return nearest(written, size_bytes)


def _whose(resource: Any) -> str:
    """Which Patient a resource is about."""
    holder = resource.get("patient") or resource.get("beneficiary")
    return holder["reference"] if holder else resource["id"]


def _alone(resources: list[Any]) -> list[Any]:
    """Without the insurances whose Coverages are left out."""
    known = {f"{each['resourceType']}/{each['id']}" for each in resources}
    return [
        each | {"insurance": [one for one in each["insurance"] if one["coverage"]["reference"] in known]}
        if "insurance" in each
        else each
        for each in resources
    ]


def whole_json(body: bytes) -> bytes:
    tree = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    return orjson.dumps(tree)


def whole_xml(body: bytes) -> bytes:
    return bytes(etree.tostring(etree.fromstring(body), encoding="UTF-8"))


def whole_html(body: bytes) -> bytes:
    return bytes(html.tostring(html.document_fromstring(body), encoding="utf-8"))


def whole_csv(body: bytes) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    return out.getvalue().encode()


def without_walk(view: View, body: bytes, reduced: bytes, asked: Asked) -> Callable[[], object]:
    """What is paid before and after any field is looked at: reading with certainty, writing, and the last look."""
    tree: Any = orjson.loads(reduced)
    # As in an answer: the number that was asked with may stand in it, and costs no closer look.
    vouched = view.dress.said(asked.nir or "")

    def run() -> bool:
        view.dress.read(body, len(body))
        return leaks(view.dress.write(tree), vouched)

    return run


def _nothing() -> None:
    """Where nothing is measured."""


type Case = tuple[View, bytes, Callable[[bytes], bytes]]
"""A view, an answer, and what reads and writes it whole."""


def cases(size_kb: int) -> tuple[dict[str, Case], Asked]:
    """An answer of each format of about this size, and who asks."""
    size = size_kb * 1000
    desk = Desk.of(Population())
    person = desk.people.person(PERSON)
    _, views = compile_views(read_policy_folder(ROOT / "policies"))
    document = documents_json.consultation(desk, person, "", MOMENT)
    persons = [person, *(desk.people.person(PERSON + 4 * n) for n in range(1, min(size // 140, 900)))]

    def view(operation: str) -> View:
        return views[operation, "21", "dispensation"]

    return {
        "json": (view("droits.consultation"), sized(document, orjson.dumps, size), whole_json),
        "fhir": (view("fhir.eligibilite"), bundle(desk, person, size), whole_json),
        "xml": (view("soap.adri"), sized(document, documents_soap.consultation, size), whole_xml),
        "html": (view("portail.droits"), sized(document, documents_html.consultation, size), whole_html),
        "csv": (_table_view(), documents_csv.export(desk, persons, ""), whole_csv),
    }, Asked(person.nir, person.birth_date, person.birth_rank, {})


def main() -> None:
    """Measure, print a table, keep the figures."""
    figures = []
    for size_kb in SIZES_KB:
        measured, asked = cases(size_kb)
        for name, (view, body, whole) in measured.items():
            reduced = view.apply(body, asked)
            assert isinstance(reduced, Reduced), (name, size_kb, reduced)
            around = without_walk(view, body, reduced.body, asked) if name == "json" else _nothing
            filtered, plain, rest = cpu_us(
                lambda v=view, b=body, a=asked: v.apply(b, a), lambda w=whole, b=body: w(b), around
            )
            figures.append(
                {
                    "format": name,
                    "kb": round(len(body) / 1000, 1),
                    "filter_us": round(filtered, 1),
                    "parse_and_serialise_us": round(plain, 1),
                    "multiple": round(filtered / plain, 2),
                    "without_walk": round(rest / plain, 2) if name == "json" else None,
                }
            )
            print("  ".join(f"{value if value is not None else '':>22}" for value in figures[-1].values()))
    if "--keep" in sys.argv:
        (ROOT / "bench/results/filter.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def _table_view() -> View:
    from paravent.masking import compile_view
    from paravent.rules import FieldRule, Format, PersonFields, ResponseShape, Step, ViewSpec

    lines = Step("lignes", array=True)
    fields = tuple(FieldRule((lines, Step(name)), "keep") for name in ("nomUsuel", "prenom", "numeroAMC"))
    identity = PersonFields("noNIRCertifie", "dateNaissance", "rangGemellaire")
    shape = ResponseShape(((lines,),), identity, format=Format.CSV)
    return compile_view(ViewSpec("exports", "21", "dispensation", fields), shape)


if __name__ == "__main__":
    main()
