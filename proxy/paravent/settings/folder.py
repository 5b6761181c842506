"""The policy folder, from disk. What its files say is for `paravent.policy.compile`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from paravent.policy.source import MAX_FILE_BYTES
from paravent.problems import InvalidFiles, Problem

MAX_FILES: Final = 500
MAX_DEPTH: Final = 3
"""policies/tests/pharmacien/x_test.yaml is the deepest that anybody needs."""


def read_policy_folder(path: Path) -> dict[str, bytes]:
    """Every YAML file under `path`: name relative to it, with `/`, to content.

    Names that begin with a dot are skipped: editors' and Kubernetes' own (`..data`). Links are followed, because a
    mounted ConfigMap is made of them. Raises InvalidFiles when anything cannot be read: part of a policy is not one.
    """
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name in _names(path, "", problems):
        if len(files) == MAX_FILES:
            problems.append(Problem(".", 0, 0, f"more than {MAX_FILES} YAML files: is this the policy folder?"))
            break
        try:
            with (path / name).open("rb") as file:
                # One byte more than a file may have, so that the compiler can say it is too long.
                files[name] = file.read(MAX_FILE_BYTES + 1)
        except OSError:
            problems.append(Problem(name, 0, 0, "the file cannot be read"))
    if problems:
        raise InvalidFiles(problems)
    return files


def _names(root: Path, below: str, problems: list[Problem]) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except OSError:
        problems.append(Problem(below or ".", 0, 0, "the folder does not exist or cannot be read"))
        return
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if name.count("/") >= MAX_DEPTH:
                problems.append(Problem(name, 0, 0, f"a folder more than {MAX_DEPTH} deep: nothing would read it"))
            else:
                yield from _names(root, name, problems)
        elif entry.name.lower().endswith((".yaml", ".yml")):
            yield name
