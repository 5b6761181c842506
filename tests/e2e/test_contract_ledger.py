"""The outward contract, as an auditor meets it: what is written, and what a verification finds.

Nothing of the project is imported: `outsider` makes keys, tokens, certificates and an upstream with public libraries,
writes the configuration as the contract prints it, and runs `paravent`.
"""

import shutil
from collections.abc import Callable, Iterator

import pytest

from outsider import Site, serving
from outsider_upstream import BROKEN, UNKNOWN, person

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("contract-ledger")]


class TestLedger:
    """JSON lines, one record per decision, and a verification that finds every change."""

    @pytest.fixture(scope="class")
    def kept(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        """Stopped after seven decisions."""
        with serving(tmp_path_factory.mktemp("ledger")) as made:
            for number in (1, 2, UNKNOWN, BROKEN, 3):
                made.ask(number)
            made.ask(acr="eidas1")
            made.call(made.question(), None)
            assert made.verify() == 0, "beside a running proxy"
            made.stop()
            yield made

    def test_one_record_per_decision(self, kept: Site) -> None:
        """Seven requests, seven lines of JSON; no NIR and no token in them."""
        records = kept.ledger()
        decisions = [record for record in records if "decision" in record]
        assert [record["status"] for record in decisions] == [200, 200, 404, 502, 200, 401, 401]
        text = "".join(file.read_text() for file in kept.ledger_files())
        for number in (1, 2, 3):
            assert person(number)["noNIRCertifie"] not in text
        assert "eyJ" not in text
        assert kept.verify() == 0

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda lines: [lines[0].replace("200", "403", 1), *lines[1:]], id="a record was changed"),
            pytest.param(lambda lines: [lines[0][:-2] + ',"x":1}\n', *lines[1:]], id="a member was added"),
            pytest.param(lambda lines: lines[1:], id="the first record was removed"),
            pytest.param(lambda lines: [*lines[:3], *lines[4:]], id="a record in the middle was removed"),
            pytest.param(lambda lines: [lines[1], lines[0], *lines[2:]], id="two records were reordered"),
            pytest.param(lambda lines: lines[::-1], id="all records were reordered"),
            pytest.param(lambda lines: [lines[0], lines[0], *lines[1:]], id="a record stands twice"),
            pytest.param(lambda lines: lines[:-1], id="the last record was cut off"),
            pytest.param(lambda lines: [*lines[:-1], lines[-1][:40]], id="the last record was cut in half"),
            pytest.param(lambda lines: [*lines, "{}\n"], id="a record was added"),
            pytest.param(lambda _lines: [], id="all records were removed"),
        ],
    )
    def test_verify_finds_it(self, kept: Site, change: Callable[[list[str]], list[str]]) -> None:
        """Exit code 1."""
        (file,) = kept.ledger_files()
        whole = file.read_bytes()
        try:
            file.write_text("".join(change(whole.decode().splitlines(keepends=True))))
            assert file.read_bytes() != whole
            assert kept.verify() == 1
        finally:
            file.write_bytes(whole)

    def test_verify_finds_a_ledger_that_is_gone(self, kept: Site) -> None:
        """A file of it, or the whole folder, or another key; and that all is well when everything is back."""
        folder, aside = kept.folder / "audit", kept.folder / "aside"
        key = kept.folder / "audit.key"
        (file,) = kept.ledger_files()
        for take, put_back in (
            (lambda: file.rename(aside), lambda: aside.rename(file)),
            (lambda: folder.rename(aside), lambda: (shutil.rmtree(folder, ignore_errors=True), aside.rename(folder))),
            (lambda: (shutil.copy(key, aside), key.write_text("00" * 32)), lambda: shutil.move(aside, key)),
        ):
            take()
            assert kept.verify() == 1
            put_back()
        assert kept.verify() == 0
