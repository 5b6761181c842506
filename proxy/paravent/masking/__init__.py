"""Minimisation: an answer is parsed, cut down to one person and to what a view names, and serialised anew."""

from paravent.masking.drift import names_of
from paravent.masking.operators import REGISTRY
from paravent.masking.person import PersonIdentity
from paravent.masking.rules import check_rule, check_shape
from paravent.masking.trie import ViewProblem, check_view
from paravent.masking.view import MAX_BODY_BYTES, Reduced, View, ViewError, compile_view
from paravent.masking.walkers import WALK

__all__ = [
    "MAX_BODY_BYTES",
    "REGISTRY",
    "WALK",
    "PersonIdentity",
    "Reduced",
    "View",
    "ViewError",
    "ViewProblem",
    "check_rule",
    "check_shape",
    "check_view",
    "compile_view",
    "names_of",
]
