"""The code on docs/openai.md, and that with OpenAI's client on docs/clients.md, runs as it stands there."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

from openai import OpenAI
from openai_images import mask
from pages import apart, commands, pieces, python

PAGES = ("docs/openai.md", "docs/clients.md")
LEAST = 4  # pieces of Python


def curl(code: str) -> None:
    """Run a command beside a picture and a mask."""
    client = OpenAI(base_url=f"http://{sys.argv[1]}/v1", api_key="none")
    four = client.images.generate(model="glyphs-diffusion", prompt="4").data[0]
    Path("four.png").write_bytes(b64decode(four.b64_json))
    Path("mask.png").write_bytes(mask())
    answer = json.loads(subprocess.run(shlex.split(code), check=True, capture_output=True).stdout)
    assert b64decode(answer["data"][0]["b64_json"]).startswith(b"\x89PNG"), answer


def main() -> None:
    """All pieces."""
    examples = pieces(PAGES, "python", "OpenAI(", sys.argv[1:])
    [command] = commands(PAGES[:1], "curl", sys.argv[1:])
    assert len(examples) >= LEAST
    for example in examples:
        apart(python, example)
    apart(curl, command)


if __name__ == "__main__":
    main()
