"""Which fields of an answer no view of its operation names."""

from typing import Final

import orjson
import pytest

from masking_views import path
from paravent.masking.drift import MAX_PATHS, names_of, unnamed
from reference import FHIR_EXAMPLE, JSON_EXAMPLE, PAGE_EXAMPLE, SOAP_EXAMPLE, view_of

NAMES: Final = names_of([path(text) for text in ("/a", "/b/c", "/l[]/x", "/l[k=1]/y/z", "/e@at", "/v[]")])


@pytest.mark.parametrize(
    ("document", "found"),
    [
        pytest.param({"a": 1, "b": {"c": 2}, "l": [{"x": 1}], "v": ["t"]}, (), id="nothing new"),
        pytest.param({"a": 1, "n": 2}, ("/n",), id="a new field"),
        pytest.param({"b": {"n": {"o": 1}}}, ("/b/n",), id="the topmost of what is new"),
        pytest.param({"l": [{"x": 1}, {"n": 1}, {"n": 2}]}, ("/l[]/n",), id="in one element of a list, told once"),
        pytest.param({"l": [{"y": {"z": 1, "n": 1}}]}, ("/l[]/y/n",), id="under a condition"),
        pytest.param({"e": [{"@at": "1", "@n": "2"}]}, ("/e[]/@n",), id="an attribute"),
        pytest.param({"a": {"n": 1}}, (), id="an object where a value was: dropped, and not looked into"),
        pytest.param({"b": {"2840575990003": 1}}, ("/b/?",), id="a name that is a number"),
        pytest.param({"b": {"DUPONT Claire": 1}}, ("/b/?",), id="a name that is somebody's"),
        pytest.param({"b": {"x" * 60: 1}}, ("/b/?",), id="a name that is no name"),
    ],
)
def test_the_topmost_new_names_are_told(document: object, found: tuple[str, ...]) -> None:
    """Sorted, and without anything that could be a person's."""
    assert isinstance(document, dict)
    assert unnamed(document, NAMES) == found


def test_an_answer_of_nothing_but_new_fields_is_bounded() -> None:
    """However many an upstream invents."""
    assert (
        len(unnamed({f"n{letter}{other}": 1 for letter in "abcdefgh" for other in "ijklmnopqrst"}, NAMES)) <= MAX_PATHS
    )


@pytest.mark.parametrize(
    ("operation", "body", "new"),
    [
        ("fhir.eligibilite", FHIR_EXAMPLE, "/Patient[]/generalPractitioner"),
        ("droits.consultation", JSON_EXAMPLE, "/beneficiaireDeSoins/adresse"),
        ("soap.adri", SOAP_EXAMPLE, "/DroitsReponse/beneficiaireDeSoins[]/adresse"),
    ],
)
def test_the_reference_api_sends_what_no_view_names(operation: str, body: bytes, new: str) -> None:
    """In each of its formats; what a view of another profession names is not new."""
    found = view_of(operation, "28").unnamed(body)
    assert new in found
    named = ("/codeRegime", "/@codeRegime", "/subscriberId", "/resourceType")
    assert not any("@of" in text or "@nir" in text or text.endswith(named) for text in found)


def test_a_page_is_told_by_where_its_texts_stand() -> None:
    """A cell that no selector points at, by its place; embedded data too."""
    found = view_of("portail.droits", "21").unnamed(PAGE_EXAMPLE)
    assert {"/personnes[]/td:11", "/contrats[]/td:6", "/script:1", "/h:1", "/table:2"} <= set(found)
    named = ("/personnes[]/nomUsuel", "/personnes[]/td:1", "/personnes[]/td:7", "/contrats[]/td:5")
    assert not set(named) & set(found)


@pytest.mark.parametrize(
    ("more", "new"),
    [
        pytest.param(b"<td class='note grave'>x</td></tr></tbody></table>", "/personnes[]/td.note", id="a column"),
        pytest.param(b"<td><b>x</b></td></tr></tbody></table>", "/personnes[]/td:12", id="one inside an element"),
        pytest.param(
            b"<td id=benef-AB>x</td></tr></tbody></table>", "/personnes[]/td:12", id="not by an id: a person's"
        ),
        pytest.param(
            b"<td class='b-12 x'>x</td></tr></tbody></table>", "/personnes[]/td.x", id="nor a class with digits"
        ),
        pytest.param(b"<td class=b\xc2\xb2>x</td></tr></tbody></table>", "/personnes[]/td:12", id="of any kind"),
        pytest.param(b"<td><x-y>x</x-y></td></tr></tbody></table>", "/personnes[]/td:12", id="nor a name of its own"),
        pytest.param(b"</tr></tbody></table><dupont>x</dupont>", "/?", id="nor one that HTML does not have"),
        pytest.param(b"</tr></tbody></table><p id=avis>x</p>", "/p:1", id="a paragraph"),
        pytest.param(b"</tr></tbody></table><div class=c><p>x</p></div>", "/div.c", id="one in a block with a name"),
        pytest.param(b"</tr></tbody></table><p class=' c d'>x</p>", "/p.c", id="by the first of its classes"),
        pytest.param(b"</tr></tbody></table><p class='c\xe2\x80\xa6'>x</p>", "/?", id="but for one that is no name"),
        pytest.param(b"</tr></tbody></table><p id=avis> </p>", None, id="not one without a text"),
        pytest.param(b"</tr></tbody></table><!-- x -->", None, id="not a comment"),
    ],
)
def test_a_new_part_of_a_page_is_noticed(more: bytes, new: str | None) -> None:
    """And nothing but it."""
    compiled = view_of("portail.droits", "21")
    before, after = PAGE_EXAMPLE, PAGE_EXAMPLE.replace(b"</tr></tbody></table>", more, 1)
    assert before != after
    assert set(compiled.unnamed(after)) - set(compiled.unnamed(before)) == ({new} if new else set())


def test_what_cannot_be_read_tells_nothing() -> None:
    """An answer that is not the format's."""
    assert view_of("droits.consultation", "21").unnamed(b"[1]") == ()
    assert view_of("soap.adri", "21").unnamed(b"<a/>") == ()
    assert view_of("droits.consultation", "21").unnamed(orjson.dumps({"x": "y" * 300_000})) == ()
