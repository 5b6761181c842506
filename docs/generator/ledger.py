"""ledger.md: the members of a record. The example is made by the code that writes the ledger."""

import json
from collections.abc import Mapping
from typing import Final

from generator.markdown import code, made_by, table
from paravent.audit.chain import MEMBERS, genesis, seal
from paravent.audit.keys import ChainKey, derive_keys
from paravent.audit.record import record
from paravent.model import About, Connection, Evidence, Facts, Practitioner, Release, Secret, Subject

_INTRODUCTION: Final = """\
One record a decision, written before the answer leaves: JSON lines in the folder `audit.path`. And one a command that
changes who may ask (`grant`, `practitioner suspend`, `practitioner release`, `revoke`), written before it is done, on
the machine that it is run on: `ledger-commands-000001.jsonl`. Its `decision` is `"command"`, its `reason` the verb
(`grant`, `withdraw`, `suspend`, `release`, `revoke`, `lift`), and its member `command` says the author and why (empty
where nobody said), how many persons, from when and until when (null: until it is lifted); of a revocation also its
`mark`, as `paravent revocations` lists it, and `issued_before`.

    ledger-0-000001.jsonl   lines of writer 0; the next file goes on where this one ends
    .ledger-0.head          where the chain of writer 0 ends
    .ledger-0.lock          held by the process that writes

Leave the folder to Paravent: a log rotator that moves or cuts a file breaks the chain. Read it with any tool, after
`paravent audit verify` has said that it is whole: [verify the ledger](../how-to/verify-the-ledger.md). Why it is made
like this: [decision 3](../decisions/0003-ledger.md).

No record holds a NIR, a name, a token, a contract number or a URL. A text that does not fit the grammar of its member
is recorded as `"other"`. The practitioner is named, since saying who acted is what the ledger is for.

"""

MEANING: Final[Mapping[str, str]] = {
    "v": "version of these members",
    "id": "the `reference` of the refusal that the caller saw; 32 hexadecimal characters",
    "at": "when the head of the request was complete, UTC",
    "status": "what the caller was answered",
    "policy": "revision of the policy that decided",
    "elapsed_ms": "from `at` to the decision, in milliseconds",
    "operation": "the policy's name of the question; null when none matched",
    "purpose": "the policy's word for what it was for",
    "practitioner": "RPPS, 11 digits; null when no token was verified",
    "profession": "TRE_G15 code",
    "finess": "the establishment that the token names",
    "client": "`client_id` of the software",
    "issuer": "name of the issuer in the configuration",
    "level": "the level of the policy that the login met",
    "auth_age_s": "seconds since the login",
    "binding": '`"dpop"`, `"mtls"`, or `"none"` for a token that was only watched (`observe_unbound`)',
    "token": "names the token without being one",
    "asked": "the person, or the card, asked about: a keyed hash",
    "measures": "ids of what was decided about this practitioner and had a part in it, a [grant](commands.md) say",
    "justification": "why the practitioner broke the glass, in their words; null in every other record",
    "emergency": "whether a node's emergency budget let it through, while the state store did not answer",
    "decision": '`"release"`: an answer left; `"deny"`: the API was not asked; `"withhold"`: it was asked, and its '
    "answer stayed here",
    "reason": "why not: [reasons](problems.md); null for a release",
    "persons": "everybody whom the answer disclosed: keyed hashes",
    "released": "path of the policy → how many values of it left",
    "dropped": "how many members and elements of the API's answer did not leave",
    "writer": "who wrote the line; each writer has a chain of its own",
    "seq": "1, 2, 3 …",
    "prev": "`mac` of the line before; 64 zeros in the first",
    "key": "names the key of the chain",
    "mac": "HMAC-SHA256 over all other members",
}


def example() -> dict[str, object]:
    """A sealed record of an invented lookup, as it stands in the file."""
    who = Practitioner("99921000005", "21", "992000008", "portail", "operateur")
    person = Subject(bytes(range(16, 32)))
    about = About(
        "droits.consultation", "dispensation", who, Evidence("substantiel", 312, "dpop", "fedcba9876543210"), person
    )
    facts = Facts(
        1_795_334_400_250, "61d09edc19e679d933667ac6695bc5ac", b"", b"", (), b"", Connection("127.0.0.1", True)
    )
    released = {"/beneficiaireDeSoins/nomUsuel": 1, "/contratsAMC[]/numeroAdherent": 2}
    release = Release(b"", b"application/json", about, (person,), released, 41)
    members = record(facts, release, status=200, revision="b5b1f7c21ac3f3f5", elapsed_ms=12)
    key = ChainKey.of(derive_keys(Secret(bytes(32))).chain)
    line, _ = seal(genesis("0"), members, key)
    sealed: dict[str, object] = json.loads(line)
    return sealed


def page() -> str:
    """The whole page."""
    sealed = example()
    names = [name for name in MEANING if name in sealed and name not in MEMBERS]
    chain = [name for name in MEANING if name in MEMBERS]
    shown = {name: sealed[name] for name in (*names, *chain)}
    return (
        "# The ledger\n\n"
        + made_by("`proxy/paravent/audit` and `docs/generator/ledger.py`")
        + _INTRODUCTION
        + "## A record\n\nSpread over lines here; in the file it is one line, its members sorted.\n\n```json\n"
        + json.dumps(shown, indent=2, ensure_ascii=False)
        + "\n```\n\n## Members\n\n"
        + table(("member", "meaning"), [(code(name), MEANING[name]) for name in names])
        + "\nThe chain adds these:\n\n"
        + table(("member", "meaning"), [(code(name), MEANING[name]) for name in chain])
    )
