"""Certificates of tiny models: made, found, borne out or not; and what they let operations promise."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.host.certificate import Certificate
from brood.host.certificates import FOLDER, Certificates
from brood.host.certify import certified, certify_twice
from brood.host.loading import ReadyModel, load_model
from brood.host.opened import open_bundle
from brood.runtimes.base import Arrays, LoadedGraph, RuntimeOptions
from brood.store.store import read_bundle
from helpers.bundles import Words, edit_manifest, once_bundle, relist, steps_bundle

ALL = (1, 2, 4, 8)


def load(directory: Path, cache: Path | None = None, threads: int = 1) -> ReadyModel:
    certificates = Certificates(cache, directory / "no-certificates-ship-here")
    return load_model(read_bundle(directory), RuntimeOptions(threads), certificates)


def kept(cache: Path) -> list[Path]:
    return sorted((cache / FOLDER).iterdir())


def change(path: Path, **words: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **words}))


def describe(directory: Path, graph: str, **words: Any) -> None:
    """Give a fake graph further words."""
    content = json.loads((directory / f"{graph}.json").read_text())
    relist(directory, f"{graph}.json", json.dumps({**content, **words}).encode())


def test_a_model_that_is_exact_everywhere(tmp_path: Path) -> None:
    ready = load(steps_bundle(tmp_path))
    assert ready.certificate.exact == {"begin": ALL, "step": ALL, "finish": ALL}
    assert ready.engine.exact == dict.fromkeys(("begin", "step", "finish"), frozenset(ALL))
    assert ready.determinism == {"generate": "exact", "complete": "exact"}
    assert len(ready.certificate.numerics_id) == 16


def test_a_graph_that_is_exact_in_a_part_of_its_buckets(tmp_path: Path) -> None:
    ready = load(once_bundle(tmp_path, bucket_dependent=True, bucket_dependent_from=8))
    assert ready.certificate.exact["generate"] == (1, 2, 4)
    assert ready.engine.exact["generate"] == {1, 2, 4}
    assert ready.determinism == {"generate": "tolerance", "reconstruct": "exact", "score": "exact"}
    assert not ready.guarantees["generate"].lacking
    assert ready.certificate.numerics_id == load(once_bundle(tmp_path / "b")).certificate.numerics_id


class Together:
    """A graph that computes otherwise as soon as there are two rows."""

    def __init__(self, graph: LoadedGraph) -> None:
        self.spec = graph.spec
        self._graph = graph

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        outputs = self._graph(inputs)
        scale = np.float32(1 + 2**-16 * (len(outputs["image"]) > 1))
        return {**outputs, "image": outputs["image"] * scale}


def test_a_class_without_the_smallest_bucket(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Golden samples are checked alone, as they were recorded; the name is of the bits within the class."""
    plain = open_bundle(read_bundle(once_bundle(tmp_path)), RuntimeOptions(1))
    opened = replace(plain, graphs={**plain.graphs, "generate": Together(plain.graphs["generate"])})
    certificates = Certificates(tmp_path / "cache", tmp_path)
    made, _ = certified(opened, RuntimeOptions(1), certificates)
    assert made.exact["generate"] == (2, 4, 8)
    assert made.numerics_id != certified(plain, RuntimeOptions(1), Certificates(None, tmp_path))[0].numerics_id
    found, evidence = certified(opened, RuntimeOptions(1), certificates)
    assert found == made
    assert evidence.at["generate"] == 2
    assert not caplog.records


def test_a_graph_whose_bits_no_two_buckets_share(tmp_path: Path) -> None:
    ready = load(once_bundle(tmp_path, bucket_dependent=True))
    assert ready.certificate.exact == {"generate": (), "keep": ALL, "score": ALL}
    assert "'generate'" in ready.guarantees["generate"].lacking
    assert ready.determinism["generate"] == "tolerance"
    assert ready.certificate.numerics_id  # of the two other operations


def test_an_inexact_graph_is_so_for_every_operation(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path, bucket_dependent=True)
    assert load(directory).determinism == {"generate": "tolerance", "complete": "tolerance"}
    edit_manifest(directory, lambda words: words.update(domain="discrete"))
    ready = load(directory)
    assert ready.determinism == {"generate": "none", "complete": "none"}
    assert all(found.lacking for found in ready.guarantees.values())
    assert ready.certificate.numerics_id == ""


def _variant_and_preview(words: Words) -> None:
    words["files"]["hot.json"] = words["files"]["step.json"]
    words["files"]["peek.json"] = words["files"]["finish.json"]
    words["graphs"]["hot"] = {**words["graphs"]["step"], "file": "hot.json"}
    words["graphs"]["peek"] = {**words["graphs"]["finish"], "file": "peek.json"}
    generate = words["operations"]["generate"]
    generate["stages"][0]["variant"] = {"graph": "hot", "column": "temperature", "unless": 5.0}
    generate["preview"] = {"graph": "peek"}


