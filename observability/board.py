"""The first dashboard: four questions, in the order in which somebody woken at night asks them.

Every selector carries `instance=~"$instance"`. No panel shows who was looked up: persons are counted, never named.
"""

from typing import Final

from grafana import Json, Panel, Query, Row, dashboard, label_variable, source_variable

HERE: Final = 'instance=~"$instance"'
OVER: Final = "[$__rate_interval]"


def _rate(metric: str, by: str = "", only: str = "") -> str:
    """Per second, summed over nodes."""
    inside = f"{metric}{{{', '.join(filter(None, (HERE, only)))}}}{OVER}"
    return f"sum{f' by ({by}) ' if by else ''}(rate({inside}))"


def _increase(metric: str, by: str) -> str:
    """In the time between two points, summed over nodes."""
    return f"sum by ({by}) (increase({metric}{{{HERE}}}{OVER}))"


def _quantile(share: float, metric: str, by: str = "", only: str = "") -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', ', '.join(filter(None, ('le', by))), only)})"


SERVING: Final = Row(
    "Is it serving?",
    (
        Panel(
            "Nodes that answer",
            "Nodes whose readiness is good: policy, key sets, state store, ledger and listener.",
            "short",
            (Query(f"sum(paravent_ready{{{HERE}}})"),),
            kind="stat",
            width=3,
        ),
        Panel(
            "Nodes that do not",
            "Nodes that are scraped and say that they are not ready. /readyz of the node names the part.",
            "short",
            (Query(f"count(paravent_ready{{{HERE}}} == 0) or vector(0)"),),
            kind="stat",
            width=3,
            red_from=1,
        ),
        Panel(
            "Requests by decision",
            "Released, denied before the upstream was asked, or withheld after. A beneficiary that the upstream does "
            "not know counts as withheld.",
            "reqps",
            (Query(_rate("paravent_decisions_total", "decision"), "{{decision}}"),),
            width=10,
            stacked=True,
        ),
        Panel(
            "Time of a released answer",
            "From the last byte of the request's head to its record being durable: the upstream is included. Half of "
            "the practitioners wait less than the lower line, one in a hundred more than the upper.",
            "s",
            (
                Query(_quantile(0.5, "paravent_request_seconds", only='decision="release"'), "median"),
                Query(_quantile(0.99, "paravent_request_seconds", only='decision="release"'), "99th percentile"),
            ),
        ),
        Panel(
            "Time by stage",
            "99th percentile of our decision, the upstream, our reduction of its answer, and the ledger. Ours should "
            "stay under 2 ms together.",
            "s",
            (Query(_quantile(0.99, "paravent_stage_seconds", "stage"), "{{stage}}"),),
        ),
        Panel(
            "Open connections",
            "Client connections of each node; one process takes 4096.",
            "short",
            (Query(f"paravent_connections{{{HERE}}}", "{{instance}}"),),
        ),
        Panel(
            "Connections refused",
            "Closed before a request was read: the node is full, one address holds too many, it is draining, or "
            "somebody spoke plaintext who may not.",
            "cps",
            (Query(_rate("paravent_connections_refused_total", "cause"), "{{cause}}"),),
        ),
    ),
)

