from __future__ import annotations

import pytest

from brood.dataplane.ids import new_request_id, request_id_of


def test_new_ids_differ() -> None:
    assert len({new_request_id() for _ in range(100)}) == 100


@pytest.mark.parametrize("given", ["a", "order-17/b~", "x" * 128])
def test_a_fit_id_is_kept(given: str) -> None:
    assert request_id_of(given) == given


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 129, "ä", "line\nbreak", "trailing\n", "nul\0"])
def test_an_unfit_id_is_replaced(given: str | None) -> None:
    assert request_id_of(given) != given
