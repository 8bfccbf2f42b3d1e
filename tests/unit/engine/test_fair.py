"""Shares of a device, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.fair import PART, Haste, Ledger, Share


def serve(shares: list[Share], seconds: float = 1.0) -> Share:
    """Serve whoever is lowest, tenant before request; returns the leaf."""

    def key(share: Share) -> tuple[float, ...]:
        return (*key(share.parent), share.tag) if share.parent is not None else ()

    lowest = min(shares, key=key)
    pay(lowest, seconds)
    return lowest


def pay(share: Share, seconds: float = 1.0) -> None:
    ledger = Ledger()
    ledger.pay([share], seconds)
    ledger.close()


def entered(parent: Share, weight: float = 1.0) -> Share:
    share = Share(parent, weight)
    share.enter()
    return share


def test_weights_divide_the_service() -> None:
    device = Share()
    heavy, light = entered(device, 16.0), entered(device, 1.0)
    served = [serve([heavy, light]) for _ in range(170)]
    assert served.count(heavy) == 160
    assert served.count(light) == 10


def test_tenants_share_equally_whatever_the_number_of_their_requests() -> None:
    device = Share()
    few, many = Share(device), Share(device)
    leaves = [entered(few), *(entered(many) for _ in range(50))]
    served = [serve(leaves).parent for _ in range(200)]
    assert served.count(few) == served.count(many) == 100


def test_dear_rows_count_for_more_than_cheap_ones() -> None:
    device = Share()
    dear, cheap = entered(device), entered(device)
    seconds = {dear: 0.0, cheap: 0.0}
    for _ in range(400):
        price = 7.0 if dear.tag <= cheap.tag else 1.0
        seconds[serve([dear, cheap], price)] += price
    assert seconds[dear] == pytest.approx(seconds[cheap], rel=0.02)


def test_idle_time_earns_nothing() -> None:
    device = Share()
    busy, idle = entered(device), entered(device)
    serve([busy, idle])
    idle.leave()
    for _ in range(100):
        serve([busy])
    idle.enter()
    served = [serve([busy, idle]) for _ in range(20)]
    assert 9 <= served.count(idle) <= 11


def test_a_tenant_without_requests_comes_back_where_the_others_are() -> None:
    device = Share()
    tenant, other = Share(device), entered(Share(device))
    first = entered(tenant)
    pay(first)
    first.leave()
    assert (tenant.load, device.load) == (0.0, 1.0)
    for _ in range(50):
        pay(other)
    again = entered(tenant)
    assert device.load == 2.0
    assert tenant.tag == device.level == pytest.approx(50.0, abs=1.0)
    assert again.tag == tenant.level


def test_a_newcomer_does_not_wait_until_it_is_level_with_those_before_it() -> None:
    device = Share()
    old = entered(device)
    for _ in range(100):
        pay(old)
    new = entered(device)
    assert new.tag == old.tag


def test_no_stream_of_newcomers_goes_before_somebody_for_ever() -> None:
    """Two parties wait at any time; one of them is always new. The other is served every other time or so."""
    device = Share()
    here, served = entered(device), 0
    for _ in range(100):
        new = entered(device)
        if serve([here, new]) is here:
            served += 1
            pay(new)
        new.leave()
    assert served >= 30


def test_joining_never_lowers_a_tag_and_goes_no_further_than_those_in_service() -> None:
    device = Share()
    one, late = entered(device), entered(device)
    for _ in range(10):
        pay(one)
    late.join()
    assert late.tag == device.virtual == 9.0
    pay(late, 5.0)
    late.join()
    assert late.tag == 14.0


def test_the_rows_of_a_batch_go_to_whoever_is_lowest_in_turn() -> None:
    device = Share()
    a, b = entered(device), entered(device)
    ledger, order = Ledger(), []
    for _ in range(8):
        lowest = min((a, b), key=lambda share: share.tag)
        ledger.pay([lowest], 0.5)
        order.append(lowest)
    assert order.count(a) == order.count(b) == 4
    assert device.virtual == 0.0
    ledger.close()
    assert device.level == 2.0


@settings(max_examples=50, deadline=None)
@given(
    prices=st.lists(st.floats(0.01, 10.0), min_size=2, max_size=6),
    turns=st.lists(st.integers(0, 5), min_size=10, max_size=60),
)
def test_parties_that_always_have_work_differ_by_no_more_than_one_payment_each(
    prices: list[float], turns: list[int]
) -> None:
    """The bound of start-time fair queueing: |service of i − service of j| ≤ the largest payment of each."""
    device = Share()
    shares = [entered(device) for _ in prices]
    for _ in turns:
        lowest = min(range(len(shares)), key=lambda i: shares[i].tag)
        pay(shares[lowest], prices[lowest])
        for i, one in enumerate(shares):
            for j, other in enumerate(shares):
                assert abs(one.tag - other.tag) <= prices[i] + prices[j] + 1e-9
    assert device.level == pytest.approx(sum(share.tag for share in shares) / len(shares))


def test_those_at_risk_go_first_and_leave_the_others_their_part() -> None:
    haste, turns = Haste(), []
    for _ in range(170):
        turns.append(haste.others_turn)
        haste.pay(0.0 if turns[-1] else 1.0, 1.0 if turns[-1] else 0.0)
    assert turns.count(True) == 10
    assert PART == 1 / 16


def test_neither_side_saves_up_while_the_other_has_nothing_to_do() -> None:
    haste = Haste()
    for _ in range(1000):
        haste.pay(1.0, 0.0)
    haste.pay(0.0, 1.0)
    assert not haste.others_turn
    haste = Haste()
    for _ in range(1000):
        haste.pay(0.1, 0.9)
    turns = 0
    while not haste.others_turn:
        haste.pay(1.0, 0.0)
        turns += 1
    assert turns <= 17