REFUSED: Final = Row(
    "Who is refused, and why?",
    (
        Panel(
            "Everything not released, by reason",
            "Reasons of the last minutes only. docs/reference lists them all with what a practitioner is told.",
            "reqps",
            (Query(f"{_rate('paravent_decisions_total', 'reason', 'decision!="release"')} > 0", "{{reason}}"),),
            width=12,
            stacked=True,
        ),
        Panel(
            "Refused at the door",
            "Tokens not accepted, proofs of possession not accepted, and good tokens of a login that was too weak or "
            "too old: that is what a stolen password looks like. And tokens of networks that were refused too often.",
            "reqps",
            (
                Query(_rate("paravent_decisions_total", only='reason=~"token_.+"'), "token"),
                Query(_rate("paravent_decisions_total", only='reason=~"binding_.+|dpop_.+"'), "proof of possession"),
                Query(
                    _rate("paravent_decisions_total", only='reason=~"assurance_too_low|authentication_too_old"'),
                    "weak or old login",
                ),
                Query(_rate("paravent_decisions_total", only='reason="network_refused_often"'), "network told to wait"),
            ),
            width=12,
        ),
        Panel(
            "Refused over budget",
            "By what was spent: persons, requests, misses, units. A few a day are normal.",
            "reqps",
            (Query(_rate("paravent_decisions_total", "reason", 'reason=~".+_over_budget"'), "{{reason}}"),),
        ),
        Panel(
            "Whose budget was spent",
            "The payer without room: practitioner, establishment, software, certificate, network or fleet. All but the "
            "first stop everybody behind them.",
            "reqps",
            (Query(_rate("paravent_over_budget_total", "scope, kind"), "{{scope}} {{kind}}"),),
        ),
        Panel(
            "Grants and suspensions in force",
            "Decisions about single practitioners, in the book that all nodes share.",
            "short",
            (Query(f"max by (kind) (paravent_measures{{{HERE}}})", "{{kind}}"),),
        ),
        Panel(
            "Decided by the proxy itself",
            "Suspensions of those who went on asking after refusals, and broken glasses. Each one is to be looked at.",
            "short",
            (Query(_increase("paravent_measures_enacted_total", "kind"), "{{kind}}"),),
            width=12,
        ),
        Panel(
            "Warned that a budget is nearly spent",
            "Answers that carried `Paravent-Warning` (`warn_at` of the policy): practitioners who are about to be "
            "refused, and whose software could tell them.",
            "reqps",
            (Query(_rate("paravent_budget_warnings_total"), "warned"),),
        ),
        Panel(
            "How full the fullest budgets are",
            "99th percentile, over questions let through, of the share of the practitioner's own budget that was used "
            "after it; a line for each kind and window. At 1 somebody is at the limit.",
            "percentunit",
            (Query(_quantile(0.99, "paravent_budget_used_ratio", "kind, window_s"), "{{kind}} in {{window_s}} s"),),
            red_from=1,
        ),
        Panel(
            "Questions asked with a nearly spent budget",
            "Share of the questions let through after which more than nine tenths of a budget was used. When it "
            "rises slowly the limits are too tight for honest work; when it jumps somebody is harvesting.",
            "percentunit",
            (
                Query(
                    "1 - "
                    + _rate("paravent_budget_used_ratio_bucket", "kind, window_s", 'le="0.9"')
                    + " / "
                    + _rate("paravent_budget_used_ratio_count", "kind, window_s"),
                    "{{kind}} in {{window_s}} s",
                ),
            ),
        ),
    ),
)

