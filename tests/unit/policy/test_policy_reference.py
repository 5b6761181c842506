"""The policy that is delivered does what the contract says of it."""

from typing import Final

import pytest

from paravent.masking import REGISTRY, check_rule, check_view
from paravent.policy.compile import compile_policy, revision
from paravent.policy.match import RouteTable
from paravent.policy.question import Question, read_question
from paravent.policy.schema import OPERATORS, FieldTypeWord
from paravent.rules import Binding, FieldType, Policy, Window, path_text
from policies import reference_files, small

NEVER: Final = {
    "famille",
    "numeroContrat",
    "adresse",
    "codeALD",
    "lieuNaissance",
    "referenceInterne",
    "commentaire",
    "cleNIR",
    "insMatricule",
    "libelle",
    "groupe",
    "total",
    "pageSuivante",
    "beneficiaires",
    "iban",
    "email",
    "identifiant",
    "telephone",
    "siret",
}
"""Members of the upstream's answers that no view of any profession may name."""


@pytest.fixture(scope="module")
def policy() -> Policy:
    told = compile_policy(reference_files(), check_rule)
    assert isinstance(told, Policy), [str(problem) for problem in told]
    return told


def paths(policy: Policy, profession: str, operation: str) -> dict[str, str]:
    return {
        path_text(rule.path): rule.operator
        for view in policy.views
        if (view.profession, view.operation) == (profession, operation)
        for rule in view.fields
    }


def test_it_is_without_problems(policy: Policy) -> None:
    """It compiles with the real operators, view by view."""
    told = [check_view(view, policy.operations[view.operation].response) for view in policy.views]
    assert told == [()] * len(policy.views)


def test_no_other_question_may_be_asked(policy: Policy) -> None:
    """Exports, FHIR searches and the portal's script are refused by not being there."""
    assert set(policy.operations) == {
        "droits.consultation",
        "beneficiaires.recherche",
        "cartes.beneficiaires",
        "prises-en-charge.demande",
        "compte.lecture",
        "soap.adri",
        "fhir.eligibilite",
        "portail.droits",
        "portail.style",
        "portail.logo",
    }
    routes = RouteTable(policy.operations.values())
    for method, target in (
        (b"POST", b"/v1/exports"),
        (b"GET", b"/fhir/Coverage"),
        (b"GET", b"/portail/droits.js"),
    ):
        assert routes.match(method, target) is None


def test_every_question_needs_a_recent_multi_factor_login(policy: Policy) -> None:
    """acr eidas2 or eidas3 with mfa in amr, at most four hours ago, bound by mtls or DPoP."""
    assert {(one.level, one.max_auth_age_s) for one in policy.operations.values()} == {("substantiel", 4 * 3600)}
    level = next(level for level in policy.assurance.levels if level.name == "substantiel")
    assert (level.acr, level.amr.all) == ({"eidas2", "eidas3"}, {"mfa"})
    assert policy.assurance.bindings == set(Binding)


def test_the_pharmacists_budgets(policy: Policy) -> None:
    """The product's figures, to the letter."""
    budgets = policy.quotas.professions["21"]
    assert budgets.persons == (Window(60, 600), Window(600, 86400), Window(4000, 30 * 86400))
    assert budgets.misses == (Window(30, 3600),)
    assert budgets.requests == (Window(20, 10),)
    assert policy.quotas.establishment.persons == (Window(3000, 86400),)
    assert policy.quotas.client.persons == (Window(200_000, 86400),)
    assert policy.quotas.fleet.persons == (Window(900_000, 86400),)


@pytest.mark.parametrize("code", ["10", "28"])
def test_other_professions_have_smaller_budgets(policy: Policy, code: str) -> None:
    """A doctor and an optician see fewer persons than a pharmacist, in every window."""
    theirs, pharmacist = policy.quotas.professions[code], policy.quotas.professions["21"]
    for kind in ("persons", "misses", "requests"):
        for mine, other in zip(getattr(theirs, kind), getattr(pharmacist, kind), strict=True):
            assert mine.per_s == other.per_s
            assert mine.limit < other.limit


def test_no_view_names_what_never_leaves(policy: Policy) -> None:
    """Families, contract numbers, addresses, illness groups, free text and internal keys are in no view."""
    named = {step.name for view in policy.views for rule in view.fields for step in rule.path}
    assert named & NEVER == set()


def test_the_attending_doctor_is_a_flag(policy: Policy) -> None:
    """Only a doctor learns whether a patient is declared with them, and nobody learns with whom else."""
    lines = {
        (view.profession, path_text(rule.path))
        for view in policy.views
        for rule in view.fields
        if any(step.name.startswith("medecinTraitant") for step in rule.path)
    }
    assert lines == {
        ("10", "/beneficiaireDeSoins/medecinTraitant/declareChezLeDemandeur"),
        ("10", "/DroitsReponse/beneficiaireDeSoins/medecinTraitant@declareChezLeDemandeur"),
    }


