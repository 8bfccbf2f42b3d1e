"""Log lines, for people and for machines."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from brood.access.keys import Grant, make_key
from brood.observe.logs import masked_text, set_up_logs
from brood.observe.trace import CURRENT, begin, trace_of
from helpers.access import NOON


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


@pytest.fixture
def _working() -> Iterator[None]:
    token = CURRENT.set(None)
    yield
    CURRENT.reset(token)


@pytest.mark.usefixtures("_working")
def test_lines_tell_the_request_that_is_worked_on(tmp_path: Path) -> None:
    trace = trace_of(f"00-{'a' * 32}-{'b' * 16}-01")
    json_log, pretty_log = tmp_path / "json", tmp_path / "pretty"
    set_up_logs("info", "json", json_log)
    set_up_logs("info", "pretty", pretty_log)
    logging.getLogger("brood.host").info("before")
    begin("r1", trace)
    logging.getLogger("brood.host").info("during")
    logging.getLogger("brood.host").info("during r1 itself")
    before, during, _ = (json.loads(line) for line in json_log.read_text().splitlines())
    assert "request_id" not in before
    assert (during["request_id"], during["trace_id"]) == ("r1", "a" * 32)
    ends = [line.rpartition("INFO    ")[2] for line in pretty_log.read_text().splitlines()]
    assert ends == ["before", "during [r1]", "during r1 itself"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc.def-123 end", "Authorization: Bearer *** end"),
        ("s3://user:pa55@host/models", "s3://user:***@host/models"),
        ("api_key=abc, next", "api_key=***, next"),
        ('{"password": "abc"}', '{"password": "***"}'),
        ("token: abc", "token: ***"),
        (f"key {make_key('me', Grant(), NOON).secret} seen", f"key brood_{'x' * 12}_*** seen"),
        ("tokens are counted: 12", "tokens are counted: 12"),
        ("http://host:8000/v1", "http://host:8000/v1"),
    ],
)
def test_secrets_are_masked(text: str, left: str) -> None:
    assert re.sub(r"brood_[a-z0-9]{12}_", f"brood_{'x' * 12}_", masked_text(text)) == left


def test_secrets_in_keys_of_the_caller_are_masked_too(tmp_path: Path) -> None:
    set_up_logs("info", "json", tmp_path / "log")
    logging.getLogger("brood.host").info("x", extra={"headers": {"authorization": "Bearer abc"}})
    assert json.loads((tmp_path / "log").read_text())["headers"] == {"authorization": "Bearer ***"}
