"""``brood keys``: made once, listed without secrets, revoked for ever."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brood.access.file import read_keys
from brood.access.keys import Key, fits
from brood.cli import main
from brood.settings import PREFIX

SECURITY = (Path(__file__).parents[3] / "docs" / "security.md").read_text()


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"{PREFIX}KEYS_FILE", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def keys(*arguments: str, columns: int = 200) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments], env={"COLUMNS": str(columns)})


def made(path: Path, *arguments: str) -> Key:
    result = keys("create", "studio", "--keys-file", str(path), *arguments)
    assert result.exit_code == 0, result.output
    return read_keys(path)[-1]


def test_a_key_is_shown_once_and_alone_on_standard_output(path: Path) -> None:
    result = keys("create", "studio", "--keys-file", str(path))
    secret = result.stdout.strip()
    [key] = read_keys(path)
    assert result.stdout == f"{secret}\n"
    assert fits(secret, key)
    assert secret not in result.stderr
    assert "shown only now" in result.stderr
    assert secret not in path.read_text()
    assert secret.rpartition("_")[2] not in keys("list", "--keys-file", str(path)).output


def test_what_a_key_allows(path: Path) -> None:
    key = made(
        path,
        *("--scope", "generate", "--scope", "metrics", "--model", "glyphs-*", "--model", "tiny"),
        *("--rate", "2.5", "--burst", "7", "--concurrency", "3"),
    )
    assert (key.name, key.scopes, key.models) == ("studio", ("generate", "metrics"), ("glyphs-*", "tiny"))
    assert (key.rate_per_s, key.burst, key.concurrency, key.expires) == (2.5, 7, 3, None)


def test_what_a_key_allows_if_nothing_is_said(path: Path) -> None:
    key = made(path)
    assert (key.scopes, key.models, key.rate_per_s, key.concurrency) == (("generate",), ("*",), None, None)


@pytest.mark.parametrize(("rate", "burst"), [("0.5", 1), ("1", 1), ("20", 20)])
def test_a_second_may_come_at_once(path: Path, rate: str, burst: int) -> None:
    assert made(path, "--rate", rate).burst == burst


@pytest.mark.parametrize(("span", "hours"), [("12h", 12), ("30d", 720)])
def test_a_key_for_a_while(path: Path, span: str, hours: int) -> None:
    key = made(path, "--expires", span)
    assert key.expires == key.created + timedelta(hours=hours)


def test_a_key_until_a_day(path: Path) -> None:
    assert made(path, "--expires", "2999-01-31").expires == datetime(2999, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scope", "root"], "scopes: 'root' is not allowed; input should be 'generate', 'admin' or 'metrics'"),
        (["--rate", "0"], "rate_per_s: 0.0 is not allowed; input should be greater than 0"),
        (["--rate", "inf"], "rate_per_s: inf is not allowed"),
        (["--burst", "3"], "--burst: only together with --rate"),
        (["--concurrency", "0"], "concurrency: 0 is not allowed"),
        (["--model", "a b"], "models: 'a b' is not allowed"),
        (["--expires", "soon"], "--expires: 'soon' is not allowed; allowed: 12h, 30d or 2030-01-31"),
        (["--expires", "2020-01-01"], "--expires: 2020-01-01 has passed already"),
    ],
)
def test_what_is_not_allowed_is_named_and_nothing_is_made(path: Path, arguments: list[str], message: str) -> None:
    result = keys("create", "studio", "--keys-file", str(path), *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not path.exists()


def test_a_name_that_is_not_allowed(path: Path) -> None:
    result = keys("create", "two words", "--keys-file", str(path))
    assert (result.exit_code, "name: 'two words' is not allowed" in result.stderr) == (2, True)


def test_the_list(path: Path) -> None:
    first, second = made(path, "--rate", "2"), made(path, "--expires", "2999-01-31", "--scope", "metrics")
    keys("revoke", first.id, "--keys-file", str(path))
    lines = keys("list", "--keys-file", str(path)).output.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:3] == [first.id, "studio", "generate"]
    assert "2/s, burst 2" in lines[1]
    assert "revoked" in lines[1]
    assert lines[2].split()[:3] == [second.id, "studio", "metrics"]
    assert "holds until 2999-01-31 00:00 UTC" in lines[2]


def test_the_list_in_a_narrow_terminal_has_whole_ids(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = made(path, "--rate", "2", "--expires", "2999-01-31")
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    listed = keys("list", "--keys-file", str(path), columns=60).output
    lines = re.sub(r"\x1b\[[0-9;]*m", "", listed).splitlines()
    assert any(line.startswith(key.id) for line in lines)
    assert max(map(len, lines)) <= 60


def test_revoked_for_ever(path: Path) -> None:
    key = made(path)
    result = keys("revoke", key.id, "--keys-file", str(path))
    assert (result.exit_code, result.output) == (0, f"key {key.id} of studio is revoked\n")
    [first] = read_keys(path)
    assert first.revoked is not None
    assert keys("revoke", key.id, "--keys-file", str(path)).exit_code == 0
    assert read_keys(path) == (first,)


def test_an_id_that_is_not_there(path: Path) -> None:
    key = made(path)
    result = keys("revoke", key.id[:-1] + "x", "--keys-file", str(path))
    assert result.exit_code == 1
    assert f'did you mean "{key.id}"?' in result.stderr


def test_the_file_of_the_settings(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "give --keys-file FILE, or set BROOD_KEYS_FILE" in keys("list").stderr
    monkeypatch.setenv("BROOD_KEYS_FILE", str(path))
    assert keys("create", "studio").exit_code == 0
    assert len(read_keys(path)) == 1


def test_a_file_that_is_not_there_is_one_line(path: Path) -> None:
    for arguments in (["list"], ["revoke", "0" * 12]):
        result = keys(*arguments, "--keys-file", str(path))
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "No such file" in result.stderr


def test_the_documented_commands(path: Path) -> None:
    [block] = re.findall(r"```sh\n(.*?)```", SECURITY, re.DOTALL)
    *first, revoke = [shlex.split(line.replace("keys.json", str(path))) for line in block.splitlines()]
    for command in first:
        assert CliRunner().invoke(main, command[1:]).exit_code == 0, command
    studio, prometheus = read_keys(path)
    assert (studio.rate_per_s, studio.burst, studio.concurrency, studio.models) == (5.0, 20, 4, ("glyphs-*",))
    assert prometheus.scopes == ("metrics",)
    revoke[revoke.index("revoke") + 1] = studio.id
    assert CliRunner().invoke(main, revoke[1:]).exit_code == 0
