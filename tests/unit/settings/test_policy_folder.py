"""The policy folder is read whole or not at all."""

from pathlib import Path

import pytest

from paravent.policy.compile import compile_policy
from paravent.problems import InvalidFiles
from paravent.rules import Policy
from paravent.settings import read_policy_folder
from policies import SMALL, anything


def write(folder: Path) -> Path:
    for name, text in SMALL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_yaml_files_are_read_and_nothing_else(tmp_path: Path) -> None:
    """Names are relative, with slashes; notes, schemas and hidden files are not rules."""
    write(tmp_path)
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/quotas.json").write_text("{}")
    (tmp_path / ".quotas.yaml.swp").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/x.yaml").write_text("x")
    assert read_policy_folder(tmp_path) == {name: text.encode() for name, text in SMALL.items()}


def test_a_mounted_configmap_is_read_through_its_links(tmp_path: Path) -> None:
    """Kubernetes shows `operations` as a link into `..data`, itself a link that is swapped at an update."""
    write(tmp_path / "..2026_11_22")
    (tmp_path / "..data").symlink_to("..2026_11_22")
    for name in {name.partition("/")[0] for name in SMALL}:
        (tmp_path / name).symlink_to(f"..data/{name}")
    assert isinstance(compile_policy(read_policy_folder(tmp_path), anything), Policy)


def test_the_folder_works_wherever_it_is_copied(tmp_path: Path) -> None:
    """Two copies are one policy."""
    one, other = (read_policy_folder(write(tmp_path / name)) for name in ("one", "other"))
    assert compile_policy(one, anything) == compile_policy(other, anything)


def told(folder: Path) -> list[str]:
    with pytest.raises(InvalidFiles) as raised:
        read_policy_folder(folder)
    return [str(problem) for problem in raised.value.problems]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Nothing is not an empty policy."""
    assert told(tmp_path / "absent") == [".: the folder does not exist or cannot be read"]


def test_a_file_that_cannot_be_read_spoils_the_whole(tmp_path: Path) -> None:
    """A dangling link is a rule that would silently be gone."""
    write(tmp_path)
    (tmp_path / "operations/x.yaml").symlink_to("absent")
    assert told(tmp_path) == ["operations/x.yaml: the file cannot be read"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    """A folder within itself is told, not followed for ever."""
    write(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert told(tmp_path)[0] == "loop/loop/loop/loop: a folder more than 3 deep: nothing would read it"


def test_a_folder_of_everything_is_not_a_policy(tmp_path: Path) -> None:
    """Whoever names the wrong folder is told so."""
    for number in range(501):
        (tmp_path / f"{number}.yaml").touch()
    assert told(tmp_path) == [".: more than 500 YAML files: is this the policy folder?"]
