"""``brood config render``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from brood import __version__
from brood.cli import main
from brood.settings import PREFIX


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_flags_and_a_file_become_a_file_for_serve_deploy(tmp_path: Path) -> None:
    file = tmp_path / "brood.toml"
    file.write_text('topology = "split"\n[[generators]]\nname = "a"\nreplicas = 3\n')
    result = CliRunner().invoke(main, ["config", "render", "--config", str(file), "--http-port", "8080"])
    assert result.exit_code == 0
    arguments = yaml.safe_load(result.stdout)["applications"][0]["args"]
    assert arguments == {"topology": "split", "generators": [{"name": "a", "replicas": 3}], "http_port": 8080}


def test_a_file_names_the_release_and_may_ask_for_a_restart() -> None:
    """Serve compares files, so other code under the same settings must make another file."""
    plain, again, marked = (_release(*flags) for flags in ([], [], ["--restart"]))
    assert plain == again == __version__
    assert re.fullmatch(rf"{re.escape(__version__)} \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ", marked)


def _release(*flags: str) -> str:
    result = CliRunner().invoke(main, ["config", "render", *flags])
    assert result.exit_code == 0
    found: str = yaml.safe_load(result.stdout)["applications"][0]["runtime_env"]["env_vars"]["RELEASE_OF_BROOD"]
    return found


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--topology", "round"], 2, "setting 'topology': 'round' is not allowed"),
        (["--generators", '[{"name": "a"}]'], 2, "give topology split as well"),
        (["--versions", "a=1", "--model", "b"], 1, 'versions: "a" is not among the models to load: b'),
    ],
)
def test_what_is_wrong_is_told(flags: list[str], code: int, message: str) -> None:
    result = CliRunner().invoke(main, ["config", "render", *flags])
    assert result.exit_code == code
    assert message in result.stderr
