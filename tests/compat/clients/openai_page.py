"""The code on docs/openai.md, and that with OpenAI's client on docs/clients.md, runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI
from openai_images import mask

DOCS = Path(__file__).parents[3] / "docs"
PAGES = "\n".join((DOCS / name).read_text() for name in ("openai.md", "clients.md"))
LEAST = 4  # pieces of Python


def pieces(language: str, containing: str) -> list[str]:
    """The code on the pages, for the server that is there."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGES, re.DOTALL)
    return [code.replace("127.0.0.1:8000", sys.argv[1]) for code in found if containing in code]


def apart(run: Callable[[str], None], code: str) -> None:
    """Run a piece in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run(code)
        os.chdir(DOCS)


def python(code: str) -> None:
    """Run Python; the files it writes are pictures."""
    Path("example.py").write_text(code)
    runpy.run_path("example.py", run_name="__main__")
    for picture in Path().glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def curl(code: str) -> None:
    """Run a command beside a picture and a mask."""
    client = OpenAI(base_url=f"http://{sys.argv[1]}/v1", api_key="none")
    four = client.images.generate(model="glyphs-diffusion", prompt="4").data[0]
    Path("four.png").write_bytes(b64decode(four.b64_json))
    Path("mask.png").write_bytes(mask())
    command = shlex.split(code.replace("\\\n", " "))
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert b64decode(answer["data"][0]["b64_json"]).startswith(b"\x89PNG"), answer


def main() -> None:
    """All pieces."""
    examples, [command] = pieces("python", "OpenAI("), pieces("sh", "/v1/images/")
    assert len(examples) >= LEAST
    for example in examples:
        apart(python, example)
    apart(curl, command)


if __name__ == "__main__":
    main()
