"""Who is asked about: an attacker's list, and the patients of a pharmacy.

How the bots of March 2022 came by their numbers was never published. Ours start from a list of numbers and birth dates
that are all right, such as earlier leaks have left behind, one adult a family: whoever has to guess is slower, misses,
and gains less by each answer. So what the replay takes is an upper bound of what guessing would take.
"""

import random
from collections.abc import Iterator

from paravent.sandbox.families import BLOCK_FAMILIES, FAMILIES
from paravent.sandbox.population import Person, Population
from paravent.simulate.answers import Question


def question_about(person: Person) -> Question:
    """The question to which the API answers with this person's rights."""
    return Question(person.nir, person.birth_date, person.birth_rank)


def attackers_list(people: Population, account: int, accounts: int) -> Iterator[Question]:
    """The insured of each card, card after card; every account has its own share of the country."""
    share = people.families // accounts
    for family in range(account * share, (account + 1) * share):
        block, number = divmod(family, BLOCK_FAMILIES)
        yield question_about(people.member(block, FAMILIES[number][0]))


def patients(people: Population, count: int, seed: int) -> list[Question]:
    """Distinct persons from anywhere in the population: old, young, twins, children under a parent's number."""
    chosen = random.Random(seed).sample(range(people.size), count)  # noqa: S311 (whom to invent, not a secret)
    return [question_about(people.person(index)) for index in chosen]
