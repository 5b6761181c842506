"""What several sections say of files: a certificate and its key, who may read a secret, who must be able to write."""

import os
from pathlib import Path

from paravent.settings import files
from paravent.settings.given import Given
from paravent.settings.toml import Where


def check_pair(given: Given, section: Where, certificate: str, key: str) -> None:
    """A certificate and its private key: both or neither, readable, and of one another."""
    for one, other in ((certificate, key), (key, certificate)):
        if given.has(*section, one) and not given.has(*section, other):
            given.complain((*section, one), f"{one} needs {other}")
    chain = given.file(files.certificates, *section, certificate)
    public = given.file(files.public_of_key, *section, key)
    remark_if_open(given, (*section, key))
    if chain and public is not None and files.public_of_certificate(chain[0]) != public:
        given.complain((*section, key), f"{key} is not the key of {certificate}'s first certificate")


def remark_if_open(given: Given, where: Where) -> None:
    """`files` says why it is only a remark."""
    path = given.path(*where)
    if path is not None and files.is_open_to_all(path):
        message = f"{where[-1]}: everybody on this machine can read or change the file {given.text(*where)!r}"
        given.remark(where, message, "chmod 600; or nothing, where only this container sees it")


def remark_if_shut(given: Given, where: Where, *paths: Path) -> None:
    """A remark: `check` may be somebody else's to run than `serve`."""
    if any(os.path.exists(path) and not os.access(path, os.W_OK) for path in paths):
        message = f"{where[-1]}: this user may not write there"
        given.remark(where, message, "let the user write that runs the node; or check as that user")
