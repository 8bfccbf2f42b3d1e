"""schemathesis over ``/openapi.json``: no answer is a server's error, none takes long, all are as the document says.

The document says that names of models are any text, which would seldom be that of one: here it gets those that the fake
backend has.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

SECONDS = 110
# Left out: the document says less of what must be taken than the models do, and keys are not asked for.
EXCLUDED = "ignored_auth,positive_data_acceptance"
OPTIONS = (
    *("--checks", "all", "--exclude-checks", EXCLUDED, "--continue-on-failure"),
    *("--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS)),
    *("--request-timeout", "10", "--seed", "1", "--no-color"),
)
# 501 and 503 are answers: a part of a protocol that is not offered, a model that is not ready.
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501, 503]
"""
MODELS = ["tiny", "painter", "broken", "slow", "nobody"]


def objects(node: object) -> Iterator[dict[str, object]]:
    """All objects in a document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)


def named(document: dict[str, object]) -> dict[str, object]:
    """The document, with the names of the models where one is meant."""
    for node in objects(document):
        if node.get("in") == "path" and node.get("name") == "name":
            node["schema"] = {"type": "string", "enum": MODELS}
        properties = node.get("properties")
        if isinstance(properties, dict) and "model" in properties and "n" in properties:
            properties["model"] = {"type": "string", "enum": MODELS}
    return document


def main() -> int:
    """The number that schemathesis ends with."""
    base = f"http://{sys.argv[1]}"
    with urllib.request.urlopen(f"{base}/openapi.json") as answer:
        document = named(json.load(answer))
    with tempfile.TemporaryDirectory() as folder:
        path, config = Path(folder, "openapi.json"), Path(folder, "schemathesis.toml")
        path.write_text(json.dumps(document))
        config.write_text(CONFIG)
        program = Path(sys.executable).with_name("schemathesis")
        command = [str(program), "--config-file", str(config), "run", str(path), "--url", base, *OPTIONS]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
