"""The code with ``tritonclient`` on the pages about it, and on docs/clients.md, runs as it stands there."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout

from pages import apart, pieces, python

PAGES = ("docs/open-inference-protocol.md", "docs/clients.md")
# What the pages say that is printed; "": nothing.
PRINTED = ("", "(4, 1, 28, 28)\n", "[0 1 2 3]\n")


def main() -> None:
    """All pieces, in order."""
    examples = pieces(PAGES, "python", "import tritonclient", sys.argv[1:])
    assert len(examples) == len(PRINTED), len(examples)
    for example, printed in zip(examples, PRINTED, strict=True):
        with redirect_stdout(io.StringIO()) as told:
            apart(python, example)
        assert told.getvalue() == printed, told.getvalue()


if __name__ == "__main__":
    main()
