"""A mix of requests in words."""

from __future__ import annotations

import pytest
from pydantic import Field

from brood.loadgen.mix import Shared, read_parts
from brood.protocol.errors import InvalidArgument


class Words(Shared):
    steps: int = Field(ge=1)


def test_parts_keep_their_order_and_shares() -> None:
    assert read_parts(["25% steps=4", "75% steps=50"], Words) == (
        Words(share=25, steps=4),
        Words(share=75, steps=50),
    )


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ([], 'requests: "0% in all" is not allowed; allowed: parts that make 100% together'),
        (["40% steps=1", "50% steps=1"], 'requests: "90% in all"'),
        (["steps=4"], "allowed: SHARE% and NAME=VALUE"),
        (["100% steps"], "allowed: SHARE% and NAME=VALUE"),
        (["100%"], "requests.steps: missing"),
        (["x% steps=1"], 'requests.share: "x" is not allowed'),
        (["100% steps=0"], 'requests.steps: "0" is not allowed; allowed: greater than or equal to 1'),
        (["100% steps=1 speed=2"], "requests.speed: unknown; allowed: share, steps"),
    ],
)
def test_a_wrong_mix_is_refused_by_name(texts: list[str], complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        read_parts(texts, Words)
