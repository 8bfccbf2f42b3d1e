"""How often previews are asked for, so that about as many partial pictures come as are wanted."""

from __future__ import annotations

import pytest

from brood.dataplane.find import manifest_of
from brood.frontends.http.openai.order import order_of
from brood.frontends.http.openai.verbs import VARIATIONS, Painter
from brood.frontends.http.openai.words import PromptedWords
from helpers.backend import ready

MANIFEST = manifest_of(ready())
VARY = MANIFEST.operations["vary"]
PREVIEWED = VARY.model_copy(update={"preview": MANIFEST.operations["generate"].preview})
PAINTER = Painter(VARIATIONS, MANIFEST, PREVIEWED, "sample", 28, 28)


def every(steps: int, partials: int) -> int | None:
    words = PromptedWords.model_validate(
        {"prompt": "", "stream": True, "partial_images": partials, "steps": steps, "strength": 1.0}
    )
    return order_of(words, PAINTER, {}, textual=False).request.preview_every


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10, 20, 49])
@pytest.mark.parametrize("partials", [1, 2, 3])
def test_at_most_as_many_come_and_as_many_where_there_is_room(steps: int, partials: int) -> None:
    apart = every(steps, partials)
    assert apart is not None
    come = len([step for step in range(1, steps) if step % apart == 0])
    assert come <= partials
    if steps >= (partials + 1) * partials:
        assert come == partials


def test_none_are_made_that_nobody_wants() -> None:
    assert every(20, 0) is None
