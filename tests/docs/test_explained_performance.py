"""docs/explanation/performance.md tells what the files of bench/results hold, and the caps that the code has."""

import json
import re

import pytest
from bench.filter import SIZES_KB, cases
from bench.soak import MAX_GROWN_MB, SPARE_DESCRIPTORS

from pages import DOCS, ROOT
from paravent.masking.formats.csv import MAX_CELLS
from paravent.masking.formats.fhir_bundle import MAX_RESOURCES
from paravent.masking.formats.xml import MAX_VALUES as MAX_XML_VALUES
from paravent.masking.json import MAX_VALUES
from paravent.masking.operators import REGISTRY
from paravent.masking.sweep import MAX_EFFORT
from paravent.masking.walk import MAX_ELEMENTS, MAX_LOOKED, MAX_TEXT_CHARACTERS, MAX_WORK, PERSON

PAGE = (DOCS / "explanation/performance.md").read_text("utf-8")
SOAK = json.loads((ROOT / "bench/results/soak.json").read_text("utf-8"))
RATIOS = json.loads((ROOT / "bench/results/proxy.json").read_text("utf-8"))["ratios"]
FILTER = json.loads((ROOT / "bench/results/filter.json").read_text("utf-8"))


@pytest.mark.parametrize("series", ["mtls", "front", "dpop"])
def test_the_ratios_are_those_of_the_run_that_is_kept(series: str) -> None:
    row = re.search(rf"^\| `{series}` \| (\d\.\d\d) \| (\d\.\d\d) \|$", PAGE, re.MULTILINE)
    assert row is not None
    kept, fresh = (float(cell) for cell in row.groups())
    assert kept == round(RATIOS[f"{series}: CPU a request, paravent / mitmdump"], 2)
    assert fresh == round(RATIOS[f"{series}: CPU a request on a new connection, paravent / mitmdump"], 2)


@pytest.mark.parametrize("series", ["mtls", "front", "dpop"])
@pytest.mark.parametrize(
    ("way", "measured", "aim"),
    [
        ("kept alive", "CPU a request", 0.10),
        ("a new connection each", "CPU a request on a new connection", 0.07),
    ],
)
def test_the_least_and_what_it_leaves_are_those_of_the_run_that_is_kept(
    series: str, way: str, measured: str, aim: float
) -> None:
    """The last column is the aim less what the relay with a ledger took."""
    row = re.search(rf"^\| `{series}`, {way} \| (.+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert row is not None
    bare, whole = (RATIOS[f"{series}: {measured}, {name} / mitmdump"] for name in ("relay", "relay+ledger"))
    left = f"{aim - whole:.3f}" if whole < aim else "nothing"
    assert list(row.groups()) == [f"{bare:.3f}", f"{whole:.3f}", f"{aim:.2f}", left]


def test_the_signature_of_a_proof_is_that_of_the_run_that_is_kept() -> None:
    told = re.search(r"The signature of a proof alone takes (\d\.\d{3}) of it", " ".join(PAGE.split()))
    assert told is not None
    assert told[1] == f"{RATIOS['dpop: CPU of the signature of a proof alone / mitmdump']:.3f}"


@pytest.mark.parametrize("way", SOAK)
def test_the_memory_is_that_of_the_runs_that_are_kept(way: str) -> None:
    """And it stayed within what the page says would be a failure."""
    kept = SOAK[way]
    name = {"keep-alive": "connections kept alive", "connection": "a new connection each"}[way]
    row = re.search(rf"^\| {name} \| ([\d ]+) \| (\d+) MB \| (\d+) MB \| (-?\d+\.\d) MB \|$", PAGE, re.MULTILINE)
    assert row is not None
    said = [float(cell.replace(" ", "")) for cell in row.groups()]
    assert said == [kept["requests"], round(kept["rss_mb_warm"]), round(kept["rss_mb_end"]), round(kept["grown_mb"], 1)]
    assert f"at most {MAX_GROWN_MB} MB" in PAGE
    assert kept["end"]["threads"] <= kept["warm"]["threads"]
    assert kept["end"]["descriptors"] <= kept["warm"]["descriptors"] + SPARE_DESCRIPTORS


def test_the_caps_are_those_of_the_code() -> None:
    for cap in (MAX_VALUES, MAX_ELEMENTS, MAX_TEXT_CHARACTERS, MAX_EFFORT, MAX_LOOKED, MAX_XML_VALUES, MAX_CELLS):
        assert f"{cap:,}".replace(",", " ") in " ".join(PAGE.split())
    assert f"a Bundle {MAX_RESOURCES} resources" in PAGE


def test_the_prices_are_those_of_the_code() -> None:
    """Of the work that one answer may ask for, and of what costs most of it."""
    said = " ".join(PAGE.split())
    assert f"All of it together may cost {MAX_WORK:,}.".replace(",", " ") in said
    prices = [REGISTRY[name].price for name in ("year", "pseudonym", "handle")]
    assert "most operators {}, a pseudonym {}, a handle {}, a person of a list {},".format(*prices, PERSON) in said


@pytest.mark.parametrize(
    ("format_", "name"), [("json", "JSON"), ("fhir", "FHIR"), ("xml", "SOAP"), ("html", "page"), ("csv", "table")]
)
def test_what_reducing_costs_is_that_of_the_run_that_is_kept(format_: str, name: str) -> None:
    rows = re.findall(rf"^\| {name} \| (\d+) KB \| (\d+) \| (\d+) \| (\d+\.\d) \|$", PAGE, re.MULTILINE)
    kept = [each for each in FILTER if each["format"] == format_]
    members = ("kb", "filter_us", "parse_and_serialise_us")
    assert [tuple(map(int, row[:3])) for row in rows] == [tuple(round(each[m]) for m in members) for each in kept]
    assert [float(row[3]) for row in rows] == [round(each["multiple"], 1) for each in kept]


@pytest.mark.parametrize("size_kb", SIZES_KB)
def test_each_format_is_measured_at_each_size(size_kb: int) -> None:
    """A fifth more or less: an answer is about a person or a family, and has no size to choose."""
    measured, _ = cases(size_kb)
    assert {name: round(len(body) / 1000) for name, (_, body, _) in measured.items()} == {
        name: pytest.approx(size_kb, rel=0.2) for name in ("json", "fhir", "xml", "html", "csv")
    }


def test_what_reducing_costs_without_a_walk_is_that_of_the_run_that_is_kept() -> None:
    said = re.search(r"last look at that take (\d\.\d), (\d\.\d) and (\d\.\d) times", " ".join(PAGE.split()))
    assert said is not None
    kept = [round(each["without_walk"], 1) for each in FILTER if each["format"] == "json"]
    assert [float(cell) for cell in said.groups()] == kept
