"""A token alone is worth nothing: the caller must hold the key that it is bound to.

    cnf.jkt        scheme DPoP and a proof (RFC 9449)
    cnf.x5t#S256   scheme Bearer and the client certificate of this connection (RFC 8705)
    neither        refused; unless the configuration names the certificates of the software's organisation: then
                   scheme Bearer and one of them

Never the other way round, so that a stolen token cannot be presented under the weaker of two rules.
"""

from typing import assert_never

from paravent.effects import ProofSeen
from paravent.identity.dpop import check_proof
from paravent.identity.gate import Gate
from paravent.identity.mtls import check_certificate
from paravent.identity.verified import VerifiedToken
from paravent.model import Facts
from paravent.reasons import Reason
from paravent.rules import Assurance, Binding


def check_binding(
    facts: Facts, scheme: str, token: VerifiedToken, assurance: Assurance, gate: Gate
) -> ProofSeen | Binding | Reason:
    """All of the binding that can be decided alone. A `ProofSeen` is still to be asked; a `Binding` is complete."""
    confirmation = token.claims.confirmation
    if confirmation is None:
        return _check_organisation(facts, scheme, token, assurance)
    if confirmation.binding not in assurance.bindings:
        return Reason.BINDING_NOT_ACCEPTED
    match confirmation.binding:
        case Binding.DPOP:
            # RFC 9449 section 7.1: a bound token as Bearer, without its proof, is what a thief would try.
            if scheme != "DPoP":
                return Reason.BINDING_DOWNGRADE
            asked = gate.nonces if assurance.dpop_nonces else None
            return check_proof(facts, token.digest, confirmation.thumbprint, gate.external_origin, asked)
        case Binding.MTLS:
            if scheme != "Bearer":
                return Reason.BINDING_DOWNGRADE
            encoding = assurance.thumbprint_encoding
            return check_certificate(facts.connection, confirmation.thumbprint, encoding) or Binding.MTLS
        case _:
            assert_never(confirmation.binding)


def _check_organisation(facts: Facts, scheme: str, token: VerifiedToken, assurance: Assurance) -> Binding | Reason:
    """A token without `cnf` is worth something only in the hands of the organisation that it was issued to: the ANS
    transport guide knows a client by its organisation's certificate (AUTH_CLI). See docs/decisions."""
    certificates = token.issuer.certificates.get(token.claims.practitioner.client)
    if certificates is None:
        return Reason.BINDING_MISSING
    if Binding.MTLS not in assurance.bindings:
        return Reason.BINDING_NOT_ACCEPTED
    if scheme != "Bearer":
        return Reason.BINDING_DOWNGRADE
    return Binding.MTLS if facts.connection.certificate_sha256 in certificates else Reason.BINDING_CERTIFICATE
