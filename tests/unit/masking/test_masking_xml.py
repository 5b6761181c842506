"""XML answers: what a path names leaves in a new document, and what two readers could read differently does not."""

from typing import Final

import pytest
from lxml import etree

from masking_views import FIELDS, NOBODY, path, rule
from paravent.masking import Reduced, View, check_view, compile_view
from paravent.masking.formats.xml import MAX_VALUES
from paravent.masking.operators import Parameter
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import Envelope, Format, ResponseShape, ViewSpec, XmlShape

NS: Final = "urn:exemple:1"
TYPE: Final = XmlShape(NS)


def shape(*persons: str, details: XmlShape = TYPE) -> ResponseShape:
    fields = FIELDS if persons else None
    return ResponseShape(tuple(map(path, persons)), fields, format=Format.XML, details=details)


def view(lines: dict[str, str | tuple[str, Parameter]], of: ResponseShape | None = None) -> View:
    rules = [rule(text, *([wanted] if isinstance(wanted, str) else wanted)) for text, wanted in lines.items()]
    return compile_view(ViewSpec("o", "21", "p", tuple(rules)), of or shape())


LINES: Final[dict[str, str | tuple[str, Parameter]]] = {
    "/r/@date": "keep",
    "/r/nom": "keep",
    "/r/periode@debut": "keep",
    "/r/contrat[]/@numero": "keep",
    "/r/contrat[]/libelle": "keep",
    "/r/ligne[]": "keep",
}
PLAIN: Final = view(LINES)


def left(body: str, compiled: View = PLAIN, asked: Asked = NOBODY) -> str | Reason:
    reduced = compiled.apply(body.encode(), asked)
    return reduced.body.decode().partition("?>\n")[2] if isinstance(reduced, Reduced) else reduced


XSI: Final = 'xmlns:x="http://www.w3.org/2001/XMLSchema-instance" xmlns:n="urn:noms:1"'


def document(inside: str = "", attributes: str = "") -> str:
    return f'<r xmlns="{NS}" {attributes}>{inside}</r>'


def dressed(inside: str = "", attributes: str = "") -> str:
    """What leaves, in the prefix that we give it."""
    return f'<d:r xmlns:d="{NS}"{attributes}>{inside}</d:r>' if inside else f'<d:r xmlns:d="{NS}"{attributes}/>'


def test_elements_without_a_namespace_leave_where_the_policy_says_so() -> None:
    """As JAX-WS answers unless its schema says elementFormDefault="qualified"; and there, those with one stay."""
    compiled = view(LINES, shape(details=XmlShape(NS, unqualified=True)))
    inside = '<nom>A</nom><periode debut="2026"/><contrat numero="1"><libelle>B</libelle></contrat><ligne>C</ligne>'
    body = f'<d:r xmlns:d="{NS}" date="2026">{{}}</d:r>'
    assert left(body.format(f"{inside}<autre/>"), compiled) == body.format(inside)
    assert left(body.format("<d:nom>A</d:nom>"), compiled) == dressed("", ' date="2026"')
    assert left(body.format(inside)) == dressed("", ' date="2026"')
    whole = compiled.dress.whole
    assert whole is not None
    assert whole(body.format("<autre/><d:secret/>").encode()) == {"r": {"@date": None, "autre": [{}]}}


