"""What a glance at a page's bytes says of how many attributes its elements have, held against what lxml reads."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from effort import examples
from paravent.masking.formats.html import _WIDEST_ATTRIBUTES, _is_narrow

FORMS: Final = st.sampled_from(
    [" a{}", "\na{}=b", '\ta{}=">"', "/a{}='>'", ' a{}= "\'>"', " a{}=\n'\">'", ' a{}=x"y', ' a{}=""', " a{}='x'"]
)
AROUND: Final = st.text(alphabet="<>/!?-=\"' abp\n", max_size=30)


@given(
    AROUND,
    st.lists(FORMS, min_size=1, max_size=4),
    st.integers(90, 130),
    st.sampled_from([">", "/>", " >", ""]),
    AROUND,
)
@settings(max_examples=examples(300), deadline=None)
def test_no_element_of_a_narrow_page_is_wide(before: str, forms: list[str], times: int, end: str, behind: str) -> None:
    """Whatever stands in values and around the element: where a glance is not sure, it says so."""
    attributes = "".join(forms[number % len(forms)].format(number) for number in range(times))
    body = f"<html><body>{before}<p{attributes}{end}{behind}</body></html>".encode()
    root = etree.fromstring(body, etree.HTMLParser(encoding="utf-8"))
    widest = max(len(each.attrib) for each in root.iter(etree.Element))
    assert widest <= _WIDEST_ATTRIBUTES or not _is_narrow(body)