def varied_bundle(root: Path) -> Path:
    """`steps_bundle` with a variant for the steps that are not the first, and a preview."""
    directory = edit_manifest(steps_bundle(root), _variant_and_preview)
    for copy, original in (("hot", "step"), ("peek", "finish")):
        (directory / f"{copy}.json").write_bytes((directory / f"{original}.json").read_bytes())
    return directory


def test_variants_count_and_previews_do_not(tmp_path: Path) -> None:
    directory = varied_bundle(tmp_path)
    ready = load(directory)
    assert set(ready.certificate.exact) == {"begin", "step", "finish", "hot", "peek"}
    assert ready.determinism["generate"] == "exact"
    describe(directory, "peek", bucket_dependent=True)
    ready = load(directory)
    assert ready.certificate.exact["peek"] == ()
    assert ready.engine.exact["peek"] == set(ALL)  # a preview is nobody's sample
    assert ready.determinism["generate"] == "exact"
    describe(directory, "hot", bucket_dependent=True, bucket_dependent_from=2)
    ready = load(directory)
    assert ready.determinism == {"generate": "tolerance", "complete": "exact"}
    assert "'hot'" in ready.guarantees["generate"].lacking


def test_a_certificate_is_found_again(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path / "store")
    made = load(directory, tmp_path / "cache").certificate
    (path,) = kept(tmp_path / "cache")
    assert Certificate.model_validate_json(path.read_bytes()) == made
    change(path, processes=7)
    assert load(directory, tmp_path / "cache").certificate.processes == 7


def test_other_threads_or_bytes_need_another_certificate(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path / "store")
    first = load(directory, tmp_path / "cache").certificate
    second = load(directory, tmp_path / "cache", threads=2).certificate
    assert len(kept(tmp_path / "cache")) == 2
    assert (first.conditions.threads, second.conditions.threads) == (1, 2)
    assert first.numerics_id == second.numerics_id
    edit_manifest(directory, lambda words: words.update(description="Another."))
    load(directory, tmp_path / "cache")
    assert len(kept(tmp_path / "cache")) == 3


@pytest.mark.parametrize(
    "words",
    [
        {"numerics_id": "0123456789abcdef"},
        {"exact": {"generate": ALL, "keep": ALL, "score": ALL}},  # more than is true
        {"exact": {"generate": (1, 2, 3), "keep": ALL, "score": ALL}},  # a bucket that there is not
        {"exact": {"generate": (1, 2, 4), "keep": ALL, "dream": ALL}},
        {"exact": {"generate": (1, 2, 4), "keep": ALL}},
    ],
)
def test_a_certificate_that_is_not_borne_out_is_made_anew(
    tmp_path: Path, words: Words, caplog: pytest.LogCaptureFixture
) -> None:
    directory = once_bundle(tmp_path / "store", bucket_dependent=True, bucket_dependent_from=8)
    right = load(directory, tmp_path / "cache").certificate
    (path,) = kept(tmp_path / "cache")
    change(path, **words)
    assert load(directory, tmp_path / "cache").certificate == right
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "once 1: its certificate is not borne out here; making another"
    ]
    assert Certificate.model_validate_json(path.read_bytes()) == right


def test_a_spoilt_or_blocked_cache_stops_nothing(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path / "store")
    right = load(directory, tmp_path / "cache").certificate
    (path,) = kept(tmp_path / "cache")
    path.write_bytes(b"\xff")
    assert load(directory, tmp_path / "cache").certificate == right
    assert Certificate.model_validate_json(path.read_bytes()) == right
    (tmp_path / "blocked").write_text("")
    assert load(directory, tmp_path / "blocked").certificate == right


def test_two_processes_agree(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path)
    certificate, (ours, theirs) = certify_twice(directory, RuntimeOptions(1))
    assert {name: trial.bits for name, trial in ours.items()} == {name: trial.bits for name, trial in theirs.items()}
    assert certificate.processes == 2
    assert certificate.exact == load(directory).certificate.exact
    assert certificate.numerics_id == load(directory).certificate.numerics_id


def test_numerics_are_called_the_same_in_every_process(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from brood.host.loading import load_model\n"
        "from brood.runtimes.base import RuntimeOptions\n"
        "from brood.store.store import read_bundle\n"
        "print(load_model(read_bundle(pathlib.Path(sys.argv[1])), RuntimeOptions(1)).certificate.numerics_id)\n"
    )
    command = [sys.executable, "-c", code, str(directory)]
    told = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() for _ in range(2)]
    assert told == [load(directory).certificate.numerics_id] * 2