@pytest.mark.parametrize(
    ("body", "leaves"),
    [
        pytest.param(document("<nom>A</nom>"), dressed("<d:nom>A</d:nom>"), id="a text"),
        pytest.param(document("", 'date="2026" secret="x"'), dressed("", ' date="2026"'), id="one attribute of two"),
        pytest.param(
            document('<nom x:type="n:Nom" x:nil="false">A</nom>', XSI),
            dressed("<d:nom>A</d:nom>"),
            id="a type of xsi stays",
        ),
        pytest.param(document("<nom>A<!-- x -->B</nom>"), dressed("<d:nom>AB</d:nom>"), id="a comment is no content"),
        pytest.param(document("<nom><![CDATA[<A>]]></nom>"), dressed("<d:nom>&lt;A&gt;</d:nom>"), id="CDATA is text"),
        pytest.param(document("<nom>A</nom>queue"), dressed("<d:nom>A</d:nom>"), id="text between elements"),
        pytest.param(document("<nom>A<b>B</b>C</nom>"), dressed(), id="text around an element is no value"),
        pytest.param(document("<nom>\n\t A  B \r\n</nom>"), dressed("<d:nom>A  B</d:nom>"), id="blanks around a value"),
        pytest.param(
            document("<nom>\u00a0A</nom>"), dressed("<d:nom>\u00a0A</d:nom>"), id="other blanks than XML's stay"
        ),
        pytest.param(document("", 'date=" 2026 "'), dressed("", ' date="2026"'), id="blanks in an attribute"),
        pytest.param(document("<autre>A</autre>"), dressed(), id="an element nobody named"),
        pytest.param(document('<nom xmlns="urn:autre">A</nom>'), dressed(), id="the name in another namespace"),
        pytest.param(f'<x:r xmlns:x="{NS}"><x:nom>A</x:nom></x:r>', dressed("<d:nom>A</d:nom>"), id="any prefix"),
        pytest.param(
            document('<periode debut="2026" fin="2027">x</periode>'),
            dressed('<d:periode debut="2026"/>'),
            id="an attribute of a child, not its text",
        ),
        pytest.param(
            document('<contrat numero="1"/><nom>A</nom><contrat numero="2"><libelle>B</libelle></contrat>'),
            dressed(
                '<d:nom>A</d:nom><d:contrat numero="1"/><d:contrat numero="2"><d:libelle>B</d:libelle></d:contrat>'
            ),
            id="a list, in the order of the view",
        ),
        pytest.param(
            document("<ligne>1</ligne><ligne/>"),
            dressed("<d:ligne>1</d:ligne><d:ligne></d:ligne>"),
            id="a list",
        ),
        pytest.param(
            document("<nom>A</nom>", 'xmlns:x="urn:x" x:date="2026"'),
            dressed("<d:nom>A</d:nom>"),
            id="a prefix",
        ),
    ],
)
def test_only_what_is_named_leaves(body: str, leaves: str) -> None:
    """Attributes, tails, comments, CDATA and namespaces, one by one."""
    assert left(body) == leaves


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(document("<nom>A</nom><nom>B</nom>"), Reason.ANSWER_SHAPE, id="two where one belongs"),
        pytest.param(
            document('<periode debut="1"/><periode debut="2"/>'),
            Reason.ANSWER_SHAPE,
            id="two attributes",
        ),
        pytest.param(document('<periode debut="1"/><periode/>'), Reason.ANSWER_SHAPE, id="an attribute of one of two"),
        pytest.param(document('<periode/><periode debut="1"/>'), Reason.ANSWER_SHAPE, id="whichever it is"),
        pytest.param(document("<nom>A<b/></nom><nom>B</nom>"), Reason.ANSWER_SHAPE, id="two, of which one is no text"),
        pytest.param('<q xmlns="urn:exemple:1"/>', Reason.ANSWER_SHAPE, id="another root"),
        pytest.param('<r xmlns="urn:autre"/>', Reason.ANSWER_SHAPE, id="the root in another namespace"),
        pytest.param("<!DOCTYPE r>" + document(), Reason.ANSWER_MALFORMED, id="a document type"),
        pytest.param(
            "<!doctype r [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>" + document("<nom>&a;</nom>"),
            Reason.ANSWER_MALFORMED,
            id="an external entity",
        ),
        pytest.param(document("<?cible donnee?>"), Reason.ANSWER_MALFORMED, id="an instruction"),
        pytest.param(document("<nom>&eacute;</nom>"), Reason.ANSWER_MALFORMED, id="an entity that XML does not have"),
        pytest.param('<?xml version="1.0" encoding="utf-7"?>' + document(), Reason.ANSWER_MALFORMED, id="UTF-7"),
        pytest.param(
            '<?xml version="1.0" encoding="iso-8859-1"?>' + document(),
            Reason.ANSWER_MALFORMED,
            id="Latin-1",
        ),
        pytest.param('<?xml version="1.1"?>' + document(), Reason.ANSWER_MALFORMED, id="XML 1.1"),
        pytest.param("\ufeff" + document(), Reason.ANSWER_MALFORMED, id="a byte order mark"),
        pytest.param(document() + document(), Reason.ANSWER_MALFORMED, id="two documents"),
        pytest.param(
            document('<z:nom/><nom xml:space="">A</nom>'),
            Reason.ANSWER_MALFORMED,
            id="a prefix that is not bound, and something milder behind it",
        ),
        pytest.param(
            document('<nom xmlns:z="a b" xml:space="">A</nom>') + document("<nom>B</nom>"),
            Reason.ANSWER_MALFORMED,
            id="a second root behind a namespace that is no URI",
        ),
        pytest.param(document("<nom>A"), Reason.ANSWER_MALFORMED, id="half a document"),
        pytest.param("<a>" * 300 + "</a>" * 300, Reason.ANSWER_MALFORMED, id="nesting over 256"),
        pytest.param("", Reason.ANSWER_MALFORMED, id="nothing"),
        pytest.param(document("<a/>" * 6_001), Reason.ANSWER_TOO_LARGE, id="more elements than an answer has"),
        pytest.param(
            document('<contrat numero="1"><libelle>a</libelle></contrat>' * 900),
            Reason.ANSWER_TOO_LARGE,
            id="more values than an answer has",
        ),
        pytest.param(document(" " * 256 * 1024), Reason.ANSWER_TOO_LARGE, id="over 256 KiB"),
        pytest.param(document("<nom>2 84 05 75 990 003</nom>"), Reason.ANSWER_IDENTIFIER_LEFT, id="a NIR in a name"),
        pytest.param(document("<nom>2&#56;40575990003</nom>"), Reason.ANSWER_IDENTIFIER_LEFT, id="a NIR, escaped"),
    ],
)
def test_what_can_be_read_in_two_ways_is_withheld(body: str, reason: Reason) -> None:
    """Nothing of it leaves, whatever else is in it."""
    assert left(body) is reason


