from __future__ import annotations

from brood.dataplane.naming import MOST_NAMES, unknown


def test_nothing_close_gives_no_hint() -> None:
    assert unknown("model", "zebra", ["vae", "gan"]) == 'model: there is no "zebra" here; there are: vae, gan'


def test_many_names_are_cut_short() -> None:
    names = [f"model-{number}" for number in range(MOST_NAMES + 3)]
    assert unknown("model", "zebra", names).endswith(f"model-{MOST_NAMES - 1} and 3 more")


def test_an_endless_name_is_neither_compared_nor_repeated() -> None:
    message = unknown("model", "v" * 10**6, ["v" * 60])
    assert "did you mean" not in message
    assert len(message) < 300
