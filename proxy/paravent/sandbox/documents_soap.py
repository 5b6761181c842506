"""The consultation as SOAP 1.1: same content as the JSON answer, in the attribute-heavy dress such services wear.

A fault repeats the question in its detail. DOCTYPEs, entities and the network are not followed: this server reads what
a proxy under test sends, which may be an attack that went through.
"""

import re
from copy import deepcopy
from typing import Final

from lxml import etree

from paravent.sandbox.documents_json import Document

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
RIGHTS: Final = "urn:exemple:droits:1"

_NAMESPACES: Final = {"soap": SOAP, "d": RIGHTS}
_TEXTS: Final = ("nomUsuel", "nomPatronymique", "prenom", "sexe", "dateNaissance", "rangGemellaire", "lieuNaissance")
_CONTRACT_ATTRIBUTES: Final = (
    "numeroAMC", "libelleAMC", "typeConvention", "csr", "numeroAdherent", "numeroContrat", "referenceInterne",
    "contratResponsable",
)  # fmt: skip

_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

type _Element = etree._Element


def parse(body: bytes) -> _Element | None:
    """The `d:ConsulterDroits` element of an envelope, or None."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return None
    return root.find(f"{{{SOAP}}}Body/{{{RIGHTS}}}ConsulterDroits") if root.tag == f"{{{SOAP}}}Envelope" else None


def members(question: _Element) -> dict[str, object]:
    """The texts of the question's children by local name."""
    return {etree.QName(child).localname: child.text or "" for child in question if isinstance(child.tag, str)}


def _envelope() -> tuple[_Element, _Element]:
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=_NAMESPACES)
    return envelope, etree.SubElement(envelope, f"{{{SOAP}}}Body")


def _bytes(envelope: _Element) -> bytes:
    return bytes(etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"))


def _add(parent: _Element, name: str, text: object = None, **attributes: object) -> _Element:
    """A child in the namespace of rights. Attributes that are None are left out."""
    child = etree.SubElement(parent, f"{{{RIGHTS}}}{name}")
    for key, value in attributes.items():
        if value is not None:
            child.set(key, _text(value))
    if text is not None:
        child.text = _text(text)
    return child


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _items(document: Document, name: str) -> list[Document]:
    found = document[name]
    assert isinstance(found, list)
    return found


def _object(document: Document, name: str) -> Document | None:
    found = document[name]
    assert found is None or isinstance(found, dict)
    return found


def _beneficiary(parent: _Element, name: str, person: Document) -> None:
    element = _add(parent, name, qualite=person["qualite"], referenceInterne=person["referenceInterne"])
    for member in _TEXTS:
        _add(element, member, person[member])
    _add(element, "noNIRCertifie", person["noNIRCertifie"], cle=person["cleNIR"])
    if "insMatricule" in person:
        _add(element, "insMatricule", person["insMatricule"])
    if (home := _object(person, "adresse")) is not None:
        lines = home["lignes"]
        assert isinstance(lines, list)
        place = _add(element, "adresse", codePostal=home["codePostal"], commune=home["commune"])
        for line in lines:
            _add(place, "ligne", line)
    _add(element, "topMedecinTraitant", person["topMedecinTraitant"])
    if (doctor := _object(person, "medecinTraitant")) is not None:
        _add(element, "medecinTraitant", **doctor)
    _add(element, "codeServiceAMO", person["codeServiceAMO"])
    periods = _add(element, "lstPeriodeAMO")
    for one in _items(person, "lstPeriodeAMO"):
        _add(periods, "periode", **one)
    codes = _add(element, "lstPeriodeCodeCouverture")
    for one in _items(person, "lstPeriodeCodeCouverture"):
        _add(codes, "codeCouverture", **one)
    for scheme in ("c2s", "ame"):
        if (right := _object(person, scheme)) is not None:
            _add(
                element,
                scheme,
                actif=right["actif"],
                organisme=right.get("organisme"),
                **_object(right, "periode") or {},
            )
    if person["commentaire"] is not None:
        _add(element, "commentaire", person["commentaire"])


def _contract(parent: _Element, contract: Document) -> None:
    element = _add(parent, "contratAMC", **{name: contract[name] for name in _CONTRACT_ATTRIBUTES})
    _add(element, "periode", **_object(contract, "periode") or {})
    guarantees = _add(element, "garanties")
    for one in _items(contract, "garanties"):
        _add(guarantees, "garantie", **one)
    for person in _items(contract, "beneficiaires"):
        _beneficiary(element, "beneficiaire", person)


def consultation(document: Document) -> bytes:
    """The envelope around a `ConsultationResponse`."""
    envelope, body = _envelope()
    answer = _add(body, "DroitsReponse", dateReponse=document["dateReponse"])
    _add(answer, "infosGlobales", **_object(document, "infosGlobales") or {})
    person = _object(document, "beneficiaireDeSoins")
    assert person is not None
    _beneficiary(answer, "beneficiaireDeSoins", person)
    family = _add(answer, "famille")
    for member in _items(document, "famille"):
        _beneficiary(family, "beneficiaire", member)
    for contract in _items(document, "contratsAMC"):
        _contract(answer, contract)
    return _bytes(envelope)


def fault(code: str, message: str, question: _Element | None) -> bytes:
    """A soap:Fault (SOAP 1.1 section 4.4) whose detail is the question, word for word."""
    envelope, body = _envelope()
    element = etree.SubElement(body, f"{{{SOAP}}}Fault")
    etree.SubElement(element, "faultcode").text = "soap:Client"
    etree.SubElement(element, "faultstring").text = printable(message)
    detail = etree.SubElement(element, "detail")
    _add(detail, "code", code)
    if question is not None:
        detail.append(deepcopy(question))
    return _bytes(envelope)


def printable(message: str) -> str:
    """Without the characters that XML 1.0 cannot hold (section 2.2), which a body quoted in an error may contain."""
    return _UNPRINTABLE.sub("", message)
