"""The upstream of the benchmark: a fixed 3 KB answer about one invented person, as fast as Python serves it.

    python -m bench.upstream PORT [close]

It is the same process for every proxy measured, and its CPU is not counted. With `close` it ends each connection after
the answer, without saying so beforehand.
"""

import asyncio
import sys
from typing import cast, override

import httptools
import orjson

PERSON = {"immatriculation": "284059999000159", "dateNaissance": "19840517", "rangGemellaire": 1}
"""Whom every request of the benchmark asks about: commune 990 to 999 do not exist."""


def answer() -> bytes:
    """A consultation in the shape of the reference API: one insured, two relatives, two contracts."""
    nir, key = PERSON["immatriculation"][:13], PERSON["immatriculation"][13:]

    def person(rank: int, first_name: str, birth: str, quality: str) -> dict[str, object]:
        return {
            "referenceInterne": f"REF-{rank:08d}",
            "nomUsuel": "ESSAI-DURAND",
            "nomPatronymique": "ESSAI-DURAND",
            "prenom": first_name,
            "sexe": "F",
            "dateNaissance": birth,
            "rangGemellaire": 1,
            "lieuNaissance": "99990",
            "noNIRCertifie": nir,
            "cleNIR": key,
            "insMatricule": nir + key,
            "qualite": quality,
            "adresse": {"lignes": ["12 RUE DES ESSAIS"], "codePostal": "99099", "commune": "VILLE FICTIVE"},
            "topMedecinTraitant": True,
            "medecinTraitant": {"nom": "MARTIN-ESSAI", "rpps": "99900000001", "declareChezLeDemandeur": False},
            "codeServiceAMO": "00",
            "lstPeriodeAMO": [{"dateDebut": "2026-01-01", "dateFin": None}],
            "lstPeriodeCodeCouverture": [
                {"groupe": "STD", "dateDebut": "2026-01-01", "dateFin": None, "codeALD": None, "codeSituation": "0000"}
            ],
            "c2s": None,
            "ame": None,
            "commentaire": None,
        }

    contract = {
        "numeroAMC": "99990001",
        "libelleAMC": "MUTUELLE D'ESSAI",
        "typeConvention": "SP",
        "csr": "0042",
        "numeroAdherent": "0012345678",
        "numeroContrat": "CTR-2026-0012345678-01",
        "referenceInterne": "K9-77-2026",
        "contratResponsable": True,
        "periode": {"dateDebut": "2026-01-01", "dateFin": "2026-12-31"},
        "garanties": [
            {"domaine": "PHAR", "libelle": "Pharmacie", "tauxPourcent": 100, "plafondCentimes": None},
            {"domaine": "OPTI", "libelle": "Monture et verres", "tauxPourcent": 100, "plafondCentimes": 42000},
        ],
        "beneficiaires": [],
    }
    document = {
        "dateReponse": "2026-11-22T09:30:00+01:00",
        "infosGlobales": {
            "codeRegime": "01",
            "codeCaisse": "999",
            "codeCentre": "0001",
            "libelleCaisse": "CAISSE D'ESSAI",
        },
        "beneficiaireDeSoins": person(1, "CLAIRE", "19840517", "assure"),
        "famille": [person(2, "LOU", "20110209", "enfant"), person(3, "MAE", "20190713", "enfant")],
        "contratsAMC": [contract],
    }
    return orjson.dumps(document)


class Server(asyncio.Protocol):
    """Answers every request alike."""

    wire = b""
    close = False

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._transport is not None:
            self._transport.write(self.wire)
            if self.close:
                self._transport.close()


async def main(port: int, *, close: bool) -> None:
    body = answer()
    Server.close = close
    Server.wire = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    serving = main(int(sys.argv[1]), close="close" in sys.argv[2:])
    try:
        import uvloop

        uvloop.run(serving)
    except ImportError:
        asyncio.run(serving)
