"""Bad values are refused when the chart is rendered, with the path of the value and what is allowed."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import helm_python
import pytest
import yaml

from helpers.chart import CHART, OPEN, ROOT, merged, rendered

LIMITS = {"limits": {"cpu": "2", "memory": "2Gi"}}
GROUP = {"name": "one", "resources": LIMITS}
CLUSTER = merged(OPEN, {"mode": "cluster"})


def groups(*generators: dict[str, Any]) -> dict[str, Any]:
    return merged(CLUSTER, {"cluster": {"generators": list(generators)}})


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody knows whom to let in": ({}, r"access\.keysSecret\.name: a Secret .* is needed"),
    "keys and none": (
        {"access": {"insecure": True, "keysSecret": {"name": "keys"}}},
        r"access\.insecure: true has no meaning with access\.keysSecret\.name",
    ),
    "callers' certificates without TLS": (
        merged(OPEN, {"tls": {"clientCaSecret": "ca"}}),
        r"tls\.clientCaSecret: .* give tls\.secret",
    ),
    "a claim without a name": (merged(OPEN, {"models": {"source": "claim"}}), r"models\.claim: .* is needed"),
    "a URL that is none": (merged(OPEN, {"models": {"source": "url"}}), r"models\.url: .* is needed"),
    "a claim that is not used": (
        merged(OPEN, {"models": {"claim": "models"}}),
        r"models\.claim: has no meaning with models\.source image",
    ),
    "credentials for no URL": (
        merged(OPEN, {"models": {"urlSecret": "models-access"}}),
        r"models\.urlSecret: has no meaning with models\.source image",
    ),
    "scrapes without a key": (
        {"access": {"keysSecret": {"name": "keys"}}, "metrics": {"monitor": "pod"}},
        r"metrics\.keySecret\.name: with access\.keysSecret scrapes need",
    ),
    "a route without a gateway": (merged(OPEN, {"gateway": {"enabled": True}}), r"gateway\.parentRefs: .*at least one"),
    "a setting of the chart's own": (
        merged(OPEN, {"settings": {"http_port": 80}}),
        r"settings\.http_port: is set by the chart",
    ),
    "a device without GPUs": (
        merged(OPEN, {"single": {"device": "cuda"}}),
        r"single\.gpus: at least 1 is needed with single\.device cuda",
    ),
    "GPUs without a device": (merged(OPEN, {"single": {"gpus": 2}}), r"single\.device: cpu leaves the GPUs"),
    "no generators": (groups(), r"cluster\.generators: at least one group"),
    "two of one name": (groups(GROUP, GROUP), r"cluster\.generators\[1\]\.name: another group is named .one"),
    "a group's device without GPUs": (
        groups(merged(GROUP, {"device": "tensorrt"})),
        r"cluster\.generators\[0\]\.gpus: at least 1",
    ),
    "a number and a range": (
        groups(merged(GROUP, {"replicas": 1, "autoscaling": {"max": 2}})),
        r"cluster\.generators\[0\]\.replicas: .*exclude each other",
    ),
    "a range upside down": (
        groups(merged(GROUP, {"autoscaling": {"min": 3, "max": 2}})),
        r"cluster\.generators\[0\]\.autoscaling\.min: 3 is more than max 2",
    ),
    "no limit to take threads from": (
        groups({"name": "one", "resources": {"limits": {"memory": "1Gi"}}}),
        r"cluster\.generators\[0\]\.resources\.limits\.cpu: is needed",
    ),
    "a password for nothing": (
        merged(CLUSTER, {"cluster": {"gcsFaultTolerance": {"passwordSecret": {"name": "redis"}}}}),
        r"cluster\.gcsFaultTolerance\.redisAddress: a password needs a Redis",
    ),
    "a name that KubeRay cannot add to": (
        merged(CLUSTER, {"fullnameOverride": "x" * 48}),
        r"fullnameOverride: .* 48 characters, and 47 are allowed",
    ),
    # What the schema refuses.
    "an unknown key": (merged(OPEN, {"replicas": 3}), r"additional properties 'replicas' not allowed"),
    "an unknown key inside": (merged(OPEN, {"image": {"name": "x"}}), r"at '/image': additional properties 'name'"),
    "a mode that is none": (merged(OPEN, {"mode": "many"}), r"at '/mode': value must be one of 'single', 'cluster'"),
    "words for a number": (merged(OPEN, {"drainS": "long"}), r"at '/drainS': got string, want integer"),
    "too few": (merged(OPEN, {"single": {"replicas": 0}}), r"at '/single/replicas': minimum: got 0, want 1"),
    "a port that is none": (merged(OPEN, {"service": {"httpPort": 70000}}), r"at '/service/httpPort': maximum"),
    "a tag that is a number": (merged(OPEN, {"image": {"tag": 1.5}}), r"at '/image/tag': got number, want string"),
    "root": (merged(OPEN, {"pods": {"userId": 0}}), r"at '/pods/userId': minimum"),
    "a group without a name": (groups({"resources": LIMITS}), r"at '/cluster/generators/0': missing property 'name'"),
    "too small an object store": (
        merged(CLUSTER, {"cluster": {"objectStoreBytes": 1000}}),
        r"at '/cluster/objectStoreBytes': minimum",
    ),
}


@pytest.mark.parametrize(("values", "said"), REFUSED.values(), ids=REFUSED)
def test_a_bad_value_is_refused_by_its_path(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm_python.HelmError) as refused:
        rendered(values)
    assert re.search(said, str(refused.value))


def test_the_schema_knows_every_value_and_no_other() -> None:
    def paths(schema: dict[str, Any], values: dict[str, Any], at: str = "") -> None:
        assert schema["additionalProperties"] is False, at
        assert schema["properties"].keys() - {"global"} == values.keys(), at
        for name, value in values.items():
            own = resolved(schema["properties"][name])
            if isinstance(value, dict) and own.get("additionalProperties") is False and value:
                paths(own, value, f"{at}/{name}") if own["properties"].keys() == value.keys() else None

    document = json.loads((CHART / "values.schema.json").read_text())

    def resolved(schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref", "")
        found: dict[str, Any] = document["$defs"][reference.rpartition("/")[2]] if reference else schema
        return found

    paths(document, yaml.safe_load((CHART / "values.yaml").read_text()))


def test_the_readme_is_made_of_the_comments() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        script = importlib.import_module("chart_readme")
    assert (CHART / "README.md").read_text() == script.readme()
