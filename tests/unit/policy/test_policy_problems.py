"""Every mistake in a policy is found, where it stands, in words that say what to write."""

# ruff: noqa: E501 (a problem is one line, as it is printed)

import time
from collections.abc import Callable

import pytest

from paravent.policy.compile import compile_policy
from paravent.rules import FieldRule, Policy, ResponseShape
from policies import SMALL, Changes, as_line, compiled, problems, small

D, V, Q, A, W, C = (
    "operations/droits.yaml",
    "views/pharmacien.yaml",
    "quotas.yaml",
    "assurance.yaml",
    "vocabulary.yaml",
    "operations/cartes.yaml",
)


def row(claim: str, changes: Changes, *told: str) -> object:
    return pytest.param(changes, list(told), id=claim)


SHAPES = [
    row(
        "an unknown key is told with the one that was meant",
        {D: ("method: POST", "methd: POST")},
        f"{D}:2:3: match lacks the key 'method'",
        f"{D}:2:11: unknown key 'methd' (did you mean method?)",
    ),
    row(
        "a missing key is told at the mapping that needs it",
        {A: ("bindings: [mtls, dpop]\n", "")},
        f"{A}:1:1: the file lacks the key 'bindings'",
    ),
    row(
        "a word outside a closed list is told with the nearest one",
        {D: ("dateNaissance: birth-date", "dateNaissance: birthdate")},
        f"{D}:6:20: dateNaissance cannot be 'birthdate' (did you mean birth-date?)",
    ),
    row(
        "a field's long form is judged as its short form",
        {D: ("type: domain", "type: domaine")},
        f"{D}:8:21: type cannot be 'domaine' (did you mean domain?)",
    ),
    row(
        "a number where text is needed is told to be quoted",
        {W: ('"21"', "21")},
        f'{W}:2:22: code must be text, not a number (put it in quotes: "21")',
    ),
    row(
        "a value that was left out is told as that",
        {V: ("/csr: keep", "/csr:")},
        f"{V}:8:10: /csr is empty: write an operator, as in keep, or {{operator: parameter}}, as in {{mask: 4}}",
    ),
    row(
        "a condition on two members is told to be one",
        {V: ("/csr: keep", '"/a[b=c,d=e]/csr": keep')},
        f"{V}:8:5: '/a[b=c,d=e]/csr' cannot be a key here ('a[b=c,d=e]' is not a step of a path: write name, name[] or name[member=value], with one condition at most)",
    ),
    row(
        "text where a number is needed is not read as one",
        {Q: ("limit: 60", 'limit: "60"')},
        f"{Q}:3:23: limit must be a whole number: digits alone, not in quotes and without a leading zero",
    ),
    row(
        "a limit with a leading zero is not octal, and not a number",
        {Q: ("limit: 60", "limit: 0600")},
        f"{Q}:3:23: limit must be a whole number: digits alone, not in quotes and without a leading zero",
    ),
    row("a limit of zero is refused", {Q: ("limit: 60", "limit: 0")}, f"{Q}:3:23: limit must be at least 1"),
    row("a negative limit is refused", {Q: ("limit: 60", "limit: -5")}, f"{Q}:3:23: limit must be at least 1"),
    row(
        "an absurd limit is refused", {Q: ("limit: 60", "limit: 600000000")}, f"{Q}:3:23: limit may be at most 10000000"
    ),
    row(
        "a duration without unit is refused",
        {Q: ("per: 1h", "per: 60")},
        f"{Q}:4:31: per is 60: a duration is a whole number and a unit: 10s, 5m, 4h or 30d",
    ),
    row(
        "a sexagesimal duration is text, not a number of minutes",
        {Q: ("per: 1h", "per: 12:30")},
        f"{Q}:4:31: per is '12:30': a duration is a whole number and a unit: 10s, 5m, 4h or 30d",
    ),
    row(
        "yes is a word, not true", {D: ("required: false", "required: no")}, f"{D}:8:39: required must be true or false"
    ),
    row(
        "a list where a mapping belongs is told",
        {D: ("{level: substantiel, max_auth_age: 4h}", "[substantiel]")},
        f"{D}:3:12: require must be a mapping of keys to values (known: level, max_auth_age)",
    ),
    row(
        "text where a list belongs is told", {A: ("[mtls, dpop]", "dpop")}, f"{A}:4:11: bindings must be a list: [a, b]"
    ),
    row(
        "a nonce for proofs that are not accepted is told to have no effect",
        {A: ("[mtls, dpop]\n", "[mtls]\ndpop_nonces: required\n")},
        f"{A}:5:1: dpop_nonces has no effect: bindings does not accept dpop (bindings: [dpop])",
    ),
    row(
        "a means of login that is asked for and excluded can never be",
        {A: ("[eidas3], amr: {all: [mfa]}", "[eidas3], amr: {all: [mfa]}, auth_mode: {any: [CARD], none: [CARD]}")},
        f"{A}:2:45: auth_mode cannot both hold and not hold 'CARD'",
    ),
    row(
        "a means of login that is a factor alone is told",
        {A: ("acr: [eidas2, eidas3], amr: {all: [mfa]}", "acr: [eidas1], auth_mode: {any: [CARD, OTP]}")},
        f"{A}:3:3: level 'substantiel' accepts a login with one factor (ask for amr: {{all: [mfa]}})",
    ),
    row(
        "no binding at all would accept any bearer", {A: ("[mtls, dpop]", "[]")}, f"{A}:4:11: bindings needs at least 1"
    ),
    row(
        "an unknown binding is told by its place in the list",
        {A: ("[mtls, dpop]", "[mtls, bearer]")},
        f"{A}:4:18: bindings[1] cannot be 'bearer' (known: dpop, mtls)",
    ),
    row(
        "a level without acr accepts anything and is refused",
        {A: ("acr: [eidas3]", "acr: []")},
        f"{A}:2:16: acr needs at least 1",
    ),
    row(
        "a path into the answer begins with a slash",
        {V: ("/beneficiaire/nomUsuel: keep", "beneficiaire/nomUsuel: keep")},
        f"{V}:3:5: 'beneficiaire/nomUsuel' cannot be a key here (a path begins with /)",
    ),
    row(
        "a path with an empty step is refused",
        {V: ("/beneficiaire/nomUsuel: keep", "/beneficiaire//nomUsuel: keep")},
        f"{V}:3:5: '/beneficiaire//nomUsuel' cannot be a key here "
        "(a step is empty: write no / at the end, and no two in a row)",
    ),
    row(
        "a path has ten steps at most",
        {V: ("/beneficiaire/nomUsuel: keep", "/a/a/a/a/a/a/a/a/a/a/a: keep")},
        f"{V}:3:5: '/a/a/a/a/a/a/a/a/a/a/a' cannot be a key here (a path has at most 10 steps)",
    ),
    row(
        "a view's line is an operator",
        {V: ("/beneficiaire/nomUsuel: keep", "/beneficiaire/nomUsuel: [keep]")},
        f"{V}:3:29: /beneficiaire/nomUsuel is ['keep']: write an operator, as in keep, or {{operator: parameter}}, as in {{mask: 4}}",
    ),
    row(
        "a view without lines lets nothing leave and is refused",
        {V: ('/csr: keep\n    /numeroAMC: {echo: "{amc}"}', "{}")},
        f"{V}:8:5: dispensation needs at least 1",
    ),
    row(
        "an operation name in capitals is refused with the form it has",
        {V: ("cartes.lecture:", "Cartes.Lecture:")},
        f"{V}:6:1: 'Cartes.Lecture' cannot be a key here (write lower-case words joined by dots, as in droits.consultation)",
    ),
    row(
        "a request path with a percent sign is refused",
        {D: ("/v1/droits", "/v1/dr%6Fits")},
        f"{D}:2:31: path is '/v1/dr%6Fits': 'dr%6Fits' is not a segment: write letters, digits and . _ ~ -, or {{parameter}}",
    ),
    row(
        "a request path begins with a slash",
        {D: ("/v1/droits", "v1/droits")},
        f"{D}:2:31: path is 'v1/droits': a request path begins with /",
    ),
    row(
        "an operator's parameter is plain",
        {V: ('{echo: "{amc}"}', "{echo: [a]}")},
        f"{V}:9:17: /numeroAMC is {{'echo': ['a']}}: write an operator, as in keep, or {{operator: parameter}}, as in {{mask: 4}}",
    ),
    row(
        "a request path with a dot segment is refused",
        {D: ("/v1/droits", "/v1/../droits")},
        f"{D}:2:31: path is '/v1/../droits': '..' is not a segment: write letters, digits and . _ ~ -, or {{parameter}}",
    ),
    row(
        "a method outside the closed list is refused",
        {D: ("method: POST", "method: PUT")},
        f"{D}:2:19: method cannot be 'PUT' (known: GET, POST)",
    ),
    row("an empty file says nothing and is refused", {Q: "# later\n"}, f"{Q}:1:1: the file says nothing"),
    row(
        "a file that is a list is refused",
        {Q: "[a]\n"},
        f"{Q}:1:1: the file must be a mapping of keys to values (known: break_glass, emergency, grants, prefixes, quotas, step_up, suspension, warn_at)",
    ),
]

