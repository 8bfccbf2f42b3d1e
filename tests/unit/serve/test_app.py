"""Settings become deployments, and files for ``serve deploy``."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray.serve import Application
from ray.serve.schema import ServeDeploySchema

from brood.serve.app import application, build
from brood.serve.render import render
from brood.settings import PREFIX, Settings, read_settings

DEPLOY = Path(__file__).parents[3] / "deploy" / "serve"
TWO = {
    "topology": "split",
    "generators": (
        {"name": "few", "replicas": 2, "num_cpus": 1.5, "resources": {"fast": 1}},
        {"name": "many", "num_gpus": 0.5, "device": "cuda", "autoscaling": {"min": 0, "max": 4}},
    ),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def deployments(app: Application) -> dict[str, Any]:
    """All that an application is made of, by name."""
    found = {app._bound_deployment.name: app._bound_deployment}
    for value in [*app._bound_deployment.init_args, *app._bound_deployment.init_kwargs.values()]:
        for each in value.values() if isinstance(value, dict) else [value]:
            if isinstance(each, Application):
                found |= deployments(each)
    return found


def test_colocated_is_one_deployment() -> None:
    found = deployments(application(Settings(), alone=True))
    assert list(found) == ["ingress"]
    assert found["ingress"].ray_actor_options["num_cpus"] == 0
    assert "runtime_env" not in found["ingress"].ray_actor_options


def test_split_has_a_directory_and_a_deployment_for_each_group() -> None:
    found = deployments(application(read_settings(TWO), alone=True))
    assert sorted(found) == ["directory", "generator-few", "generator-many", "ingress"]
    few, many = found["generator-few"], found["generator-many"]
    assert few.num_replicas == 2
    assert few.ray_actor_options["num_cpus"] == 1.5
    assert few.ray_actor_options["resources"] == {"fast": 1}
    assert few._deployment_config.max_surge_percent == 100
    assert many.ray_actor_options["num_gpus"] == 0.5
    assert many._deployment_config.max_surge_percent == 0
    scaling = many._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (0, 4)


def test_several_replicas_with_ports_are_on_nodes_of_their_own_and_one_hands_its_ports_over() -> None:
    two = deployments(build(Settings(ingresses=2)))["ingress"]
    assert (two._replica_config.max_replicas_per_node, two._deployment_config.max_surge_percent) == (1, 0)
    assert two.init_kwargs == {"patient": True, "shared": False}
    one = deployments(build(Settings()))["ingress"]
    assert (one._replica_config.max_replicas_per_node, one._deployment_config.max_surge_percent) == (None, 100)
    assert one.init_kwargs == {"patient": True, "shared": True}


def test_on_a_cluster_of_others_replicas_bring_their_variables() -> None:
    for deployment in deployments(build(read_settings(TWO))).values():
        variables = deployment.ray_actor_options["runtime_env"]["env_vars"]
        assert variables["RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD"] == "0"


def test_serve_checks_the_arguments_by_the_class_that_build_takes() -> None:
    (argument,) = inspect.signature(build).parameters.values()
    assert argument.annotation is Settings
    with pytest.raises(ValidationError, match="colour"):
        Settings.model_validate({"colour": "red"})


def test_a_rendered_file_says_what_was_given_and_nothing_else() -> None:
    words = yaml.safe_load(render(read_settings({**TWO, "host": "node", "insecure": True, "address": "auto"})))
    assert ServeDeploySchema.model_validate(words).applications[0].import_path == "brood.serve.app:build"
    arguments = words["applications"][0]["args"]
    assert sorted(arguments) == ["generators", "host", "insecure", "topology"]
    assert Settings.model_validate(arguments).groups == read_settings(TWO).groups


@pytest.mark.parametrize("name", ["dev", "production"])
def test_the_files_that_ship_are_fresh(name: str) -> None:
    assert (DEPLOY / f"{name}.yaml").read_text() == render(read_settings({}, DEPLOY / f"{name}.toml")), (
        f"run: brood config render --config deploy/serve/{name}.toml > deploy/serve/{name}.yaml"
    )
