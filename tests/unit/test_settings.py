"""Where settings come from, what wins, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from brood.settings import (
    PREFIX,
    Settings,
    SettingsError,
    available_cores,
    default_cache_dir,
    export_variables,
    read_settings,
)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "brood.toml"
    path.write_text('http_port = 1\ngrpc_port = 2\nmetrics_port = 3\nnames = ["a", "b"]\n')
    return path


def test_a_bare_server_listens_on_loopback_only() -> None:
    settings = read_settings({})
    assert (settings.host, settings.http_port, settings.grpc_port, settings.metrics_port) == (
        "127.0.0.1",
        8000,
        9000,
        9464,
    )
    assert settings.threads == available_cores()
    assert not settings.allow_native


def test_a_flag_beats_the_environment_and_that_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROOD_GRPC_PORT", "20")
    monkeypatch.setenv("BROOD_METRICS_PORT", "30")
    settings = read_settings({"metrics_port": "300"}, file)
    assert (settings.http_port, settings.grpc_port, settings.metrics_port) == (1, 20, 300)
    assert settings.names == ("a", "b")


def test_a_variable_holds_several_names_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROOD_NAMES", "glyphs-vae, glyphs-gan,")
    monkeypatch.setenv("BROOD_HOST_NAMES", "brood.example.org")
    assert read_settings({}).names == ("glyphs-vae", "glyphs-gan")
    assert read_settings({}).host_names == ("brood.example.org",)


def test_paths_do_not_depend_on_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({"models": "bundles"}).models == tmp_path / "bundles"


def test_what_is_kept_lies_in_the_users_own_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert read_settings({}).cache_dir == tmp_path / ".cache" / "brood"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    assert default_cache_dir() == tmp_path / ".cache" / "brood"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir() == tmp_path / "xdg" / "brood"
    monkeypatch.setenv("BROOD_CACHE_DIR", str(tmp_path / "own"))
    assert default_cache_dir() == tmp_path / "own"
    assert read_settings({}).cache_dir == tmp_path / "own"
    assert read_settings({"cache_dir": str(tmp_path / "flag")}).cache_dir == tmp_path / "flag"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert read_settings({}).cache_dir is None


@pytest.mark.parametrize(
    "name",
    ["max_backlog_s", "max_held_bytes", "max_state_bytes", "hang_s", "body_idle_s", "body_total_s", "replay_keep_s"],
)
def test_limits_are_positive(name: str) -> None:
    with pytest.raises(SettingsError, match=f"setting '{name}': 0 is not allowed"):
        read_settings({name: 0})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().host = "0.0.0.0"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"http_port": "x"}, "setting 'http_port': 'x' is not allowed; input should be a valid integer"),
        (
            {"http_port": 65536},
            "setting 'http_port': 65536 is not allowed; input should be less than or equal to 65535",
        ),
        ({"log_level": "loud"}, "setting 'log_level': 'loud' is not allowed; input should be 'debug', 'info'"),
        ({"colour": 1}, "setting 'colour' is unknown; known: models, names, "),
    ],
)
def test_what_is_not_allowed_is_named(flags: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(flags)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROOD_HTP_PORT", "8000")
    with pytest.raises(SettingsError, match="BROOD_HTP_PORT is unknown; known: BROOD_ADDRESS, BROOD_ADMIN, "):
        read_settings({})


@pytest.mark.parametrize(
    ("content", "message"),
    [("colour = 1", "setting 'colour' is unknown"), ("http_port = ", "Invalid value"), (None, "No such file")],
)
def test_a_bad_file_is_an_error(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "brood.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=message):
        read_settings({}, path)


def test_exported_variables_reach_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTED_BY_A_TEST", "before")  # so that it is taken back afterwards
    export_variables({"EXPORTED_BY_A_TEST": "yes"})
    code = "import os; print(os.environ['EXPORTED_BY_A_TEST'])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout == "yes\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "brood.example.org"])
def test_an_address_that_others_reach_needs_keys_or_a_word(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=f"host {host} can be reached by others") as caught:
        read_settings({"host": host})
    for way in ("--keys-file FILE", "--host 127.0.0.1", "--insecure"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)
    assert read_settings({"host": host, "insecure": True}).insecure
    monkeypatch.setenv("BROOD_KEYS_FILE", str(tmp_path / "keys"))
    assert read_settings({"host": host}).keys_file == tmp_path / "keys"


def test_settings_of_another_origin_are_held_to_the_same() -> None:
    with pytest.raises(ValidationError, match="without keys everybody could use this server"):
        Settings(host="0.0.0.0")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"tls_cert": "c"}, "tls_cert and tls_key belong together; give both or none"),
        ({"tls_key": "k"}, "tls_cert and tls_key belong together; give both or none"),
        ({"tls_client_ca": "a"}, "tls_client_ca needs tls_cert and tls_key"),
    ],
)
def test_certificates_that_do_not_belong_together(flags: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(flags)
    assert str(caught.value).startswith(message)