FILES = [
    row("a missing file is told by its name", {Q: None}, f"{Q}: the file is missing"),
    row(
        "a policy without operations is refused",
        {D: None, C: None, V: None},
        "operations: no file here, so nothing may be asked (add operations/<topic>.yaml)",
        "views: no file here, so nothing may leave (add views/<profession>.yaml)",
    ),
    row(
        "a file that nothing reads is not ignored",
        {"quota.yaml": "quotas: {}\n"},
        "quota.yaml: not a file of a policy: nothing would read it (did you mean quotas.yaml?)",
    ),
    row(
        "the other spelling of .yaml is not ignored",
        {"views/medecin.yml": "a: 1\n"},
        "views/medecin.yml: not a file of a policy: nothing would read it (did you mean views/<profession>.yaml?)",
    ),
    row("suites are not rules", {"tests/pharmacien_test.yaml": "- anything\n"}),
]

CROSS = [
    row(
        "a format that needs nothing is told with what another one needs",
        {D: ("format: json", 'format: json\n    csv: {separator: ";"}')},
        f"{D}:10:3: format: json goes with none of xml, html, csv and static, and with no other",
    ),
    row(
        "a format without what it needs is told",
        {D: ("format: json", "format: html")},
        f"{D}:10:3: format: html goes with html: {{…}}, and with no other",
    ),
    row(
        "a table, which may say how it is cut, is told with what another format needs",
        {D: ("format: json", "format: csv\n    static: {type: text/css}")},
        f"{D}:10:3: format: csv goes with csv: {{…}}, and with no other",
    ),
    row(
        "a view of an unknown operation is told once, with the nearest",
        {V: ("cartes.lecture:", "carte.lecture:")},
        f"{V}:6:1: unknown operation carte.lecture (did you mean cartes.lecture?)",
    ),
    row(
        "a view of an unknown profession is told at its file",
        {"views/infirmier.yaml": "cartes.lecture:\n  dispensation: {/csr: keep}\n"},
        "views/infirmier.yaml:1:1: 'infirmier', in the file's name, is not a known profession (known: pharmacien)",
    ),
    row(
        "a view for an unknown purpose is told at the purpose",
        {V: ("  dispensation:\n    /csr", "  curiosite:\n    /csr")},
        f"{V}:7:3: unknown purpose 'curiosite' (known: dispensation)",
    ),
    row(
        "a default purpose must exist",
        {W: ("default_purpose: dispensation", "default_purpose: dispensations")},
        f"{W}:2:45: unknown purpose 'dispensations' (did you mean dispensation?)",
    ),
    row(
        "two professions with one code cannot be told apart",
        {W: ("purposes:", '  medecin: {code: "21", default_purpose: dispensation}\npurposes:')},
        f"{W}:3:19: code '21' is already that of 'pharmacien'",
    ),
    row(
        "a profession may not be called like a wider scope",
        {W: ("purposes:", '  fleet: {code: "10", default_purpose: dispensation}\npurposes:')},
        f"{W}:3:3: 'fleet' cannot be a profession: quotas.yaml gives it another meaning",
    ),
    row(
        "an unknown level is told",
        {D: ("level: substantiel", "level: substancial")},
        f"{D}:3:20: unknown level 'substancial' (did you mean substantiel?)",
    ),
    row(
        "a login of yesterday is not recent",
        {D: ("max_auth_age: 4h", "max_auth_age: 13h")},
        f"{D}:3:47: a login older than 12h is not a recent one",
    ),
    row(
        "levels out of order would let the weaker pass for the stronger",
        {A: ("acr: [eidas3], amr: {all: [mfa]}", "acr: [eidas1, eidas3], amr: {all: [mfa]}")},
        f"{A}:2:3: level 'eleve' accepts tokens that 'substantiel', listed after it, would refuse (list the levels strongest first)",
    ),
    row(
        "a level that asks for less amr than the next is out of order",
        {A: ("acr: [eidas3], amr: {all: [mfa]}", "acr: [eidas3]")},
        f"{A}:2:3: level 'eleve' accepts tokens that 'substantiel', listed after it, would refuse (list the levels strongest first)",
    ),
    row(
        "a level that refuses less than the next is out of order",
        {A: ("[eidas2, eidas3], amr: {all: [mfa]}", "[eidas2, eidas3], amr: {all: [mfa], none: [email]}")},
        f"{A}:2:3: level 'eleve' accepts tokens that 'substantiel', listed after it, would refuse (list the levels strongest first)",
    ),
    row(
        "a level may ask for one of several where the stronger asks for one of fewer",
        {A: ("[eidas2, eidas3], amr: {all: [mfa]}", "[eidas2, eidas3], amr: {any: [mfa, otp]}")},
    ),
    row(
        "a password is not multi-factor",
        {A: ("acr: [eidas2, eidas3], amr: {all: [mfa]}", "acr: [eidas1, eidas2, eidas3], amr: {all: [pwd]}")},
        f"{A}:2:3: level 'eleve' accepts tokens that 'substantiel', listed after it, would refuse (list the levels strongest first)",
        f"{A}:3:3: level 'substantiel' accepts a login with one factor (ask for amr: {{all: [mfa]}})",
    ),
    row(
        "any login at all is not multi-factor",
        {A: ("acr: [eidas2, eidas3], amr: {all: [mfa]}", "acr: [eidas1, eidas3], amr: {none: [email]}")},
        f"{A}:2:3: level 'eleve' accepts tokens that 'substantiel', listed after it, would refuse (list the levels strongest first)",
        f"{A}:3:3: level 'substantiel' accepts a login with one factor (ask for amr: {{all: [mfa]}})",
    ),
    row(
        "one of several methods is only as good as the weakest",
        {A: ("acr: [eidas2, eidas3], amr: {all: [mfa]}", "acr: [loa3, eidas3], amr: {any: [mfa, sms]}")},
        f"{A}:3:3: level 'substantiel' accepts a login with one factor (ask for amr: {{all: [mfa]}})",
    ),
    row(
        "two methods are two factors, and a substantial acr needs two by definition",
        {
            A: "levels:\n  eleve: {acr: [eidas3]}\n  substantiel: {acr: [eidas2, eidas3]}\n  local: {acr: [eidas2, eidas3, loa3], amr: {all: [pwd, otp]}}\nbindings: [mtls]\nthumbprint_encoding: rfc8705\n"
        },
        f"{A}:3:3: level 'substantiel' accepts tokens that 'local', listed after it, would refuse (list the levels strongest first)",
    ),
    row(
        "amr cannot hold and not hold one value",
        {A: ("[eidas3], amr: {all: [mfa]}", "[eidas3], amr: {all: [mfa], none: [mfa]}")},
        f"{A}:2:26: amr cannot both hold and not hold 'mfa'",
    ),
    row(
        "budgets for an unknown profession are told",
        {Q: ("  fleet:", "  medecin:")},
        f"{Q}:6:3: medecin has no misses budget (add misses: [{{limit: …, per: …}}])",
        f"{Q}:6:3: medecin has no requests budget (add requests: [{{limit: …, per: …}}])",
        f"{Q}:6:3: unknown profession 'medecin' (known: certificate, client, establishment, fleet, network, pharmacien)",
    ),
    row(
        "a profession without a persons budget could read without end",
        {Q: ("    persons: [{limit: 60, per: 10m}]\n", "")},
        f"{Q}:2:3: pharmacien has no persons budget (add persons: [{{limit: …, per: …}}])",
    ),
    row(
        "a suspension is longer than the window of its refusals, and has an end",
        {Q: ("quotas:\n", "suspension: {refusals: 9, within: 31d, lasts: 31d}\nquotas:\n")},
        f"{Q}:1:35: the same refusals would suspend a second time: within must be shorter than lasts",
        f"{Q}:1:47: a suspension lasts at most 30d (revoke who is not to come back by themselves)",
    ),
    row(
        "a glass that is always broken is a limit",
        {Q: ("quotas:\n", "break_glass: {extra_persons: 9, lasts: 7d, once_per: 7d}\nquotas:\n")},
        f"{Q}:1:40: the glass would always be broken: lasts must be shorter than once_per",
    ),
    row(
        "a share is written with its sign",
        {Q: ("quotas:\n", "warn_at: 80\nquotas:\n")},
        f"{Q}:1:10: warn_at is 80: write a share, as in 80%",
    ),
    row(
        "a fresh login that every login is adds nothing",
        {Q: ("quotas:\n", "step_up: {max_auth_age: 12h, extra_persons: 5}\nquotas:\n")},
        f"{Q}:1:25: every login that may ask cartes.lecture is at most 1h old: the extra would always be there (raise the limits, or ask for less)",
    ),
    row(
        "a profession with a view but no budgets is told at the view",
        {Q: "quotas: {fleet: {persons: [{limit: 9, per: 1d}]}}\n"},
        f"{V}:1:1: pharmacien has views but no budgets: nobody of that profession would be let through (add pharmacien to quotas.yaml)",
    ),
    row(
        "of two limits for one window only one can hold",
        {Q: ("[{limit: 60, per: 10m}]", "[{limit: 60, per: 10m}, {limit: 80, per: 600s}]")},
        f"{Q}:3:55: a second limit for 10m: only one can hold",
    ),
    row(
        "of two limits for one day of the calendar only one can hold",
        {
            Q: (
                "[{limit: 60, per: 10m}]",
                "[{limit: 60, per: calendar-day}, {limit: 70, per: 1d}, {limit: 80, per: calendar-day}]",
            )
        },
        f"{Q}:3:86: a second limit for calendar-day: only one can hold",
    ),
    row(
        "a calendar window is a day, a week or a month",
        {Q: ("per: 10m", "per: calendar-year")},
        f"{Q}:3:32: per is 'calendar-year': write calendar-day, calendar-week, calendar-month, or a duration",
    ),
    row(
        "a window longer than the store remembers is refused",
        {Q: ("per: 1d", "per: 90d")},
        f"{Q}:6:40: a window may be at most 30d long",
    ),
    row(
        "a length of networks for which there is no budget is told to have no effect",
        {Q: SMALL[Q] + "prefixes: {ipv4: 24}\n"},
        f"{Q}:7:1: prefixes has no effect: there are no budgets of network (add network to quotas)",
    ),
    row(
        "a network of all addresses, and one below a subscriber's, are refused",
        {Q: SMALL[Q] + "  network: {persons: [{limit: 9, per: 1d}]}\nprefixes: {ipv4: 0, ipv6: 96}\n"},
        f"{Q}:8:18: ipv4 must be at least 8",
        f"{Q}:8:27: ipv6 may be at most 64",
    ),
    row(
        "what a practitioner has without the store is part of what the node has",
        {Q: ("quotas:\n", "emergency: {practitioner: 9, node: 5, total: 50, per: 1d, longest: 10m}\nquotas:\n")},
        f"{Q}:1:27: practitioner is more than node, which bounds it",
    ),
    row(
        "what a node has without the store is part of the total",
        {Q: ("quotas:\n", "emergency: {practitioner: 5, node: 50, total: 40, per: 1d, longest: 10m}\nquotas:\n")},
        f"{Q}:1:36: node is more than total, which bounds it",
    ),
    row(
        "what a practitioner has without the store is small beside each limit",
        {Q: ("quotas:\n", "emergency: {practitioner: 61, node: 100, total: 400, per: 1d, longest: 10m}\nquotas:\n")},
        f"{Q}:1:27: more than a limit of pharmacien, which is 60 persons (a few patients' worth)",
    ),
    row(
        "an outage is not bridged for hours",
        {Q: ("quotas:\n", "emergency: {practitioner: 5, node: 50, total: 400, per: 1d, longest: 2h}\nquotas:\n")},
        f"{Q}:1:70: an outage may be bridged for at most 1h (for so long nobody learns what is revoked on other nodes)",
    ),
    row(
        "an outage is shorter than the window of its budget",
        {Q: ("quotas:\n", "emergency: {practitioner: 5, node: 50, total: 400, per: 5m, longest: 10m}\nquotas:\n")},
        f"{Q}:1:70: longest is more than per: the budget would be there anew within one outage",
    ),
    row(
        "no window without the store is longer than the others",
        {Q: ("quotas:\n", "emergency: {practitioner: 5, node: 50, total: 400, per: 31d, longest: 10m}\nquotas:\n")},
        f"{Q}:1:57: a window may be at most 30d long",
    ),
    row(
        "a weight that no budget counts is told to have no effect",
        {C: ("response: {format: json}", "response: {format: json}\n  weight: 5")},
        f"{C}:7:3: weight has no effect: there are no budgets of units",
    ),
    row(
        "a limit of units below the weight of what the profession may ask is told",
        {
            C: ("response: {format: json}", "response: {format: json}\n  weight: 5"),
            Q: (
                "requests: [{limit: 20, per: 10s}]",
                "requests: [{limit: 20, per: 10s}]\n    units: [{limit: 4, per: 1h}]",
            ),
        },
        f"{Q}:6:21: one cartes.lecture weighs 5: it could never be asked",
    ),
    row(
        "a weight is a whole number from 1 on",
        {C: ("response: {format: json}", "response: {format: json}\n  weight: 0")},
        f"{C}:7:11: weight must be at least 1",
    ),
    row(
        "a parameter of the path needs a type",
        {C: ("adherent: member-number", "autre: code")},
        f"{C}:2:30: the type of {{adherent}} is not given (add parameters: {{adherent: …}})",
        f"{C}:4:33: the path has no {{autre}} (known: adherent, amc)",
        f"{C}:5:29: {{adherent}} is not in the request (known: {{amc}}, {{autre}})",
    ),
    row(
        "a path cannot hold one parameter twice",
        {C: ("{amc}/{adherent}", "{amc}/{adherent}/{amc}")},
        f"{C}:2:30: the path has {{amc}} twice",
    ),
    row(
        "a NIR does not belong in a path",
        {C: ("parameters: {amc: amc-number", "parameters: {amc: nir")},
        f"{C}:4:21: a nir does not belong in a path: paths end up in logs",
        f"{C}:5:20: {{amc}} is of type nir, and amc-number is needed here",
    ),
    row(
        "a path parameter cannot be optional",
        {C: ("amc: amc-number", "amc: {type: amc-number, required: false}")},
        f"{C}:4:21: a path parameter cannot be optional",
        f"{C}:5:20: {{amc}} may be left out, and then nobody would be charged",
    ),
    row(
        "a GET has no body",
        {C: ("  parameters:", "  request: {date: date}\n  parameters:")},
        f"{C}:4:3: a GET has no body (use POST, or parameters in the path or query)",
    ),
    row(
        "a NIR does not belong in a query",
        {C: ("  subject:", "  query: {nir: nir}\n  subject:")},
        f"{C}:5:16: a nir does not belong in a query: addresses end up in logs (ask by POST, and write it under request)",
    ),
    row(
        "a POST asks with its body",
        {D: ("  subject:", "  query: {domaine: domain}\n  subject:")},
        f"{D}:9:3: only a GET has a query (write the members under request)",
        f"{D}:9:3: a search without a member number that must be given walks through everybody (add a parameter of type member-number that is required)",
    ),
    row(
        "a search about persons may have the member number in its path, and no problem then",
        {
            C: (
                '  subject: {card: ["{amc}", "{adherent}"]}\n  response: {format: json}',
                "  query: {member: {type: member-number, required: false}}\n"
                '  response: {format: json, scope: listed, persons: ["/a[]"], identified_by: {nir: n, birth_date: d, birth_rank: r}}',
            ),
        },
    ),
    row(
        "a search about persons without anybody's number walks through everybody",
        {
            C: (
                '/{amc}/{adherent}"}\n  require: {level: eleve, max_auth_age: 1h}\n  parameters: {amc: amc-number, adherent: member-number}\n'
                '  subject: {card: ["{amc}", "{adherent}"]}\n  response: {format: json}',
                '"}\n  require: {level: eleve, max_auth_age: 1h}\n  query: {amc: amc-number, member: {type: member-number, required: false}}\n'
                '  response: {format: json, scope: listed, persons: ["/a[]"], identified_by: {nir: n, birth_date: d, birth_rank: r}}',
            ),
            V: ('    /numeroAMC: {echo: "{amc}"}\n', ""),
        },
        f"{C}:4:3: a search without a member number that must be given walks through everybody (add a parameter of type member-number that is required)",
    ),
    row(
        "a choice has a list, a number has an end, and neither has the other's",
        {
            C: (
                "  subject:",
                "  query: {a: choice, b: number, c: {type: code, at_most: 3}, d: {type: choice, one_of: [a/b]}}\n  subject:",
            )
        },
        f"{C}:5:14: a choice is one of a list (add one_of: […])",
        f"{C}:5:25: numbers and persons, and nothing else, have an at_most (write {{type: number, at_most: …}})",
        f"{C}:5:36: numbers and persons, and nothing else, have an at_most",
        f"{C}:5:80: 'a/b' is not a value of type choice",
    ),
    row(
        "a query has a bounded number of parameters",
        {C: ("  subject:", f"  query: {{{', '.join(f'a{n}: code' for n in range(17))}}}\n  subject:")},
        f"{C}:5:3: a query has at most 16 parameters",
    ),
    row(
        "a name that a query cannot have is refused",
        {C: ("  subject:", '  query: {"a=b": code}\n  subject:')},
        f"{C}:5:11: 'a=b' cannot be a key here (write a name of the upstream, as in subscriber-id, _include or payor:identifier)",
    ),
    row(
        "a form has no numbers",
        {D: ("  request:\n", "  body: {format: form}\n  request:\n    n: {type: number, at_most: 3}\n")},
        f"{D}:6:8: a number stands in a JSON body, a path or a query",
    ),
    row(
        "a date alone is near today, and in a body",
        {
            D: (
                "    domaine: {",
                "    a: {type: code, past: 1d}\n    b: {type: date, past: 0d, ahead: 5d}\n    domaine: {",
            ),
            C: ("  subject:", "  query: {q: {type: date, ahead: 1d}}\n  subject:"),
        },
        f"{D}:8:8: only a date is in the past or ahead",
        f"{C}:5:14: what stands in a path or a query has no past and no ahead (ask by POST, and write the date under request)",
    ),
    row(
        "how near a date is, is counted in days",
        {D: ("    domaine: {", "    b: {type: date, past: 36h, ahead: 5}\n    domaine: {")},
        f"{D}:8:27: past is '36h': write a whole number of days, as in 30d",
        f"{D}:8:39: ahead is 5: write a whole number of days, as in 30d",
    ),
    row(
        "several persons are named by members, and so many",
        {D: ("    domaine: {", "    p: persons\n    domaine: {")},
        f"{D}:8:8: numbers and persons, and nothing else, have an at_most (write {{type: persons, at_most: …}})",
        f"{D}:8:8: persons, and nothing else, are named by members (write members: {{nir: …, birth_date: …, birth_rank: …}})",
        f"{D}:8:8: the request asks about persons by p, but subject does not say so (add subject: {{persons: /p}})",
        f"{D}:11:3: an answer about 0 persons needs scope: listed, and max_persons as many",
    ),
    row(
        "one name for two members of a person is a question that nobody could ask",
        {
            "operations/x.yaml": "x:\n  match: {method: POST, path: /v1/lot}\n  require: {level: eleve, max_auth_age: 1h}\n"
            "  request:\n    p: {type: persons, at_most: 3, members: {nir: n, birth_date: d, birth_rank: n}}\n"
            "  subject: {persons: /p}\n  response:\n    format: json\n    scope: listed\n    max_persons: 3\n"
            '    persons: ["/a[]"]\n    identified_by: {nir: n, birth_date: d, birth_rank: r}\n'
        },
        "operations/x.yaml:5:81: n is the name of nir and of birth_rank: nothing is both, so nobody would ever be served (give each the name that the API has for it)",
    ),
    row(
        "one name for two members of an answer's person is an answer that never leaves",
        {D: ("birth_date: dateNaissance, birth_rank: rangGemellaire}", "birth_date: nir, birth_rank: nir}")},
        f"{D}:13:60: nir is the name of nir and of birth_date and of birth_rank: nothing is both, so nobody would ever be served (give each the name that the API has for it)",
    ),
    row(
        "one person and several are two questions, and an answer about several is one that lists them",
        {
            D: (
                "    domaine: {type: domain, required: false, one_of: [PHAR, MED]}\n  subject: {",
                "    p: {type: persons, at_most: 3, members: {nir: n, birth_date: d, birth_rank: r}}\n  subject: {persons: /p, ",
            )
        },
        f"{D}:9:3: the subject is one person, a card or several persons",
        f"{D}:10:3: an answer about 3 persons needs scope: listed, and max_persons as many",
    ),
    row(
        "a POST without members asks nothing",
        {C: ("method: GET", "method: POST")},
        f"{C}:1:1: a POST needs request: the members of its body",
    ),
    row(
        "two operations that one request matches are told at the second",
        {
            "operations/x.yaml": "x:\n  match: {method: GET, path: '/v1/cartes/{a}/liste'}\n  require: {level: eleve, max_auth_age: 1h}\n  parameters: {a: code}\n  response: {format: json}\n"
        },
        f"operations/x.yaml:2:30: some requests match both this path and that of cartes.lecture (see {C}:1)",
    ),
    row(
        "the same path with another method is another question",
        {
            "operations/x.yaml": "x:\n  match: {method: POST, path: '/v1/cartes/{a}/liste'}\n  require: {level: eleve, max_auth_age: 1h}\n  parameters: {a: code}\n  request: {date: date}\n  response: {format: json}\n"
        },
    ),
    row(
        "a question about persons whose answer declares none would let everybody in it leave, uncounted",
        {C: ("match: {method: GET,", "request: {nom: name}\n  match: {method: POST,")},
        f"{C}:7:3: the request asks about persons by nom, but response does not say where persons stand (add persons and identified_by: whoever is not declared is not counted)",
    ),
    row(
        "a consultation that forgets its persons would let the family leave",
        {
            D: (
                '    persons: [/beneficiaire, "/famille[]"]\n    identified_by: {nir: nir, birth_date: dateNaissance, birth_rank: rangGemellaire}\n',
                "",
            ),
            V: ("    /beneficiaire/dateNaissance: echo\n", ""),
        },
        f"{D}:10:3: the request asks about persons by immatriculation, but response does not say where persons stand (add persons and identified_by: whoever is not declared is not counted)",
    ),
    row(
        "a consultation that lists would let the family leave, counted or not",
        {D: ("    format: json\n", "    format: json\n    scope: listed\n    max_persons: 50\n")},
        f"{D}:12:12: the subject is one person, and listed would let everybody around them leave (write scope: asked, or leave it out)",
    ),
    row(
        "an operation in two files is told at the second",
        {
            "operations/x.yaml": "cartes.lecture:\n  match: {method: GET, path: /v1/autre}\n  require: {level: eleve, max_auth_age: 1h}\n  response: {format: json}\n"
        },
        f"operations/x.yaml:1:1: the operation cartes.lecture is already in {C}:1",
    ),
    row(
        "the subject must be in the request",
        {D: ("birth_date: /dateNaissance", "birth_date: /dateNaissanc")},
        f"{D}:9:48: /dateNaissanc is not in the request (did you mean /dateNaissance?)",
    ),
    row(
        "the subject's fields have the subject's types",
        {D: ("birth_date: /dateNaissance", "birth_date: /domaine")},
        f"{D}:9:48: /domaine is of type domain, and birth-date is needed here",
    ),
    row(
        "a NIR alone does not name a person",
        {D: (", birth_rank: /rangGemellaire", "")},
        f"{D}:9:3: a person is named by nir, birth_date and birth_rank: birth_rank is missing",
    ),
    row(
        "a subject that may be left out would charge nobody",
        {D: ("rangGemellaire: birth-rank", "rangGemellaire: {type: birth-rank, required: false}")},
        f"{D}:9:76: /rangGemellaire may be left out, and then nobody would be charged",
    ),
    row(
        "two NIRs in one question name two persons",
        {D: ("    domaine:", "    autre: nir\n    domaine:")},
        f"{D}:8:12: a second field of type nir: it would not be clear who is asked about",
    ),
    row(
        "a request with a NIR must say that it asks about a person",
        {D: ("  subject: {nir: /immatriculation, birth_date: /dateNaissance, birth_rank: /rangGemellaire}\n", "")},
        f"{D}:11:5: nobody is asked about by NIR, so no person of the answer could be the one asked about (add subject, or scope: listed, or leave persons out)",
        f"{D}:5:22: the request asks about a person by immatriculation, but subject does not say so (add subject: {{nir, birth_date, birth_rank}})",
    ),
    row(
        "a card has two numbers",
        {C: ('["{amc}", "{adherent}"]', '["{amc}"]')},
        f"{C}:5:13: a card is named by its AMC number and its member number",
    ),
    row(
        "a subject is a person or a card",
        {D: ("birth_rank: /rangGemellaire}", "birth_rank: /rangGemellaire, card: [/domaine, /domaine]}")},
        f"{D}:9:3: the subject is a person or a card, not both",
        f"{D}:9:100: /domaine is of type domain, and amc-number is needed here",
        f"{D}:9:110: /domaine is of type domain, and member-number is needed here",
    ),
    row(
        "members that name persons need the place where persons stand",
        {C: ("{format: json}", "{format: json, identified_by: {nir: a, birth_date: b, birth_rank: c}}")},
        f"{C}:6:28: persons must say where the persons stand",
    ),
    row(
        "choices are values of their type",
        {D: ("[PHAR, MED]", "[PHAR, MEDECIN]")},
        f"{D}:8:46: 'MEDECIN' is not a value of type domain",
    ),
    row(
        "persons without the members that name them are refused",
        {D: ("    identified_by: {nir: nir, birth_date: dateNaissance, birth_rank: rangGemellaire}\n", "")},
        f"{D}:12:5: identified_by must say which members name a person",
    ),
    row(
        "a list of persons must say where they stand",
        {C: ("{format: json}", "{format: json, scope: listed}")},
        f"{C}:6:28: a list of persons needs persons: where they stand",
    ),
    row(
        "a list in a list in a list would leave things of whom nobody counts",
        {
            C: (
                "{format: json}",
                '{format: json, scope: listed, persons: ["/a[]/b[]/c[]"], '
                "identified_by: {nir: n, birth_date: d, birth_rank: r}}",
            )
        },
        f"{C}:6:53: /a[]/b[]/c[] has a list around the list that names persons: whose is what is in it? "
        "(one outer list at most)",
    ),
    row(
        "persons are found everywhere or not at all",
        {D: ('"/famille[]"', '"/famille[qualite=enfant]"')},
        f"{D}:12:30: /famille[qualite=enfant] has a condition: persons are found everywhere or not at all (write [] instead)",
    ),
    row(
        "persons that the operation does not declare may not leave",
        {V: ("/csr: keep", "/famille[]/prenom: keep")},
        f"{V}:8:5: /famille[] holds persons, but cartes.lecture does not list it under response.persons",
    ),
    row(
        "a NIR where nobody is declared would leave unseen",
        {V: ("    /csr: keep", "    /titulaire/nir: keep")},
        f"{V}:8:5: nir says who somebody is, but cartes.lecture lists no person there (list the person under response.persons, or drop the line)",
    ),
    row(
        "a birth date below a person's own list is not that person's",
        {V: ("/beneficiaire/dateNaissance: echo", "/beneficiaire/enfants[]/dateNaissance: keep")},
        f"{V}:4:5: dateNaissance says who somebody is, but droits.consultation lists no person there (list the person under response.persons, or drop the line)",
    ),
    row(
        "a person inside another object is not the declared one",
        {V: ("/beneficiaire/nomUsuel", "/autre/beneficiaire/nomUsuel")},
        f"{V}:3:5: /autre/beneficiaire holds persons, but droits.consultation does not list it under response.persons",
    ),
    row(
        "a line that is none hides nothing of the others",
        {V: ("    /csr: keep", "    csr: keep\n    /famille[]/prenom: keep")},
        f"{V}:8:5: 'csr' cannot be a key here (a path begins with /)",
        f"{V}:9:5: /famille[] holds persons, but cartes.lecture does not list it under response.persons",
    ),
    row(
        "a whole person is not a field",
        {V: ("/beneficiaire/nomUsuel", "/beneficiaire")},
        f"{V}:3:5: /beneficiaire is a whole person (name the fields of that person, one a line)",
        f"{V}:4:5: /beneficiaire is a field in one line and holds other fields here",
    ),
    row(
        "a declared list of persons cannot be taken as one person",
        {V: ("/beneficiaire/nomUsuel", "/famille/nomUsuel")},
        f"{V}:3:5: famille is not a list here and a list in /famille[]",
    ),
    row(
        "one member is not a list in one line and an object in another",
        {V: ("    /csr: keep", "    /csr/a: keep\n    /csr[]/b: keep")},
        f"{V}:9:5: csr is a list here and not a list in /csr/a",
    ),
    row(
        "one member is not a field in one line and an object in another",
        {V: ("    /csr: keep", "    /csr: keep\n    /csr/b: keep")},
        f"{V}:9:5: /csr is a field in one line and holds other fields here",
    ),
    row(
        "what is echoed must be something the request can hold",
        {V: ('"{amc}"', '"{numero}"')},
        f"{V}:9:17: '{{numero}}' is not a value of the request, so nothing could be echoed (known: {{adherent}}, {{amc}})",
    ),
]


