"""The registers: which numbers and birth dates there are to give out, and the way back from each.

A register is a row of cells 0, 1, 2, …; every cell is one birth. Three kinds, all with the same three questions:

    entry(cell)      → (number, birth date)
    cell(number)     → cell, or None when no cell of this register has that number
    cells_on(date)   → the cells of one birth date, without looking at the others

`CivilRegister` gives real-looking NIRs: in one commune, month and sex, order numbers run from 001 without a hole and in
the order of the days, as in a town hall's book. So whoever walks them can tell the day of birth from the order number.
"""

import re
from calendar import isleap
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, Protocol

from paravent.sandbox.permutation import Permutation
from paravent.sandbox.places import ABROAD, COMMUNES, Places

PSEUDO_MONTHS: Final = ("19", *(str(month) for month in range(20, 31)))
"""Where civil status is incomplete, the NIR carries a month above 12 (INSEE: 20-99; 19 is seen on SESAM test cards)."""

DIGITS: Final = re.compile("[0-9]+")
"""Digits as ASCII has them: str.isdecimal accepts all the world's."""
_PSEUDO_SHARE: Final = 250
"""One birth in so many has an incomplete date."""

_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

FIRST_YEAR: Final = 1931
LAST_YEAR: Final = 2030
"""The century is not in the number: these hundred years make two digits unambiguous."""


class Register(Protocol):
    """What `population` needs of a register. Cells are 0 <= cell < size."""

    @property
    def size(self) -> int: ...
    def entry(self, cell: int) -> tuple[str, str]: ...
    def cell(self, number: str) -> int | None: ...
    def cells_on(self, birth_date: str) -> Iterator[int]: ...


def full_year(two_digits: str) -> int:
    """The year of a NIR's two digits, within the population's hundred years."""
    year = 1900 + int(two_digits)
    return year if year >= FIRST_YEAR else year + 100


