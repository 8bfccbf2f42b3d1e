"""What a process writes into the pipe comes out at the other end, whole."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from brood.serve.logpipe import CHUNK_BYTES, LogPipe


def test_lines_of_several_writers_arrive(tmp_path: Path) -> None:
    out = io.StringIO()
    pipe = LogPipe(tmp_path / "log", out)
    for text in ("one\n", "two\n"):
        with pipe.path.open("a") as writer:
            writer.write(text)
    pipe.pump()
    assert out.getvalue() == "one\ntwo\n"
    pipe.close()


def test_a_letter_cut_in_two_is_put_together(tmp_path: Path) -> None:
    out = io.StringIO()
    pipe = LogPipe(tmp_path / "log", out)
    for part in (b"\xc3", b"\xa4\n"):
        with pipe.path.open("ab") as writer:
            writer.write(part)
        pipe.pump()
    pipe.close()
    assert out.getvalue() == "ä\n"


def test_nothing_written_is_nothing_told(tmp_path: Path) -> None:
    out = io.StringIO()
    pipe = LogPipe(tmp_path / "log", out)
    pipe.pump()
    pipe.close()
    assert out.getvalue() == ""


def test_a_log_handler_can_write_into_it(tmp_path: Path) -> None:
    out = io.StringIO()
    pipe = LogPipe(tmp_path / "log", out)
    handler = logging.FileHandler(pipe.path)
    handler.emit(logging.makeLogRecord({"msg": "x" * (CHUNK_BYTES // 2)}))
    handler.close()
    pipe.close()
    assert out.getvalue() == "x" * (CHUNK_BYTES // 2) + "\n"
