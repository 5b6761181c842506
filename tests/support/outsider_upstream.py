"""An upstream of thirty lines: it says far more than anybody asked for, and is ill at ease about some persons."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def person(number: int) -> dict[str, Any]:
    """An invented person: `number` is 1 to 999."""
    nir = f"2840599990{number:03d}"
    key = f"{97 - int(nir) % 97:02d}"
    return {
        "nomUsuel": "ESSAI",
        "prenom": f"CLAIRE-{number}",
        "dateNaissance": "19840517",
        "rangGemellaire": 1,
        "lieuNaissance": "99990",
        "noNIRCertifie": nir,
        "cleNIR": key,
        "insMatricule": nir + key,
        "referenceInterne": f"REF-{number}",
        "adresse": {"lignes": ["12 RUE DES ESSAIS"], "codePostal": "99990", "commune": "VILLE FICTIVE"},
        "medecinTraitant": {"nom": "MARTIN-ESSAI", "rpps": "99700000001", "declareChezLeDemandeur": False},
        "lstPeriodeCodeCouverture": [
            {"codeALD": "08", "codeSituation": "0100", "libelle": "ALD", "dateDebut": "2026-01-01"}
        ],
        "commentaire": f"NSS {nir} {key}",
    }


def rights(number: int) -> dict[str, Any]:
    """What the upstream knows of a person: far more than anybody asked for."""
    family = [person(number), person(number % 999 + 1)]
    guarantees = [
        {"domaine": d, "libelle": d, "tauxPourcent": 70, "plafondCentimes": None} for d in ("PHAR", "OPTI", "HOSP")
    ]
    contract = {"numeroAMC": "99990001", "typeConvention": "SP", "csr": "PHAR", "numeroAdherent": "0012345678"}
    more = {"numeroContrat": "C-1", "referenceInterne": "C", "garanties": guarantees, "beneficiaires": family}
    return {
        "dateReponse": "2026-11-22T09:30:00+01:00",
        "infosGlobales": {"codeRegime": "01", "codeCaisse": "759", "codeCentre": "0001", "libelleCaisse": "CAISSE"},
        "beneficiaireDeSoins": family[0],
        "famille": family[1:],
        "contratsAMC": [contract | more],
    }


UNKNOWN, MALFORMED, BROKEN, GARBLED, SILENT, SLOW = 404, 422, 500, 502, 504, 777
"""Persons about whom this upstream is ill at ease."""


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    asked: list[dict[str, str]]
    """Headers of every request so far."""
    let_go: threading.Event
    """Set: those that were kept waiting are answered."""
    keys: list[object]

    def do_POST(self) -> None:
        self.asked.append({name.lower(): value for name, value in self.headers.items()})
        body = self.rfile.read(int(self.headers["Content-Length"]))
        number = int(json.loads(body)["immatriculation"][10:13])
        if number in {SILENT, SLOW}:
            self.let_go.wait(20)
        if number == GARBLED:
            self.wfile.write(b"\x00" + body)
            self.close_connection = True
        elif number in {UNKNOWN, MALFORMED, BROKEN}:
            self.answer(number, {"erreur": body.decode()})
        else:
            self.answer(200, rights(number))

    def do_GET(self) -> None:
        if self.path == "/jwks.json":  # an issuer's key server, when a test wants one
            self.answer(200, {"keys": self.keys})
            return
        self.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.answer(200, {"raisonSociale": "PHARMACIE D'ESSAI", "finess": "990000012", "iban": "FR7699999"})

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", len(body)), ("Set-Cookie", "a=1")):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def upstream(tls: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    handler = type("Upstream", (Upstream,), {"asked": [], "keys": [], "let_go": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        handler.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