def test_latin_1_bytes_that_say_utf_8_are_withheld() -> None:
    """libxml2 would go on as Latin-1."""
    body = document("<nom>é</nom>").encode("latin-1")
    assert PLAIN.apply(body, NOBODY) is Reason.ANSWER_MALFORMED


FAMILY: Final = view(
    {"/r/famille/personne[]/nom": "keep", "/r/famille/personne[]/noNIRCertifie": "echo"}, shape("/r/famille/personne[]")
)


def person(name: str, nir: str, date: str, rank: str) -> str:
    return (
        f"<personne><nom>{name}</nom><noNIRCertifie>{nir}</noNIRCertifie><dateNaissance>{date}</dateNaissance>"
        f"<rangGemellaire>{rank}</rangGemellaire></personne>"
    )


def test_only_the_person_asked_about_leaves() -> None:
    """Of twins the one of the rank that was asked with; the NIR that was not sent stays behind."""
    twins = person("ZOE", "2790369991012", "20190713", "1") + person("LOU", "2790369991012", "20190713", "2")
    both = document(f"<famille>{twins}{person('MERE', '2790369991012', '19790301', '1')}</famille>")
    body = left(both, FAMILY, Asked("2790369991012", "20190713", 2))
    assert body == dressed(
        "<d:famille><d:personne><d:nom>LOU</d:nom><d:noNIRCertifie>2790369991012</d:noNIRCertifie></d:personne></d:famille>"
    )


@pytest.mark.parametrize(
    ("nir", "date", "rank", "leaves"),
    [
        pytest.param("\n  2790369991012\n", "\n\t2019-07-13\r\n", " 2 ", True, id="blanks around each"),
        pytest.param("2790369991012", "2019-07-13+02:00", "2", True, id="a date with a zone"),
        pytest.param("2790369991012", "2019-07-13Z", "2", True, id="a date of Greenwich"),
        pytest.param("\n  2790369991012\n", "2019-07-13", "\n1\n", False, id="blanks around a twin's rank"),
        pytest.param("\n  2790369991099\n", "\n2018-07-13\n", "2", False, id="blanks around another's date"),
        pytest.param("2790369991012", "2019 -07-13", "2", False, id="blanks inside a date"),
        pytest.param(
            "2790369991012", "2019-07-13T00:00:00Z", "2", False, id="a moment, which is another day elsewhere"
        ),
        pytest.param("2790369991012", "2019-07-13", "\u00a02", False, id="a blank that is none of XML's"),
    ],
)
def test_blanks_around_what_identifies_somebody_say_nothing(nir: str, date: str, rank: str, leaves: bool) -> None:
    """XML Schema 1.0 part 2, section 4.3.6: of all types but texts the blanks around a value are no part of it."""
    body = left(document(f"<famille>{person('LOU', nir, date, rank)}</famille>"), FAMILY, LOU)
    one = "<d:personne><d:nom>LOU</d:nom><d:noNIRCertifie>2790369991012</d:noNIRCertifie></d:personne>"
    assert body == (dressed(f"<d:famille>{one}</d:famille>") if leaves else Reason.ANSWER_OTHER_PERSON)


ITEMS: Final = {
    "an element in a list": ("/r/ligne[]", "<ligne/>", 1),
    "an element with an attribute, in a list": ("/r/contrat[]/@numero", '<contrat numero=""/>', 2),
    "a list in an element in a list": ("/r/a[]/b[]", "<a><b/></a>", 3),
}