@pytest.mark.parametrize(("code", "domain"), [("21", "PHAR"), ("10", "MED"), ("28", "OPTI")])
def test_guarantees_of_other_domains_stay(policy: Policy, code: str, domain: str) -> None:
    """Every line below `garanties` selects the profession's own domain."""
    wheres = {
        step.where
        for view in policy.views
        if view.profession == code
        for rule in view.fields
        for step in rule.path
        if step.name == "garantie" or (step.name == "garanties" and step.array)
    }
    assert wheres == {("domaine", domain), ("@domaine", domain)}


def test_identity_comes_back_only_to_who_sent_it(policy: Policy) -> None:
    """The NIR and the birth date are echoed, in every view; on the portal's page a handle stands for the NIR."""
    operators = {
        (rule.operator, view.operation if rule.operator != "echo" else None)
        for view in policy.views
        for rule in view.fields
        if rule.path[-1].name in {"noNIRCertifie", "dateNaissance"}
    }
    assert operators == {("echo", None), ("handle", "portail.droits")}


def test_an_optician_sees_no_regime_and_no_coverage_code(policy: Policy) -> None:
    """Rights on the date and the C2S flag are enough to sell glasses."""
    seen = paths(policy, "28", "droits.consultation")
    assert not any(path.startswith("/infosGlobales") or "lstPeriodeCodeCouverture" in path for path in seen)
    assert "/beneficiaireDeSoins/c2s/actif" in seen
    assert paths(policy, "28", "beneficiaires.recherche") == {}


def test_only_what_asks_for_a_decision_is_never_sent_twice(policy: Policy) -> None:
    """Lookups may be repeated on the way upstream, GET or POST; a prior agreement may not."""
    assert [name for name, each in policy.operations.items() if not each.repeatable] == ["prises-en-charge.demande"]


def test_a_search_needs_the_whole_civil_status(policy: Policy) -> None:
    """No search by name alone, no page, no wildcard; at most five persons, each counted."""
    search = policy.operations["beneficiaires.recherche"]
    assert (search.response.scope, search.response.max_persons) == ("listed", 5)
    full = b'{"nom":"DURAND-TEST","prenom":"CLAIRE","dateNaissance":"19840517"}'
    assert isinstance(read_question(search, {}, full, (b"application/json",)), Question)
    for less in (
        b'{"nom":"DURAND-TEST"}',
        b'{"nom":"DURAND-TEST","dateNaissance":"19840517"}',
        full[:-1] + b',"page":2}',
        full.replace(b"DURAND-TEST", b"DU%"),
    ):
        assert not isinstance(read_question(search, {}, less, (b"application/json",)), Question)


def test_a_card_shows_where_to_send_the_bill_and_nobody(policy: Policy) -> None:
    """Routing fields of the contract; persons on the card are not declared and so cannot be named."""
    for code in ("21", "10", "28"):
        seen = paths(policy, code, "cartes.beneficiaires")
        assert set(seen) == {
            "/numeroAMC",
            "/typeConvention",
            "/csr",
            "/numeroAdherent",
            "/periode/dateDebut",
            "/periode/dateFin",
        }


def test_ones_own_account_has_two_fields(policy: Policy) -> None:
    """Name and FINESS; not the bank details, which were taken in 2024 too."""
    assert set(paths(policy, "21", "compte.lecture")) == {"/raisonSociale", "/finess"}


def test_the_revision_names_the_rules(policy: Policy) -> None:
    """Equal files in any order have one revision; a byte, a name or a file more gives another; suites do not count."""
    files = reference_files()
    assert policy.revision == revision(dict(reversed(files.items())))
    assert revision(files | {"tests/x_test.yaml": b"a"}) == policy.revision
    name = "quotas.yaml"
    others = [
        files | {name: files[name] + b"\n"},
        files | {"operations/x.yaml": b""},
        {("views/x.yaml" if key == name else key): data for key, data in files.items()},
        small(),
    ]
    assert len({policy.revision, *map(revision, others)}) == 5
    assert len(policy.revision) == 16


def test_compiling_twice_gives_the_same_policy(policy: Policy) -> None:
    """Nothing depends on the order of files or on the run."""
    assert compile_policy(dict(reversed(reference_files().items())), check_rule) == policy


def test_closed_lists_agree() -> None:
    """What editors complete is what the engine knows: field types and operators."""
    assert set(FieldTypeWord.__value__.__args__) == set(FieldType)
    assert set(OPERATORS) == set(REGISTRY)
