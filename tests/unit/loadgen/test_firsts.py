"""Whether the same seed gives the same samples."""

from __future__ import annotations

import pytest

from brood.loadgen.firsts import FirstAnswers
from brood.loadgen.outcome import DIFFERS, Answer, Failed


def test_the_first_answer_to_a_seed_is_what_others_are_held_against() -> None:
    check = FirstAnswers()
    check(0, 7, Answer((b"ab", b"c"), 3))
    check(0, 7, Answer((memoryview(b"abc"),), 3))
    check(1, 7, Answer((b"other order",), 1))
    check(0, 8, Answer((b"other seed",), 1))
    with pytest.raises(Failed, match="seed 7 gave other bytes than the first time") as caught:
        check(0, 7, Answer((b"abd",), 3))
    assert caught.value.code == DIFFERS