def test_the_small_policy_is_right() -> None:
    """What every row below spoils is without problems before."""
    assert problems({}) == []


@pytest.mark.parametrize(("changes", "told"), [*SHAPES, *FILES, *CROSS])
def test_mistake(changes: Changes, told: list[str]) -> None:
    """Each mistake gives these problems, at these places, and no other."""
    assert sorted(problems(changes)) == sorted(told)


def test_all_problems_of_all_files_are_told_at_once() -> None:
    """A broken file does not hide what is wrong with the others, nor is it held against them."""
    told = problems(
        {Q: ("limit: 60", "limit: 0"), D: ("level:", "levl:"), V: ("/csr: keep", "/famille[]/a: keep"), W: ("21", "2")}
    )
    assert [line.partition(": ")[0] for line in told] == [f"{D}:3:3", f"{D}:3:13", f"{Q}:3:23", f"{W}:2:22"]


def test_what_a_broken_operations_file_would_have_said_is_not_held_against_views() -> None:
    """An unreadable file makes none of its operations unknown."""
    assert problems({D: "a: &x 1\n"}) == [
        f"{D}:1:4: anchors (&) are not allowed (write the value out where it is needed)"
    ]


def test_operators_have_the_last_word_on_a_line() -> None:
    """What the injected checker says is told at the operator's place."""

    def no_keep(rule: FieldRule, shape: ResponseShape) -> str | None:
        return "keep is not good enough" if rule.operator == "keep" and not shape.persons else None

    told = compile_policy(small(), no_keep)
    assert not isinstance(told, Policy)
    assert [as_line(problem) for problem in told] == [f"{V}:8:11: keep is not good enough"]


