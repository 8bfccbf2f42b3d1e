"""Make the blocking client, ``brood_client/_sync``, of the one for asyncio, ``brood_client/_async``.

python scripts/unasync.py          writes it
python scripts/unasync.py --check  writes nothing; exit code 1 and the names of the files that are stale
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "clients" / "python" / "brood_client"
SOURCE, TARGET = PACKAGE / "_async", PACKAGE / "_sync"
NOTE = "# Made of _async/{name} by scripts/unasync.py: change that, and run it.\n"

# Words of asyncio, and what they are called without it. Whatever begins with Async loses that.
NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "_async": "_sync",
    "aanswered": "answered",
    "aclose": "close",
    "aclose_channel": "close_channel",
    "aclosing": "closing",
    "aiter_bytes": "iter_bytes",
    "aopen_channel": "open_channel",
    "apause": "pause",
    "aread": "read",
}
TEXTS = {tokenize.STRING, tokenize.COMMENT}
IN_TEXTS = re.compile(r"\basync (?=(?:with|for|def)\b)|\bawait ")

Edit = tuple[int, int, str]  # from, to, what is to be there


def without_async(source: str) -> str:
    """Source code without a word of asyncio. Its layout may need a formatter."""
    for start, end, text in sorted(_edits(source), reverse=True):
        source = source[:start] + text + source[end:]
    return source


def _edits(source: str) -> Iterator[Edit]:
    lines = source.splitlines(keepends=True)
    begins = [0, *accumulate(len(line) for line in lines)]

    def place(position: tuple[int, int]) -> int:
        return begins[position[0] - 1] + position[1]

    for token, following in pairwise(tokenize.generate_tokens(io.StringIO(source).readline)):
        start, end = place(token.start), place(token.end)
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            yield start, place(following.start), ""
        elif token.type == tokenize.NAME:
            yield start, end, _renamed(token.string)
        elif token.type in TEXTS:
            yield start, end, re.sub(r"\w+", lambda word: _renamed(word[0]), IN_TEXTS.sub("", token.string))


def _renamed(name: str) -> str:
    return NAMES.get(name, re.sub(r"^Async(?=[A-Z])", "", name))


def formatted(source: str) -> str:
    """Source code as the project lays it out.

    Raises:
        subprocess.CalledProcessError: it is not Python; ruff's complaint is on standard error.
    """
    name = str(TARGET / "source.py")
    for command in (["check", "--select=I", "--fix", "--quiet"], ["format", "--quiet"]):
        words = [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"]
        source = subprocess.run(words, input=source, capture_output=True, text=True, check=True).stdout
    return source


def generated() -> dict[str, str]:
    """The files of the blocking client by name."""
    sources = {path.name: path.read_text() for path in sorted(SOURCE.glob("*.py")) if path.name != "__init__.py"}
    return {name: formatted(NOTE.format(name=name) + without_async(source)) for name, source in sources.items()}


def stale() -> list[str]:
    """Names of files that are not what their sources give."""
    fresh = generated()
    kept = {path.name: path.read_text() for path in TARGET.glob("*.py") if path.name != "__init__.py"}
    return sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        for name, source in generated().items():
            (TARGET / name).write_text(source)
        return 0
    names = stale()
    if names:
        print(f"stale files of the blocking client, run scripts/unasync.py: {', '.join(names)}", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
