"""A real Prometheus in a process of its own."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from brood.serve.ports import find_ports
from helpers.served import eventually

START_S = 30.0
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: brood
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """Scrapes one exporter each second, and evaluates rules.

    Args:
        directory: for its files.
        rules: a file of rules.
        port: of the exporter.
    """

    def __init__(self, directory: Path, rules: Path, port: int) -> None:
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(rules=rules, port=port))
        own = find_ports("127.0.0.1", {"prometheus": 0})["prometheus"]
        self.url = f"http://127.0.0.1:{own}"
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{own}",
                "--log.level=error",
            ]
        )
        try:
            eventually(lambda: self.values('up{job="brood"} == 1'), START_S)
        except BaseException:
            self.end()
            raise

    def values(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression gives now: labels and value of each series; NaN is left out."""
        found = self._ask("query", query=expression)
        series = [({}, found["result"][1])] if found["resultType"] == "scalar" else _vector(found["result"])
        return [(labels, float(value)) for labels, value in series if value != "NaN"]

    def over(
        self, expression: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """What an expression gave: labels, and (seconds since 1970, value), of each series; NaN is left out."""
        found = self._ask("query_range", query=expression, start=str(start), end=str(end), step=str(step))
        series = [(each["metric"], [(at, float(value)) for at, value in each["values"]]) for each in found["result"]]
        kept = [(labels, [point for point in points if not math.isnan(point[1])]) for labels, points in series]
        return [(labels, points) for labels, points in kept if points]

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def end(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(timeout=START_S)

    def _ask(self, path: str, **words: str) -> Any:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(words)}", timeout=10) as answer:
            return json.load(answer)["data"]


def _vector(result: list[dict[str, Any]]) -> list[tuple[dict[str, str], str]]:
    return [(series["metric"], series["value"][1]) for series in result]
