"""The line that shows how far a generation is."""

from __future__ import annotations

import sys
import time
from itertools import count
from types import SimpleNamespace

import pytest

from brood_client import Accepted, Progress, Sample
from brood_client._progress import Bar
from brood_client._request import request_of

REQUEST = request_of("tiny", "generate", {"n": 4})


def test_plain_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(time, "monotonic", count().__next__)  # a second each
    with Bar(REQUEST) as bar:
        bar.saw(Accepted("id", "tiny", 1, "generate", 7, "exact", 4))
        bar.saw(Progress(10, 20, 1, 4, 2.25))
        bar.saw(Sample(3, 7, {}))
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.rstrip() for line in err.split("\r")[1:]] == [
        "tiny [############            ] 1/4 samples  2.2 s left",
        "tiny [############            ] 2/4 samples  2.2 s left",
    ]


def test_it_is_drawn_no_more_often_than_can_be_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(time, "monotonic", lambda: 1.0)
    with Bar(REQUEST) as bar:
        for index in range(4):
            bar.saw(Progress(5 * index, 20, index, 4, 2.25))
            bar.saw(Sample(index, 7, {}))
    drawn = [line.partition("]")[2].split()[0] for line in capsys.readouterr().err.split("\r")[1:]]
    assert drawn == ["0/4", "4/4"]  # the first, and the end


def test_tqdm_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[float] = []

    class FakeBar:
        def __init__(self, total: int, desc: str, unit: str) -> None:
            assert (total, desc, unit) == (4, "tiny", "sample")
            self.n = 0.0

        def update(self, by: float) -> None:
            shown.append(self.n + by)

        def close(self) -> None:
            shown.append(-1)

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=FakeBar))
    with Bar(REQUEST) as bar:
        bar.saw(Progress(5, 20, 0, 4, 2.0))
        bar.saw(Sample(3, 7, {}))
    assert shown == [1.0, 1.0, -1]