class CivilRegister:
    """NIRs of one sex born in a run of years.

    A year is twelve months of `places.slots` cells, then a few cells with a pseudo-month, all born abroad; their birth
    date has month 00 or the pseudo-month, as files of the field write it (19420000, 19421901).
    """

    def __init__(self, sex_digit: str, years: range, places: Places) -> None:
        """`sex_digit`: "1" or "2"."""
        self._sex_digit = sex_digit
        self._years = years
        self._places = places
        self._calendar = 12 * places.slots
        self._pseudo = self._calendar // _PSEUDO_SHARE
        self._year_cells = self._calendar + self._pseudo
        self.size = len(years) * self._year_cells

    def entry(self, cell: int) -> tuple[str, str]:
        """13 characters, and YYYYMMDD."""
        year_index, rest = divmod(cell, self._year_cells)
        year = self._years[year_index]
        if rest >= self._calendar:
            return self._pseudo_entry(year, rest - self._calendar)
        month0, slot = divmod(rest, self._places.slots)
        place, order = self._places.entry(slot)
        day = day_of_order(year, month0 + 1, order, self._places.capacities[place])
        nir = f"{self._sex_digit}{year % 100:02d}{month0 + 1:02d}{self._places.codes[place]}{order:03d}"
        return nir, f"{year}{month0 + 1:02d}{day:02d}"

    def _pseudo_entry(self, year: int, index: int) -> tuple[str, str]:
        index, month = divmod(index, len(PSEUDO_MONTHS))
        order0, country = divmod(index, len(COMMUNES))
        nir = f"{self._sex_digit}{year % 100:02d}{PSEUDO_MONTHS[month]}{ABROAD}{COMMUNES[country]}{order0 + 1:03d}"
        return nir, f"{year}0000" if country % 2 == 0 else f"{year}{PSEUDO_MONTHS[month]}01"

    def cell(self, number: str) -> int | None:
        """Of 13 characters that match the grammar of a NIR; anything else is nobody's."""
        if len(number) != 13 or number[0] != self._sex_digit or not DIGITS.fullmatch(number[1:5] + number[10:]):
            return None
        year = full_year(number[1:3])
        if year not in self._years:
            return None
        start = self._years.index(year) * self._year_cells
        month, code, order = number[3:5], number[5:10], int(number[10:])
        if month in PSEUDO_MONTHS:
            inside = self._pseudo_index(month, code, order)
            return None if inside is None else start + self._calendar + inside
        slot = self._places.slot(code, order)
        if slot is None or not 1 <= int(month) <= 12:
            return None
        return start + (int(month) - 1) * self._places.slots + slot

    def _pseudo_index(self, month: str, code: str, order: int) -> int | None:
        if code[:2] != ABROAD or code[2:] not in COMMUNES or order < 1:
            return None
        row = (order - 1) * len(COMMUNES) + COMMUNES.index(code[2:])
        index = row * len(PSEUDO_MONTHS) + PSEUDO_MONTHS.index(month)
        return index if index < self._pseudo else None

    def cells_on(self, birth_date: str) -> Iterator[int]:
        """At full size about 700 cells a day: a thirtieth of a month, found place by place."""
        year, month, day = int(birth_date[:4]), int(birth_date[4:6]), int(birth_date[6:])
        if year not in self._years:
            return
        start = self._years.index(year) * self._year_cells
        if 1 <= month <= 12:
            length = month_days(year, month)
            start += (month - 1) * self._places.slots
            for first, capacity in zip(self._places.starts, self._places.capacities, strict=True):
                # The orders o with (o - 1) * length // capacity == day - 1.
                low, high = -(-(day - 1) * capacity // length), -(-day * capacity // length)
                yield from range(start + first + max(0, low), start + first + min(capacity, high))
            return
        start += self._calendar
        yield from (start + i for i in range(self._pseudo) if self._pseudo_entry(year, i)[1] == birth_date)


def month_days(year: int, month: int) -> int:
    """Days of a month of the Gregorian calendar."""
    return 29 if month == 2 and isleap(year) else _MONTH_DAYS[month - 1]


def day_of_order(year: int, month: int, order: int, capacity: int) -> int:
    """The day, from 1, on which the `order`-th of `capacity` births of a month is registered."""
    return 1 + (order - 1) * month_days(year, month) // capacity


class ChildRegister:
    """Births of children who have no number of their own yet: a date and nothing else. Twins are one birth."""

    def __init__(self, years: range, births: int) -> None:
        """`births`: how many there must be room for."""
        self._first = date(years.start, 1, 1)
        self._days = (date(years.stop, 1, 1) - self._first).days
        self.size = births

    def entry(self, cell: int) -> tuple[str, str]:
        """No number, and YYYYMMDD."""
        return "", f"{self._first + timedelta(days=cell % self._days):%Y%m%d}"

    def cell(self, number: str) -> int | None:
        """Never: the number to ask with is a parent's."""
        return None

    def cells_on(self, birth_date: str) -> Iterator[int]:
        """Every `_days`-th cell."""
        born = _calendar_date(birth_date)
        index = -1 if born is None else (born - self._first).days
        if 0 <= index < self._days:
            yield from range(index, self.size, self._days)


class ProvisionalRegister:
    """Numbers given while the real one is awaited: they carry no year, month or place.

    First digit 3 or 4 (being registered) or 7 or 8 (provisional), odd for a man; then "1", a fund 990-999, two digits,
    990-999 where a NIR has its commune, and three digits. The shape still fits the pattern of the API.
    """

    _DIGITS: Final = {"M": "37", "F": "48"}
    _NUMBERS: Final = 10_000_000

    def __init__(self, sex: str, years: range, births: int, key: int) -> None:
        """`sex`: "M" or "F"; `births`: how many there must be room for."""
        self._kinds = self._DIGITS[sex]
        self._first = date(years.start, 1, 1)
        self._days = (date(years.stop, 1, 1) - self._first).days
        self._serial = Permutation(self._NUMBERS, key)
        self.size = births
        if births > self._NUMBERS:
            raise ValueError("more people than provisional numbers")

    def entry(self, cell: int) -> tuple[str, str]:
        """13 digits, and YYYYMMDD."""
        digits = f"{self._serial.apply(cell):07d}"
        number = f"{self._kinds[cell % 2]}199{digits[0]}{digits[1:3]}99{digits[3]}{digits[4:]}"
        return number, f"{self._first + timedelta(days=cell % self._days):%Y%m%d}"

    def cell(self, number: str) -> int | None:
        """Of 13 digits in exactly this form."""
        if len(number) != 13 or not DIGITS.fullmatch(number) or number[1:4] != "199" or number[7:9] != "99":
            return None
        cell = self._serial.invert(int(number[4:7] + number[9:]))
        return cell if cell < self.size and number[0] == self._kinds[cell % 2] else None

    def cells_on(self, birth_date: str) -> Iterator[int]:
        """Every `_days`-th cell."""
        born = _calendar_date(birth_date)
        index = -1 if born is None else (born - self._first).days
        if 0 <= index < self._days:
            yield from range(index, self.size, self._days)


def _calendar_date(birth_date: str) -> date | None:
    try:
        return date(int(birth_date[:4]), int(birth_date[4:6]), int(birth_date[6:]))
    except ValueError:
        return None
