"""The Helm chart, rendered by Helm itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "brood"
SCHEMAS = ROOT.parent / "shared" / "schemas"  # of kinds that are not Kubernetes' own, where somebody has put them
OPEN: dict[str, Any] = {"access": {"insecure": True}}
Object = dict[str, Any]


def ci_files() -> list[Path]:
    """Examples of values."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def values_of(path: Path) -> dict[str, Any]:
    """The values in a file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def rendered(values: dict[str, Any], *, chart: Path = CHART, name: str = "demo") -> list[Object]:
    """All objects of a release in the namespace "prod"."""
    with helm_python.Chart.load(chart) as loaded:
        files = loaded.render(values, name=name, namespace="prod")
    texts = [text for path, text in files.items() if path.endswith(".yaml")]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def notes(values: dict[str, Any]) -> str:
    """What is told after an installation."""
    with helm_python.Chart.load(CHART) as loaded:
        files = loaded.render(values, name="demo", namespace="prod")
    return next(text for path, text in files.items() if path.endswith("NOTES.txt"))


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """The objects of one kind."""
    return [found for found in objects if found["kind"] == kind]


def only(objects: list[Object], kind: str) -> Object:
    """The one object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Kind, metadata and specification of every pod that the objects make."""
    for found in objects:
        if found["kind"] == "Pod":
            yield "Pod", found["metadata"], found["spec"]
        elif found["kind"] == "Deployment":
            template = found["spec"]["template"]
            yield "Deployment", template["metadata"], template["spec"]
        elif found["kind"] == "RayService":
            cluster = found["spec"]["rayClusterConfig"]
            for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
                yield "RayService", group["template"]["metadata"], group["template"]["spec"]


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm lays one file over another."""
    found = dict(base)
    for key, value in more.items():
        there = found.get(key)
        found[key] = merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return found


def at_version(version: str, directory: Path) -> Path:
    """A copy of the chart that says it is of another version."""
    copy = directory / version / "brood"
    shutil.copytree(CHART, copy)
    words = yaml.safe_load((copy / "Chart.yaml").read_text())
    (copy / "Chart.yaml").write_text(yaml.safe_dump({**words, "version": version}))
    return copy
