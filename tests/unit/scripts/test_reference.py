"""The reference is what the code says, and its links lead somewhere."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import brood_client
from brood.protocol.errors import TABLE

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="module")
def reference() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        yield importlib.import_module("reference")


@pytest.fixture(scope="module")
def pages(reference: ModuleType) -> dict[str, str]:
    return {name: make() for name, make in reference.MAKERS.items()}


def anchors(page: str) -> Counter[str]:
    """Where links into a page may lead."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return Counter(re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads)


def test_it_is_fresh(reference: ModuleType) -> None:
    assert reference.stale() == []


def test_it_is_the_same_every_time(reference: ModuleType, pages: dict[str, str]) -> None:
    assert {name: make() for name, make in reference.MAKERS.items()} == pages


def test_links_lead_to_one_heading(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        found = anchors(page)
        for link in re.findall(r"\]\(#([^)]*)\)", page):
            assert found[link] == 1, (name, link)


def test_everything_is_in_it(pages: dict[str, str]) -> None:
    for row in TABLE.values():
        assert f"`{row.code}` | {row.http} | {row.grpc}" in pages["errors.md"]
    for name in brood_client.__all__:
        assert f"\n## {name}\n" in pages["python.md"]
    assert "| `seed` | integer ≥ 0 < 9223372036854775808 |" in pages["http.md"]
    assert "| `seed` | 5 | optional int64 | Seed of all samples, 0 <= seed < 2^63." in pages["grpc.md"]
    assert "| `ModelStreamInfer` | stream of [ModelInferRequest]" in pages["grpc.md"]


def test_docstrings_become_lists(reference: ModuleType) -> None:
    python = importlib.import_module("reference_pages.python")
    text = "Go ``there``.\n\nArgs:\n    a, b: how\n        far.\n\nRaises:\n    OSError: it is not there.\n"
    assert (
        python.markdown(text)
        == "Go `there`.\n\n*Args*\n\n- `a`, `b`: how far.\n\n*Raises*\n\n- `OSError`: it is not there."
    )