def test_a_policy_is_refused_whole() -> None:
    """One problem among many right files, and nothing is used."""
    assert isinstance(compile_policy(small({Q: ("limit: 60", "limit: 0")}), lambda *_: None), tuple)
    assert isinstance(compiled(), Policy)


HUGE = [
    pytest.param(
        D,
        lambda n: (
            f"o{n}: {{match: {{method: GET, path: /v1/x}}, require: {{level: eleve, max_auth_age: 1h}}, response: {{format: json}}}}\n"
        ),
        "a policy has at most 200 operations",
        id="two thousand operations, each of which meets every other",
    ),
    pytest.param(
        V, lambda n: f"op{n}: {{dispensation: {{/a: keep}}}}\n", "unknown operation", id="seven thousand views"
    ),
    pytest.param(
        Q, lambda n: f"  p{n}: {{}}\n" if n else "quotas:\n", "unknown profession", id="twenty thousand payers"
    ),
    pytest.param(
        V,
        lambda n: f"    /a[b=c{n}]/d: keep\n" if n else "cartes.lecture:\n  dispensation:\n",
        "may have at most 400",
        id="ten thousand lines",
    ),
    pytest.param(W, lambda n: "[" * 1000, "nested more than 12 deep", id="a quarter of a million brackets"),
    pytest.param(A, lambda n: "a: &x [*x]\n", "aliases", id="references to references"),
    pytest.param(A, lambda n: "? " * 500, "nested more than 12 deep", id="keys of keys"),
]


@pytest.mark.parametrize(("name", "unit", "says"), HUGE)
def test_a_file_as_long_as_allowed_is_judged_in_seconds(name: str, unit: Callable[[int], str], says: str) -> None:
    """256 KB of whatever takes longest: told, at most a thousand problems of it, and the loader is not kept busy."""
    parts: list[str] = []
    length = 0
    while length + len(text := unit(len(parts))) <= 256 * 1024:
        parts.append(text)
        length += len(text)
    started = time.process_time()
    told = compile_policy(small({name: "".join(parts)}), lambda *_: None)
    assert time.process_time() - started < 10
    assert not isinstance(told, Policy)
    assert len(told) <= 1000
    assert any(says in str(problem) for problem in told)
