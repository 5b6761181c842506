"""The portal's page: the data twice, as a table for the eye and as JSON for the script."""

from html import escape
from typing import Final

import orjson

from paravent.sandbox.documents_json import Document

_COLUMNS: Final = (
    ("Nom", "nomUsuel"), ("Nom de naissance", "nomPatronymique"), ("Prénom", "prenom"), ("Sexe", "sexe"),
    ("Né(e) le", "dateNaissance"), ("Rang", "rangGemellaire"), ("NIR", "noNIRCertifie"), ("Clé", "cleNIR"),
    ("Qualité", "qualite"), ("Médecin traitant", "topMedecinTraitant"), ("Observations", "commentaire"),
)  # fmt: skip
_CONTRACT_COLUMNS: Final = (
    ("AMC", "numeroAMC"), ("Organisme", "libelleAMC"), ("Convention", "typeConvention"), ("CSR", "csr"),
    ("N° adhérent", "numeroAdherent"), ("N° contrat", "numeroContrat"),
)  # fmt: skip

STYLE: Final = b"""\
body { font-family: sans-serif; margin: 2rem; color: #223 }
table { border-collapse: collapse }
td, th { border: 1px solid #ccd; padding: .3rem .6rem; text-align: left }
"""
SCRIPT: Final = b"""\
const droits = JSON.parse(document.getElementById("donnees").textContent);
document.title = droits.beneficiaireDeSoins.nomUsuel + " - droits";
"""
LOGO: Final = b"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">
<path d="M4 6h7v22H4zM12 4h8v22h-8zM21 6h7v22h-7z" fill="#357"/></svg>
"""
ASSETS: Final = {
    "droits.css": ("text/css; charset=utf-8", STYLE),
    "droits.js": ("text/javascript; charset=utf-8", SCRIPT),
    "logo.svg": ("image/svg+xml", LOGO),
}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return ("oui" if value else "non") if isinstance(value, bool) else escape(str(value))


def _table(name: str, columns: tuple[tuple[str, str], ...], rows: list[Document]) -> str:
    head = "".join(f"<th>{title}</th>" for title, _ in columns)
    body = "".join("<tr>" + "".join(f"<td>{_cell(row[key])}</td>" for _, key in columns) + "</tr>" for row in rows)
    return f'<table id="{name}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _page(title: str, content: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="/portail/droits.css"></head><body><img src="/portail/logo.svg" alt="">{content}'
        f"</body></html>\n"
    ).encode()


def consultation(document: Document) -> bytes:
    """The page of a `ConsultationResponse`: everyone in the tables, everything in the script block."""
    person, family, contracts = document["beneficiaireDeSoins"], document["famille"], document["contratsAMC"]
    assert isinstance(person, dict)
    assert isinstance(family, list)
    assert isinstance(contracts, list)
    # "<" must not end the script block (HTML Living Standard section 4.12.1.3, restrictions for contents of script).
    data = orjson.dumps(document).replace(b"<", b"\\u003c").decode()
    content = (
        f"<h1>Droits de {escape(str(person['prenom']))} {escape(str(person['nomUsuel']))}</h1>"
        + _table("beneficiaires", _COLUMNS, [person, *family])
        + _table("contrats", _CONTRACT_COLUMNS, contracts)
        + f'<script type="application/json" id="donnees">{data}</script><script src="/portail/droits.js"></script>'
    )
    return _page("Droits", content)


def error(code: str, message: str) -> bytes:
    """The page of an error, which repeats the question."""
    return _page("Erreur", f'<h1>Aucun résultat</h1><p class="{escape(code)}">{escape(message)}</p>')