@pytest.mark.parametrize("form", ITEMS)
def test_more_values_than_an_answer_has_are_withheld(form: str) -> None:
    """At the bound it leaves, beyond it it does not: values are those that lines name, objects and lists among them."""
    line, item, values = ITEMS[form]
    compiled = view({line: "keep"})
    most = (MAX_VALUES - 2) // values  # The root and the list itself are two.
    assert compiled.dress.read(document(item * most).encode(), 10**6) != Reason.ANSWER_TOO_LARGE
    assert compiled.dress.read(document(item * (most + 1)).encode(), 10**6) is Reason.ANSWER_TOO_LARGE


@pytest.mark.parametrize("text", ["\0", "\x1b", "\ufffe", "\uffff", "\ud800"])
def test_what_no_document_can_hold_is_not_written(text: str) -> None:
    """XML 1.0 section 2.2: a document with such a character is none. In a text, and in an attribute."""
    for members in ({"nom": f"A{text}"}, {"@date": f"A{text}"}):
        with pytest.raises(ValueError, match=r"XML compatible|surrogates not allowed"):
            PLAIN.dress.write({"r": {**members}})


LOU: Final = Asked("2790369991012", "20190713", 2)


@pytest.mark.parametrize("envelope", [Envelope.SOAP11, Envelope.SOAP12])
def test_an_envelope_is_written_anew_without_its_header(envelope: Envelope) -> None:
    """SOAP 1.1 and 1.2, whose namespaces differ; an answer of the other version is not read."""
    uris = {
        Envelope.SOAP11: "http://schemas.xmlsoap.org/soap/envelope/",
        Envelope.SOAP12: "http://www.w3.org/2003/05/soap-envelope",
    }
    compiled = view({"/r/nom": "keep"}, shape(details=XmlShape(NS, envelope)))

    def enveloped(uri: str, inside: str) -> str:
        return f'<e:Envelope xmlns:e="{uri}"><e:Header><x/></e:Header><e:Body>{inside}</e:Body></e:Envelope>'

    reduced = left(enveloped(uris[envelope], document("<nom>A</nom>")), compiled)
    assert isinstance(reduced, str)
    root = etree.fromstring(reduced)
    assert [etree.QName(each).localname for each in root.iter()] == ["Envelope", "Body", "r", "nom"]
    assert etree.QName(root).namespace == uris[envelope]
    other = next(uri for version, uri in uris.items() if version is not envelope)
    assert left(enveloped(other, document()), compiled) is Reason.ANSWER_SHAPE
    assert left(enveloped(uris[envelope], document() * 2), compiled) is Reason.ANSWER_SHAPE
    assert left(document("<nom>A</nom>"), compiled) is Reason.ANSWER_SHAPE


@pytest.mark.parametrize(
    ("lines", "of", "told"),
    [
        pytest.param({"/a/x": "keep", "/b/x": "keep"}, shape(), "every path begins with the root element", id="roots"),
        pytest.param({"/a[]/x": "keep"}, shape(), "every path begins with the root element", id="a list of roots"),
        pytest.param({"/a": "keep"}, shape(), "every path begins with the root element", id="the root as a value"),
        pytest.param(
            {"/a/x[]/y": "keep", "/a/x@z": "keep"}, shape(), "of the elements of a list, write x[]/@z", id="x[] and x@z"
        ),
        pytest.param(
            {"/r/famille/personne@nom": "keep"},
            shape("/r/famille/personne[]"),
            "of the elements of a list, write personne[]/@nom",
            id="an attribute of one of several persons, beside them",
        ),
        pytest.param(
            {"/r/contrat[]/titulaire@nom": "keep"},
            shape("/r/contrat[]/titulaire"),
            "a person stands there, write titulaire/@nom",
            id="an attribute of a person, beside them",
        ),
        pytest.param(
            {"/r/contrat@numero": "keep"},
            shape("/r/contrat[]/personne[]"),
            "of the elements of a list, write contrat[]/@numero",
            id="an attribute of what lists persons, beside it",
        ),
        pytest.param(
            {"/r/droit[]/@debut": ("filter-period", "periode@fin"), "/r/droit[]/periode[]/@fin": "keep"},
            shape(),
            "of the elements of a list, write periode[]/@fin",
            id="a period that ends with one of several",
        ),
    ],
)
def test_a_view_that_no_document_fits_is_a_policy_error(
    lines: dict[str, str | tuple[str, Parameter]], of: ResponseShape, told: str
) -> None:
    """Told when the policy is loaded, not when an answer comes."""
    rules = [rule(text, *([wanted] if isinstance(wanted, str) else wanted)) for text, wanted in lines.items()]
    assert any(told in text for _, text in check_view(ViewSpec("o", "21", "p", tuple(rules)), of))
