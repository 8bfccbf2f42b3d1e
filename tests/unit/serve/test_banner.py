"""What the command says."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from brood.protocol.models import ModelStatus
from brood.serve.banner import Banner
from brood.serve.front import NodeStatus
from brood.settings import Settings, read_settings

MODELS = (ModelStatus("gan", 1, "failed", "its bytes differ"), ModelStatus("vae", 2, "ready"))


def told(settings: Settings, models: tuple[ModelStatus, ...]) -> str:
    out = io.StringIO()
    banner = Banner(settings, out)
    for model in models:
        banner.model(model)
    banner.ready(NodeStatus(1, settings.host, models, loaded=True), 9.87)
    return out.getvalue()


def test_every_model_has_a_line_and_every_port_an_address() -> None:
    lines = told(Settings(http_port=1, grpc_port=2, metrics_port=3), MODELS).splitlines()
    assert lines[:3] == [
        "  gan 1: failed: its bytes differ",
        "  vae 2: ready",
        "1 of 2 models ready after 9.9 s; Ctrl-C stops",
    ]
    assert lines[3].split()[:2] == ["HTTP", "http://127.0.0.1:1"]
    assert lines[4].split() == ["gRPC", "127.0.0.1:2"]
    assert lines[5].split() == ["metrics", "http://127.0.0.1:3/metrics"]


def test_the_command_to_paste_asks_a_model_that_is_ready() -> None:
    last = told(Settings(http_port=1), MODELS).splitlines()[-1]
    assert last.startswith("  curl -s http://127.0.0.1:1/v1/generations ")
    body = re.search(r"-d '(.*)' -o", last)
    assert body
    assert json.loads(body[1]) == {"model": "vae", "seed": 7}


def test_without_a_ready_model_there_is_nothing_to_try() -> None:
    assert "curl" not in told(Settings(), MODELS[:1])


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("10.0.0.7", "10.0.0.7")]
)
def test_the_address_is_one_that_this_machine_reaches(host: str, shown: str) -> None:
    assert f"http://{shown}:1/v1/generations" in told(Settings(host=host, http_port=1, insecure=True), MODELS)


def test_who_is_let_in_is_told_where_that_is_not_simply_everybody_here(tmp_path: Path) -> None:
    keys = {"keys_file": tmp_path / "k"}
    certificates = {"tls_cert": tmp_path / "c", "tls_key": tmp_path / "c"}
    everywhere = {"host": "0.0.0.0"}
    local, open_, keyed, safe = (
        told(read_settings(flags), MODELS)
        for flags in (keys, everywhere | {"insecure": True}, everywhere | keys, everywhere | keys | certificates)
    )
    assert "warning" not in local + safe
    assert "warning: --insecure: whoever reaches this address" in open_
    assert "warning: keys travel readable" in keyed
    for text in (local, keyed, safe):
        assert f"  keys     {tmp_path / 'k'}\n" in text
        assert '-H "authorization: Bearer $KEY"' in text
    assert "https://127.0.0.1:8000/v1/generations" in safe
    assert "metrics  https://" in safe
