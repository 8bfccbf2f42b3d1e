"""The chart by Helm itself: every example is clean, and every object is one that Kubernetes takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml

from brood.serve.variables import IN_CONTROLLER, ON_NODES
from brood.settings import Settings
from helpers.chart import (
    CHART,
    OPEN,
    SCHEMAS,
    at_version,
    ci_files,
    merged,
    notes,
    of_kind,
    only,
    pod_specs,
    rendered,
    values_of,
)

OLDEST, NEWEST = "1.29", str(kubernetes_validate.latest_version())
EXAMPLES = pytest.mark.parametrize("path", ci_files(), ids=lambda path: path.stem)
CLUSTER = merged(OPEN, {"mode": "cluster"})


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that refuses fields it does not know: the API server drops them in silence."""
    found = {
        key: {name: strict(each) for name, each in value.items()}
        if key == "properties"
        else strict(value)
        if isinstance(value, dict) and key in ("items", "additionalProperties")
        else value
        for key, value in schema.items()
        if not (key == "pattern" and "(?i)" in value)  # written for another language's expressions
    }
    if found.get("properties") and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def schemas() -> dict[str, Any]:
    return {path.stem.rpartition("_")[0]: strict(json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")}


@EXAMPLES
def test_lint_finds_nothing(path: Path) -> None:
    report = helm_python.lint(CHART, values_of(path), strict=True, kube_version="v1.34.0")
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


@EXAMPLES
def test_every_object_is_valid(path: Path) -> None:
    own = schemas()
    for found in rendered(values_of(path)):
        group = found["apiVersion"].partition("/")[0]
        if "." not in group or (group.endswith("k8s.io") and not group.startswith("gateway")):
            for version in (OLDEST, NEWEST):
                kubernetes_validate.validate(found, version, strict=True)
        elif (schema := own.get(found["kind"].lower())) is not None:
            jsonschema.validate(found, schema)


@EXAMPLES
def test_pods_are_restricted_and_write_only_where_a_volume_is(path: Path) -> None:
    objects = rendered(values_of(path))
    for _, _, spec in pod_specs(objects):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
            assert container["resources"]["limits"]["memory"]


@EXAMPLES
def test_only_a_head_with_an_autoscaler_has_a_token(path: Path) -> None:
    objects = rendered(values_of(path))
    assert only(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    for _, metadata, spec in pod_specs(objects):
        service = of_kind(objects, "RayService")
        scales = bool(service) and service[0]["spec"]["rayClusterConfig"]["enableInTreeAutoscaling"]
        head = metadata["labels"]["app.kubernetes.io/component"] == "head"
        assert spec["automountServiceAccountToken"] is (scales and head)


@EXAMPLES
def test_selectors_find_the_pods_they_mean(path: Path) -> None:
    objects = rendered(values_of(path))
    pods = [metadata["labels"] for kind, metadata, _ in pod_specs(objects) if kind != "Pod"]
    tests = [metadata["labels"] for kind, metadata, _ in pod_specs(objects) if kind == "Pod"]
    selectors = [
        (each["kind"], each["spec"]["selector"]["matchLabels"]) for each in of_kind(objects, "PodDisruptionBudget")
    ]
    selectors += [
        ("NetworkPolicy", each["spec"]["podSelector"]["matchLabels"]) for each in of_kind(objects, "NetworkPolicy")
    ]
    selectors += [("Service", each["spec"]["selector"]) for each in of_kind(objects, "Service")]
    selectors += [("PodMonitor", each["spec"]["selector"]["matchLabels"]) for each in of_kind(objects, "PodMonitor")]
    assert selectors
    for kind, labels in selectors:
        assert any(labels.items() <= pod.items() for pod in pods), kind
        assert not any(labels.items() <= pod.items() for pod in tests), kind


@pytest.mark.parametrize("monitor", ["pod", "service"])
@pytest.mark.parametrize("mode", ["single", "cluster"])
def test_scrapes_come_to_all_pods_with_an_exporter_and_to_no_others(monitor: str, mode: str) -> None:
    objects = rendered(merged(OPEN, {"mode": mode, "metrics": {"monitor": monitor}}))
    chosen = [each["spec"]["selector"]["matchLabels"] for each in of_kind(objects, "PodMonitor")]
    chosen += [
        each["spec"]["selector"]
        for each in of_kind(objects, "Service")
        if each["metadata"]["name"].endswith("-metrics")
    ]
    (selector,) = chosen
    scraped = {
        metadata["labels"].get("app.kubernetes.io/component")
        for _, metadata, _ in pod_specs(objects)
        if selector.items() <= metadata["labels"].items()
    }
    assert scraped == ({"server"} if mode == "single" else {"frontend", "generator"})


@EXAMPLES
def test_a_pod_has_longer_than_its_requests(path: Path) -> None:
    values = values_of(path)
    for kind, _, spec in pod_specs(rendered(values)):
        if kind != "Pod":
            assert spec["terminationGracePeriodSeconds"] >= values.get("drainS", 30) + 30


@EXAMPLES
def test_the_settings_are_those_of_the_server(path: Path) -> None:
    objects = rendered(values_of(path))
    for deployment in of_kind(objects, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        told = {each["name"]: each["value"] for each in container["env"] if each["name"].startswith("BROOD_")}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            settings = Settings(host="0.0.0.0")
        assert {f"BROOD_{name.upper()}" for name in settings.model_fields_set} == {*told, "BROOD_HOST"}
    for service in of_kind(objects, "RayService"):
        (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
        settings = Settings.model_validate(application["args"])
        assert settings.topology == "split"
        assert settings.model_fields_set == application["args"].keys()


def test_the_environment_says_what_the_values_say() -> None:
    values = merged(OPEN, {"models": {"names": ["a", "b"]}, "settings": {"max_n": 5000000, "max_backlog_s": 0.5}})
    (container,) = only(rendered(values), "Deployment")["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told["BROOD_NAMES"] == "a,b"
    assert told["BROOD_MAX_N"] == "5000000"
    assert told["BROOD_MAX_BACKLOG_S"] == "0.5"
    assert told["BROOD_INSECURE"] == "true"


@pytest.mark.parametrize(("limit", "threads"), [("1500m", "2"), ("4", "4"), (3, "3"), ("100m", "1"), ("2.5", "3")])
def test_threads_come_from_the_limit(limit: object, threads: str) -> None:
    values = merged(OPEN, {"single": {"resources": {"limits": {"cpu": limit}}}})
    (container,) = only(rendered(values), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "BROOD_THREADS", "value": threads} in container["env"]


@pytest.mark.parametrize(("lanes", "threads"), [(1, "4"), (2, "2"), (3, "1"), (8, "1")])
def test_lanes_share_the_cores(lanes: int, threads: str) -> None:
    values = merged(OPEN, {"settings": {"lanes": lanes}, "single": {"resources": {"limits": {"cpu": "4"}}}})
    (container,) = only(rendered(values), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "BROOD_THREADS", "value": threads} in container["env"]
    assert {"name": "BROOD_LANES", "value": str(lanes)} in container["env"]
    assert {"name": "OMP_NUM_THREADS", "value": "4"} in container["env"]


def test_the_cluster_is_the_same_whatever_the_version_of_the_chart(tmp_path: Path) -> None:
    both = [
        only(rendered(CLUSTER, chart=at_version(version, tmp_path)), "RayService")["spec"]
        for version in ("0.1.0", "9.8.7")
    ]
    assert both[0] == both[1]


def test_ray_is_told_what_brood_serve_tells_it() -> None:
    service = only(rendered(CLUSTER), "RayService")["spec"]
    for _, _, spec in pod_specs([{"kind": "RayService", "spec": service}]):
        told = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
        assert told.items() >= {**ON_NODES, **IN_CONTROLLER}.items()
    controller = yaml.safe_load(service["serveConfigV2"])["controller_options"]
    assert controller == {"runtime_env": {"env_vars": dict(IN_CONTROLLER)}}


def test_ports_of_the_service_are_named_as_kuberay_wants() -> None:
    service = only(rendered(CLUSTER), "RayService")["spec"]
    for group in service["rayClusterConfig"]["workerGroupSpecs"]:
        (container,) = group["template"]["spec"]["containers"]
        assert {port["name"] for port in container["ports"]} == {"serve", "serve-grpc", "metrics"}
    assert service["serveService"]["spec"]["ports"] == [{"name": "serve", "port": 8000}]


def test_callers_come_to_pods_that_answer_them_and_to_no_others() -> None:
    objects = rendered(CLUSTER)
    selector = only(objects, "Service")["spec"]["selector"]
    chosen = {
        metadata["labels"]["app.kubernetes.io/component"]: spec["containers"][0]["readinessProbe"]
        for _, metadata, spec in pod_specs(objects)
        if selector.items() <= metadata["labels"].items()
    }
    assert chosen == {"frontend": {"grpc": {"port": 9000}, "periodSeconds": 5, "timeoutSeconds": 2}}


@pytest.mark.parametrize(("frontends", "places"), [(1, 2), (3, 1)])
def test_there_is_room_for_a_change_in_place(frontends: int, places: int) -> None:
    service = only(rendered(merged(CLUSTER, {"cluster": {"frontends": {"replicas": frontends}}})), "RayService")["spec"]
    (offered,) = [
        json.loads(group["rayStartParams"]["resources"].strip("'"))
        for group in service["rayClusterConfig"]["workerGroupSpecs"]
        if group["groupName"] == "frontends"
    ]
    assert offered == {"brood-frontend": places}
    settings = Settings.model_validate(yaml.safe_load(service["serveConfigV2"])["applications"][0]["args"])
    assert [group.surge for group in settings.generators] == [0]


def test_groups_place_what_is_meant_for_them() -> None:
    generators = [
        {"name": "small", "replicas": 2, "resources": {"limits": {"cpu": "2", "memory": "2Gi"}}},
        {
            "name": "large",
            "device": "cuda",
            "gpus": 1,
            "autoscaling": {"min": 0, "max": 4},
            "resources": {"limits": {"cpu": "8", "memory": "8Gi"}},
        },
    ]
    service = only(rendered(merged(CLUSTER, {"cluster": {"generators": generators}})), "RayService")["spec"]
    groups = {group["groupName"]: group for group in service["rayClusterConfig"]["workerGroupSpecs"]}
    assert {name: (group["minReplicas"], group["maxReplicas"]) for name, group in groups.items()} == {
        "frontends": (2, 2),
        "generator-small": (2, 2),
        "generator-large": (0, 4),
    }
    (container,) = groups["generator-large"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    settings = Settings.model_validate(yaml.safe_load(service["serveConfigV2"])["applications"][0]["args"])
    for group, own in zip(settings.generators, ("generator-small", "generator-large"), strict=True):
        offered = json.loads(groups[own]["rayStartParams"]["resources"].strip("'"))
        assert group.resources.keys() == offered.keys()
    assert (
        settings.ingress_resources.keys()
        == json.loads(groups["frontends"]["rayStartParams"]["resources"].strip("'")).keys()
    )
    assert settings.generators[1].num_gpus == 1
    assert settings.generators[1].autoscaling is not None


def test_ray_is_closed_to_all_but_its_own_pods_and_the_operator() -> None:
    policy = only(rendered(CLUSTER), "NetworkPolicy")["spec"]
    for rule in policy["ingress"]:
        ports = {port["port"] for port in rule.get("ports", [])}
        if "from" not in rule:
            assert ports <= {8000, 9000, 9464}
    inner = [rule for rule in policy["ingress"] if "ports" not in rule]
    assert [list(rule["from"][0]) for rule in inner] == [["podSelector"]]


def test_probes_fit_what_the_ports_speak() -> None:
    def probes(tls: dict[str, str]) -> tuple[str, str, str]:
        (container,) = only(rendered(merged(OPEN, {"tls": tls})), "Deployment")["spec"]["template"]["spec"][
            "containers"
        ]
        found = (container[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))
        kinds = tuple(next(kind for kind in ("httpGet", "grpc", "tcpSocket") if kind in probe) for probe in found)
        return kinds[0], kinds[1], kinds[2]

    assert probes({}) == ("httpGet", "httpGet", "grpc")
    assert probes({"secret": "tls"}) == ("httpGet", "httpGet", "httpGet")
    assert probes({"secret": "tls", "clientCaSecret": "ca"}) == ("tcpSocket", "tcpSocket", "tcpSocket")


def test_tests_ask_over_http_and_grpc_and_only_where_they_can() -> None:
    pods = of_kind(rendered(OPEN), "Pod")
    urls = [word for pod in pods for word in pod["spec"]["containers"][0]["args"] if word.startswith("--url")]
    assert urls == ["--url=grpc://demo-brood:9000", "--url=http://demo-brood:8000"]
    assert of_kind(rendered({"access": {"keysSecret": {"name": "keys"}}}), "Pod") == []


def test_notes_tell_where_it_is_and_what_is_open() -> None:
    told = notes(OPEN)
    assert "http://demo-brood.prod:8000" in told
    assert "access.insecure" in told
    assert "access.insecure" not in notes({"access": {"keysSecret": {"name": "keys"}}})
    assert "rayservice/demo-brood" in notes(CLUSTER)
