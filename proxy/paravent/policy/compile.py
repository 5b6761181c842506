"""From the files of a policy folder to `rules.Policy`, or to everything that is wrong with them.

    files ─► files.read_files ─► typed files ─► rules ─► lint ─► Policy, when nobody has complained

All or nothing: a policy with one problem is not used, whatever the problem is.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from paravent.policy import lint
from paravent.policy.files import Read, Sources, read_files, rule_files
from paravent.policy.lint import CheckRule, Placed, PlacedView
from paravent.policy.paths import parse_path, parse_template
from paravent.policy.schema import (
    WIDER_SCOPES,
    AssuranceFile,
    BodyText,
    BreakGlassText,
    BudgetsText,
    EmergencyText,
    MethodsText,
    OperationText,
    PersonText,
    QuotasFile,
    RequestFieldText,
    ResponseText,
    ViewsFile,
    VocabularyFile,
    WindowText,
)
from paravent.problems import Problem
from paravent.rules import (
    Assurance,
    Binding,
    BodyFormat,
    BodyShape,
    BreakGlass,
    Budgets,
    CsvShape,
    Emergency,
    Envelope,
    FieldRule,
    FieldType,
    Format,
    FormatShape,
    Grants,
    HtmlField,
    HtmlRegion,
    HtmlShape,
    Level,
    Methods,
    Operation,
    PersonFields,
    Place,
    Policy,
    Prefixes,
    Quotas,
    RequestField,
    ResponseShape,
    StaticShape,
    StepUp,
    SubjectFields,
    Suspension,
    ThumbprintEncoding,
    ViewSpec,
    Window,
    XmlShape,
)

MAX_PROBLEMS: Final = 1000
"""Nobody reads more, and a file of nothing but mistakes has tens of thousands."""

_REVISION_CHARACTERS: Final = 16
"""64 bits name a revision: enough to tell two apart, short enough to say aloud."""


def compile_policy(files: Mapping[str, bytes], check_rule: CheckRule) -> Policy | tuple[Problem, ...]:
    """The policy in these files, or every problem in them, sorted by place.

    `files`: name relative to the policy folder, with `/`, to content. `check_rule`: what the operators say of one line
    of a view, None when they can perform it; it is injected because masking is a sibling.
    """
    sources = read_files(files)
    operations = tuple(
        Placed(_operation(read, name, text), read.document)
        for read in sources.operations
        for name, text in read.file.items()
    )
    views = tuple(
        view for profession, read in sources.views.items() for view in _views(read, _code(sources, profession))
    )
    problems = [*sources.problems, *lint.check(sources, operations, views, check_rule)]
    vocabulary, assurance, quotas = sources.vocabulary, sources.assurance, sources.quotas
    if problems or vocabulary is None or assurance is None or quotas is None:
        return tuple(sorted(set(problems))[:MAX_PROBLEMS])
    return Policy(
        revision=revision(files),
        professions={profession.code: word for word, profession in vocabulary.file.professions.items()},
        purposes=frozenset(vocabulary.file.purposes),
        default_purpose={one.code: one.default_purpose for one in vocabulary.file.professions.values()},
        assurance=_assurance(assurance.file),
        quotas=_quotas(quotas.file, vocabulary.file),
        operations={placed.operation.name: placed.operation for placed in operations},
        views=tuple(view.spec for view in views),
    )


def revision(files: Mapping[str, bytes]) -> str:
    """What names this policy in every record: the same for the same rules, wherever and whenever they are read."""
    digest = hashlib.sha256()
    for name, data in rule_files(files).items():
        # Each part after its length, so that no two sets of files are the same bytes.
        for part in (name.encode(), data):
            digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:_REVISION_CHARACTERS]


def _code(sources: Sources, profession: str) -> str:
    """The code of a profession; empty for one that the vocabulary does not have, which `lint` reports."""
    known = sources.vocabulary.file.professions.get(profession) if sources.vocabulary else None
    return known.code if known else ""


# ---- operations


def _operation(read: Read[Mapping[str, OperationText]], name: str, text: OperationText) -> Operation:
    return Operation(
        name=name,
        method=text.match.method.encode("ascii"),
        path=parse_template(text.match.path),
        level=text.require.level,
        max_auth_age_s=text.require.max_auth_age,
        request=tuple(_field(key, member) for key, member in text.request.items()),
        parameters=tuple(_field(key, parameter) for key, parameter in text.parameters.items()),
        query=tuple(_field(key, parameter) for key, parameter in text.query.items()),
        subject=SubjectFields(
            nir=text.subject.nir,
            birth_date=text.subject.birth_date,
            birth_rank=text.subject.birth_rank,
            card=tuple(text.subject.card),
            persons=text.subject.persons,
        ),
        response=_response(text.response),
        place=Place(read.document.file, read.document.line((name,))),
        body=_body(text.body),
        weight=text.weight,
        repeatable=text.repeatable or text.match.method == "GET",
    )


def _body(text: BodyText) -> BodyShape:
    return BodyShape(
        BodyFormat(text.format),
        text.element or "",
        text.namespace or "",
        Envelope(text.envelope),
        text.action,
        text.unqualified,
    )


def _field(name: str, text: RequestFieldText) -> RequestField:
    by = (text.members.nir, text.members.birth_date, text.members.birth_rank) if text.members else ()
    return RequestField(
        name,
        FieldType(text.type),
        text.required,
        frozenset(text.one_of),
        text.handle,
        text.at_most,
        by,
        text.past,
        text.ahead,
    )


def _response(text: ResponseText) -> ResponseShape:
    return ResponseShape(
        persons=tuple(parse_path(path) for path in text.persons),
        identified_by=_person(text.identified_by),
        scope=text.scope,
        max_persons=text.max_persons,
        format=Format(text.format),
        details=_details(text),
    )


def _details(text: ResponseText) -> FormatShape:
    """What the format needs to know. None where it is missing, which `lint` reports."""
    if text.xml is not None:
        return XmlShape(text.xml.namespace, Envelope(text.xml.envelope), text.xml.unqualified)
    if text.html is not None:
        regions = tuple(
            HtmlRegion(
                name,
                region.selector,
                tuple(HtmlField(field, each.selector, each.label) for field, each in region.fields.items()),
            )
            for name, region in text.html.regions.items()
        )
        return HtmlShape(text.html.title, regions, tuple(text.html.stylesheets))
    if text.csv is not None:
        return CsvShape(text.csv.separator)
    if text.static is not None:
        return StaticShape(text.static.type, frozenset(text.static.sha256))
    return None


def _person(text: PersonText | None) -> PersonFields | None:
    return PersonFields(text.nir, text.birth_date, text.birth_rank, tuple(text.nir_also)) if text else None


# ---- views


def _views(read: Read[ViewsFile], code: str) -> list[PlacedView]:
    file, document = read.document.file, read.document
    views = []
    for operation, purposes in read.file.items():
        for purpose, lines in purposes.items():
            fields = tuple(
                FieldRule(
                    parse_path(path),
                    rule.operator,
                    rule.parameter,
                    Place(file, document.line((operation, purpose, path))),
                )
                for path, rule in lines.items()
            )
            views.append(PlacedView(ViewSpec(operation, code, purpose, fields), document))
    return views


# ---- assurance and quotas


def _methods(text: MethodsText) -> Methods:
    return Methods(frozenset(text.all), frozenset(text.any), frozenset(text.none))


def _assurance(file: AssuranceFile) -> Assurance:
    return Assurance(
        levels=tuple(
            Level(
                name,
                acr=frozenset(level.acr),
                amr=_methods(level.amr),
                auth_mode=_methods(level.auth_mode),
            )
            for name, level in file.levels.items()
        ),
        bindings=frozenset(map(Binding, file.bindings)),
        thumbprint_encoding=ThumbprintEncoding(file.thumbprint_encoding),
        dpop_nonces=file.dpop_nonces == "required",
        observe_unbound=frozenset(file.observe_unbound),
    )


def _quotas(file: QuotasFile, vocabulary: VocabularyFile) -> Quotas:
    budgets = {name: _budgets(text) for name, text in file.quotas.items()}
    wider = {scope: budgets.pop(scope, Budgets()) for scope in WIDER_SCOPES}
    return Quotas(
        professions={vocabulary.professions[word].code: some for word, some in budgets.items()},
        establishment=wider["establishment"],
        client=wider["client"],
        certificate=wider["certificate"],
        network=wider["network"],
        prefixes=Prefixes(file.prefixes.ipv4, file.prefixes.ipv6),
        fleet=wider["fleet"],
        grants=None if file.grants is None else Grants(file.grants.extra_persons, file.grants.longest),
        step_up=None if file.step_up is None else StepUp(file.step_up.max_auth_age, file.step_up.extra_persons),
        break_glass=None if (glass := file.break_glass) is None else _break_glass(glass),
        suspension=None if (it := file.suspension) is None else Suspension(it.refusals, it.within, it.lasts),
        warn_at_percent=file.warn_at,
        emergency=None if file.emergency is None else _emergency(file.emergency),
    )


def _emergency(text: EmergencyText) -> Emergency:
    return Emergency(text.practitioner, text.node, text.total, text.per, text.longest)


def _break_glass(text: BreakGlassText) -> BreakGlass:
    return BreakGlass(text.extra_persons, text.lasts, text.once_per)


def _budgets(text: BudgetsText) -> Budgets:
    return Budgets(_windows(text.persons), _windows(text.misses), _windows(text.requests), _windows(text.units))


def _windows(texts: list[WindowText]) -> tuple[Window, ...]:
    return tuple(Window.over(text.limit, text.per) for text in texts)
