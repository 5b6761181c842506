"""What a scripted upstream says about the person of `node.QUESTION`: with secrets in every place that must not pass."""

from typing import Any, Final

import orjson

from node import NIR
from sweep import CONTRACT, OTHER_NIR
from wire import http_answer

PERSON: Final = {"nomUsuel": "ESSAI", "prenom": "CLAIRE", "dateNaissance": "19840517", "rangGemellaire": 1}
DOCUMENT: Final[dict[str, Any]] = {
    "infosGlobales": {"codeRegime": "01", "libelleCaisse": f"CAISSE D'ESSAI {CONTRACT}"},
    "beneficiaireDeSoins": {
        **PERSON,
        "noNIRCertifie": NIR[:13],
        "cleNIR": NIR[13:],
        "commentaire": f"NSS {OTHER_NIR}",
        "inconnu": {"profond": [OTHER_NIR]},
    },
    "famille": [{**PERSON, "prenom": "ANTOINE", "dateNaissance": "19821130", "noNIRCertifie": OTHER_NIR}],
    "contratsAMC": [{"numeroContrat": CONTRACT, "beneficiaires": [{**PERSON, "noNIRCertifie": OTHER_NIR}]}],
}
REDUCED: Final = {
    "infosGlobales": {"codeRegime": "01"},
    "beneficiaireDeSoins": {
        "nomUsuel": "ESSAI",
        "prenom": "CLAIRE",
        "dateNaissance": "19840517",
        "noNIRCertifie": NIR[:13],
    },
    "contratsAMC": [],
}
"""What a pharmacist gets of it."""

BODY: Final = orjson.dumps(DOCUMENT)
ANSWER: Final = http_answer(
    BODY, extra=b"Set-Cookie: nir=%s\r\nETag: x\r\nLink: </p/%s>\r\n" % (OTHER_NIR.encode(), OTHER_NIR.encode())
)
