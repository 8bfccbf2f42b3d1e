"""Groups of workers: what may be set, and what makes no sense."""

from __future__ import annotations

import pytest

from brood.generators import Autoscaling, GeneratorSettings
from brood.settings import Settings, SettingsError, read_settings


def split(*groups: dict[str, object], **words: object) -> Settings:
    return read_settings({"topology": "split", "generators": groups, **words})


def test_without_groups_there_is_one_with_all_models() -> None:
    assert read_settings({"topology": "split"}).groups == (GeneratorSettings(name="default"),)
    assert read_settings({"topology": "split", "names": ("a",)}).groups[0].models == ("a",)
    assert read_settings({"topology": "split", "device": "cuda"}).groups[0].num_gpus == 1


def test_groups_are_read_from_json() -> None:
    found = read_settings({"topology": "split", "generators": '[{"name": "a", "autoscaling": {"min": 0, "max": 3}}]'})
    assert found.groups[0].autoscaling == Autoscaling(min=0, max=3)
    assert found.groups[0].least == 0
    assert split({"name": "a", "replicas": 4}).groups[0].least == 4


def test_an_upgrade_has_room_for_new_workers_where_there_are_no_gpus() -> None:
    assert GeneratorSettings(name="a").surge == 100
    assert GeneratorSettings(name="a", num_gpus=1).surge == 0
    assert GeneratorSettings(name="a", num_gpus=1, surge_percent=50).surge == 50


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"name": "Upper"}], "generators.0.name"),
        ([{"name": "a", "colour": 1}], "'generators.0.colour' is unknown; known: name, models, replicas"),
        ([{"name": "a", "autoscaling": {"max": 2, "x": 1}}], "is unknown; known: min, max, target_backlog_s"),
        ([{"name": "a"}, {"name": "a"}], "two generators are named 'a'"),
        ([{"name": "a", "replicas": 2, "autoscaling": {"max": 2}}], "replicas and autoscaling exclude each other"),
        ([{"name": "a", "autoscaling": {"min": 3, "max": 2}}], "min 3 is more than max 2"),
        ([{"name": "a", "device": "tpu", "num_gpus": 1}], "'tpu' is not allowed; allowed: cpu, cuda"),
        ([{"name": "a", "device": "cuda"}], "generator 'a' runs on cuda and needs num_gpus"),
    ],
)
def test_what_makes_no_sense_is_named(groups: list[dict[str, object]], message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        split(*groups)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="give topology split as well"):
        read_settings({"generators": [{"name": "a"}]})
    with pytest.raises(SettingsError, match="generator 'a' has y, which names leaves out"):
        split({"name": "a", "models": ["x", "y"]}, names=("x",))
    with pytest.raises(SettingsError, match="http_port must not be 0"):
        read_settings({"address": "auto", "http_port": 0})
    with pytest.raises(SettingsError, match="JSON is expected"):
        read_settings({"topology": "split", "generators": "{"})
