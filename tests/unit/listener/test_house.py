"""Whose share of the connections a client takes."""

import pytest

from paravent_mitmproxy.listener.house import plain_address, share_of

SAME = [
    ("one IPv4 address", "192.0.2.1", "192.0.2.1"),
    ("an IPv4 address seen through IPv6", "192.0.2.1", "::ffff:192.0.2.1"),
    ("two addresses of one /64: one subscriber", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
    ("a link-local address on two interfaces", "fe80::1%eth0", "fe80::1%eth1"),
]
OTHER = [
    ("two IPv4 addresses", "192.0.2.1", "192.0.2.2"),
    ("two /64 of one /48", "2001:db8:1:2::1", "2001:db8:1:3::1"),
    ("an IPv4 address and an IPv6 one with the same bits", "0.0.0.1", "0:0:0:1::"),
]


@pytest.mark.parametrize(("one", "another"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_one_share(one: str, another: str) -> None:
    """They take from the same share."""
    assert share_of(plain_address(one)) == share_of(plain_address(another))


@pytest.mark.parametrize(("one", "another"), [row[1:] for row in OTHER], ids=[row[0] for row in OTHER])
def test_two_shares(one: str, another: str) -> None:
    """Neither takes anything from the other."""
    assert share_of(plain_address(one)) != share_of(plain_address(another))
