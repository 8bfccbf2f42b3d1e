"""Log lines, for people and for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from brood.observe.logs import set_up_logs


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("brood")
    before = (root.level, own.level, list(root.handlers))
    yield
    root.setLevel(before[0])
    own.setLevel(before[1])
    for handler in set(root.handlers) - set(before[2]):
        root.removeHandler(handler)
        handler.close()


def test_a_json_line_has_the_callers_own_keys_and_the_trace(tmp_path: Path) -> None:
    set_up_logs("info", "json", tmp_path / "log")
    try:
        raise ValueError("seven")
    except ValueError:
        logging.getLogger("brood.host").exception("failed: %s", "x", extra={"request_id": "r1"})
    line = json.loads((tmp_path / "log").read_text())
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["logger"], line["message"]) == ("error", "brood.host", "failed: x")
    assert line["request_id"] == "r1"
    assert line["trace"].endswith("ValueError: seven")


def test_levels_are_for_our_own_records_only(tmp_path: Path) -> None:
    set_up_logs("info", "pretty", tmp_path / "log")
    logging.getLogger("brood.host").debug("too much")
    logging.getLogger("brood.host").info("told")
    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("trouble")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == ["INFO    told", "WARNING trouble"]
