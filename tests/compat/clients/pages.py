"""The code on pages of the documentation, to run as it stands there."""

from __future__ import annotations

import os
import re
import runpy
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]


def pieces(names: tuple[str, ...], language: str, containing: str, addresses: list[str]) -> list[str]:
    """The pieces of code on some pages that contain some text, for the server that is there.

    Args:
        names: of the pages, from the root of the project.
        language: of the pieces, as the pages say it.
        containing: text.
        addresses: ``HOST:PORT`` of HTTP and gRPC.
    """
    text = "\n".join((ROOT / name).read_text() for name in names)
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    http, grpc = addresses
    return [
        code.replace("127.0.0.1:8000", http).replace("127.0.0.1:9000", grpc) for code in found if containing in code
    ]


def commands(names: tuple[str, ...], word: str, addresses: list[str]) -> list[str]:
    """The shell commands on some pages that start with a word, each on one line."""
    blocks = pieces(names, "sh", word, addresses)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(f"{word} ")]


def apart(run: Callable[[str], None], code: str) -> None:
    """Run a piece in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run(code)
        os.chdir(ROOT)


def python(code: str) -> None:
    """Run Python; the files it writes are pictures."""
    Path("example.py").write_text(code)
    runpy.run_path("example.py", run_name="__main__")
    for picture in Path().glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