LEAVES: Final = Row(
    "What leaves?",
    (
        Panel(
            "Persons disclosed an hour",
            "Persons in released answers, by operation and profession (10 doctor, 21 pharmacist, 28 optician). The "
            "same person in two answers counts twice; budgets and the ledger count each once.",
            "short",
            (
                Query(
                    f"3600 * {_rate('paravent_persons_disclosed_total', 'operation, profession')}",
                    "{{operation}}, {{profession}}",
                ),
            ),
            stacked=True,
        ),
        Panel(
            "Persons disclosed, this week and last",
            "Per hour, against the same hour a week ago. Care has a weekly rhythm; a harvest has none.",
            "short",
            (
                Query(f"sum(increase(paravent_persons_disclosed_total{{{HERE}}}[1h]))", "now"),
                Query(f"sum(increase(paravent_persons_disclosed_total{{{HERE}}}[1h] offset 1w))", "a week ago"),
            ),
        ),
        Panel(
            "What one theft could expose in a day",
            "The most persons that a stolen account, establishment, software, certificate or network could read in a "
            "day under the policy in force, spending every budget at once. A step upwards is a limit that was raised.",
            "short",
            (
                Query(
                    f'max by (scope, profession) (paravent_blast_radius_persons{{{HERE}, period_s="86400"}})',
                    "{{scope}} {{profession}}",
                ),
            ),
        ),
        Panel(
            "Values that leave for a person",
            "Field values released for each person disclosed. A step upwards is a policy that widened.",
            "short",
            (
                Query(
                    _rate("paravent_values_released_total", "operation")
                    + " / ("
                    + _rate("paravent_persons_disclosed_total", "operation")
                    + " > 0)",
                    "{{operation}}",
                ),
            ),
        ),
        Panel(
            "Values released and dropped",
            "Field values of the upstream's answers: those that left, and those that the views keep in.",
            "short",
            (
                Query(_rate("paravent_values_released_total", "operation"), "{{operation}} released"),
                Query(_rate("paravent_values_dropped_total", "operation"), "{{operation}} dropped"),
            ),
            width=12,
        ),
        Panel(
            "Fields that no view names",
            "What the upstream sends and nobody is given, by operation, in the answers that were looked through. A "
            "step is a new field, which ten people's answers had: `paravent policy drift` lists them.",
            "short",
            (
                Query(
                    f"count by (operation) (sum by (operation, path) (paravent_unnamed_fields_total{{{HERE}}})) - 1",
                    "{{operation}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Answers withheld",
            "The upstream answered and it did not leave. answer_identifier_left and answer_other_person are the "
            "last nets: something before them let through what it should not have.",
            "reqps",
            (Query(f"{_rate('paravent_decisions_total', 'reason', 'decision="withhold"')} > 0", "{{reason}}"),),
            width=12,
        ),
    ),
)

HEALTH: Final = Row(
    "Is it healthy?",
    (
        Panel(
            "Faults at the boundary",
            "Exceptions caught by the guard and answers stopped at the last check, in the time shown. Each one is a "
            "bug of ours; each one closed.",
            "short",
            (
                Query(
                    f"sum(increase(paravent_guard_exceptions_total{{{HERE}}}[$__range]))"
                    f" + sum(increase(paravent_unmarked_responses_total{{{HERE}}}[$__range]))"
                ),
            ),
            kind="stat",
            width=4,
            red_from=0.5,
        ),
        Panel(
            "Policy folder",
            "Broken: the folder holds a policy that cannot be used, and the last good one stays in force.",
            "short",
            (Query(f"max(paravent_policy_broken{{{HERE}}})"),),
            kind="stat",
            width=4,
            red_from=1,
            words={0: "good", 1: "broken"},
        ),
        Panel(
            "Policy in force",
            "Nodes by the revision they decide with. Two revisions for longer than a roll-out is a node left behind.",
            "short",
            (Query(f"count by (revision) (paravent_policy_info{{{HERE}}})", "{{revision}}"),),
            kind="stat",
            width=8,
        ),
        Panel(
            "Age of the policy in force",
            "Since the node that loaded it last did so; a reload that changes nothing does not count.",
            "s",
            (Query(f"time() - max(paravent_policy_loaded_timestamp_seconds{{{HERE}}})"),),
            kind="stat",
            width=8,
        ),
        Panel(
            "Time to make a record durable",
            "Nothing leaves before its record is on disk, so this is in every answer's time.",
            "s",
            (
                Query(_quantile(0.5, "paravent_stage_seconds", only='stage="audit"'), "median"),
                Query(_quantile(0.99, "paravent_stage_seconds", only='stage="audit"'), "99th percentile"),
            ),
        ),
        Panel(
            "Records that could not be written",
            "Each one refused a request or withheld an answer: what cannot be recorded does not leave.",
            "short",
            (Query(_rate("paravent_audit_failures_total"), "failures a second"),),
        ),
        Panel(
            "Upstream failures",
            "Exchanges that gave no usable answer, by reason. client_left is a caller who hung up, not a failure.",
            "reqps",
            (Query(_rate("paravent_upstream_failures_total", "reason"), "{{reason}}"),),
        ),
        Panel(
            "Upstream circuit",
            "1 where a node only probes the upstream, because it failed too often.",
            "short",
            (Query(f"paravent_upstream_circuit_open{{{HERE}}}", "{{instance}}"),),
            red_from=1,
        ),
        Panel(
            "Age of the key sets",
            "Since each issuer's keys were last fetched or read. Past `jwks_stale_for` its tokens are refused.",
            "s",
            (Query(f"max by (issuer) (paravent_keys_age_seconds{{{HERE}}})", "{{issuer}}"),),
        ),
        Panel(
            "Key sets that could not be read",
            "Failed reads of each issuer's keys. The last good set serves meanwhile.",
            "short",
            (Query(_increase("paravent_keys_failures", "issuer"), "{{issuer}}"),),
        ),
        Panel(
            "Revocations in force",
            "Entries of each list: the file, and the one that all nodes share. Nodes that differ do not read the same.",
            "short",
            (Query(f"max by (source) (paravent_revocations_entries{{{HERE}}})", "{{source}}"),),
        ),
        Panel(
            "Issuers that are only watched",
            "Their unbound tokens are judged, put on record and refused. It should be 0 but for the weeks of a change.",
            "short",
            (Query(f"max(paravent_policy_unbound_issuers{{{HERE}}})", "issuers"),),
        ),
        Panel(
            "Logouts reported by issuers",
            "accepted: in force everywhere. refused: not signed by an issuer of ours, too old, or told before. "
            "unavailable: the issuer has to try again.",
            "short",
            (Query(_increase("paravent_logouts_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            "Age of the lists of revocations",
            "Since each list was last read; twice a second when all is well. Past 30 s for the shared one, nobody is "
            "let in.",
            "s",
            (Query(f"max by (source) (paravent_revocations_age_seconds{{{HERE}}})", "{{source}}"),),
        ),
        Panel(
            "Age of the book of grants and suspensions",
            "Since it was last read; twice a second when all is well. Past 30 s nobody is let in.",
            "s",
            (Query(f"max(paravent_measures_age_seconds{{{HERE}}})", "book"),),
        ),
        Panel(
            "Issuers that did not answer",
            "Introspections that got no clear answer in time, of each issuer. Every one of them was a 503.",
            "short",
            (Query(_increase("paravent_introspection_failed", "issuer"), "{{issuer}}"),),
        ),
        Panel(
            "Questions to issuers",
            "Introspections of each issuer: one in three seconds for each token in use.",
            "reqps",
            (Query(_rate("paravent_introspection_asked", "issuer"), "{{issuer}}"),),
        ),
        Panel(
            "Waiting for the state store",
            "Operations on budgets that wait, by node. It should touch 0 all the time.",
            "short",
            (Query(f"paravent_state_queue{{{HERE}}}", "{{instance}}"),),
        ),
        Panel(
            "Without the state store",
            "Questions let through on each node's emergency budget, and persons that the store has yet to hear of.",
            "short",
            (
                Query(f"increase(paravent_emergency_questions_total{{{HERE}}}{OVER})", "{{instance}} questions"),
                Query(f"paravent_emergency_owed{{{HERE}}}", "{{instance}} owed"),
            ),
        ),
        Panel(
            "CPU of each node",
            "One process is one event loop: near 1 every practitioner waits for the others.",
            "percentunit",
            (Query(f'rate(process_cpu_seconds_total{{{HERE}, job="paravent"}}{OVER})', "{{instance}}"),),
            red_from=0.9,
        ),
        Panel(
            "Memory and files of each node",
            "Resident memory. A line that only rises is a leak; restart with a drain.",
            "bytes",
            (Query(f'process_resident_memory_bytes{{{HERE}, job="paravent"}}', "{{instance}}"),),
        ),
    ),
)


def board() -> dict[str, Json]:
    """The document of dashboards/paravent.json."""
    return dashboard(
        "paravent",
        "Paravent",
        "Is it serving, who is refused, what leaves, is it healthy. Generated by observability/build.py.",
        (source_variable(), label_variable("instance", "Node", "label_values(paravent_ready, instance)")),
        (SERVING, REFUSED, LEAVES, HEALTH),
    )
