"""From settings to what hosts are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from brood.generators import GeneratorSettings
from brood.protocol.errors import InvalidArgument
from brood.serve.hosting import host_options, wanted_of
from brood.settings import read_settings
from brood.store.wanted import Versions


def test_policies_are_of_single_models_or_of_all_others() -> None:
    wanted = wanted_of(read_settings({"versions": "latest; a=1,3; b=all"}))
    assert wanted.default == Versions(latest=1)
    assert wanted.of("a").versions == Versions(only=(1, 3))
    assert wanted.of("b").versions == Versions()
    assert wanted.of("c").versions == Versions(latest=1)


def test_a_policy_for_what_is_not_loaded_is_refused() -> None:
    with pytest.raises(InvalidArgument, match='"a" is not among the models to load: b'):
        wanted_of(read_settings({"versions": "a=1", "names": ("b",)}))


def test_a_group_has_its_own_models_and_otherwise_what_the_server_has() -> None:
    settings = read_settings({"topology": "split", "threads": 3, "max_backlog_s": 9, "provider_options": '{"x": "1"}'})
    group = GeneratorSettings(name="g", models=("a",), num_gpus=1, device="cuda:1", max_backlog_s=4)
    options = host_options(settings, group)
    assert sorted(options.wanted.models) == ["a"]
    assert options.wanted.of("b").chosen([1]) == frozenset()
    assert (options.threads, options.device, options.provider_options) == (3, "cuda:1", {"x": "1"})
    assert (options.engine.max_backlog_s, host_options(settings).engine.max_backlog_s) == (4, 9)
    assert host_options(settings).wanted.of("b").chosen([1]) == {1}


def test_models_are_a_directory_or_a_url(tmp_path: Path) -> None:
    assert host_options(read_settings({"models": str(tmp_path)})).models == tmp_path
    assert host_options(read_settings({"models": "s3://bucket/models"})).models == "s3://bucket/models"
