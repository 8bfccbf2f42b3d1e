"""Says to a cluster's Serve what ``serve deploy``, ``status`` and ``delete`` would say, without a dashboard.

Reads a list of words a line, as JSON, and answers each with a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
import yaml
from ray import serve
from ray.serve.config import ProxyLocation
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema


def main(address: str, own: str) -> None:
    """The process."""
    out, sys.stdout = sys.stdout, sys.stderr
    ray.init(address=address, _node_ip_address=own, log_to_driver=False)
    for line in sys.stdin:
        verb, *words = json.loads(line)
        out.write(json.dumps(VERBS[verb](*words)) + "\n")
        out.flush()


def start() -> None:
    """Have Serve."""
    serve.start(proxy_location=ProxyLocation.Disabled)


def deploy(text: str) -> None:
    """Change what is served; returns before it has changed."""
    _get_global_client().deploy_apps(ServeDeploySchema.model_validate(yaml.safe_load(text)))


def together(*texts: str) -> None:
    """The same for several, each sent by a thread of its own."""
    with ThreadPoolExecutor(len(texts)) as senders:
        list(senders.map(deploy, texts))


def asked() -> dict[str, Any]:
    """The settings that Serve was told last."""
    applications = _get_global_client().get_serve_details()["applications"]
    words: dict[str, Any] = applications["brood"]["deployed_app_config"]["args"]
    return words


def status() -> dict[str, Any]:
    """Of all applications."""
    return {
        name: {
            "status": app.status,
            "message": app.message,
            "deployments": {
                key: [each.status, each.replica_states, each.message] for key, each in app.deployments.items()
            },
        }
        for name, app in serve.status().applications.items()
    }


def nodes() -> list[str]:
    """Addresses of those that are alive."""
    return [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]


def delete() -> None:
    """End the application."""
    serve.delete("brood")


VERBS: dict[str, Callable[..., Any]] = {
    "start": start,
    "deploy": deploy,
    "together": together,
    "asked": asked,
    "status": status,
    "nodes": nodes,
    "delete": delete,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
