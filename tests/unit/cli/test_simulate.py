"""``brood simulate``."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brood.cli import main
from brood.cli.simulate import POLICIES as NAMES
from brood.simulation.policies import POLICIES
from helpers.bundles import steps_bundle

MIX = ("--requests", "50% steps=2", "--requests", "50% steps=9", "--count", "200")


@pytest.fixture
def costs(tmp_path: Path) -> str:
    path = tmp_path / "costs.json"
    path.write_text('{"step": {"1": 0.010, "2": 0.011, "4": 0.012, "8": 0.014}}')
    return str(path)


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["simulate", *words])


def test_the_policies_are_those_there_are() -> None:
    assert tuple(POLICIES) == NAMES


def test_a_table_tells_every_policy_and_kind(costs: str) -> None:
    result = run("--costs", costs, *MIX)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split()[:3] == ["load", "policy", "requests"]
    assert len(lines) == 1 + 3 * 3
    assert lines[1].split()[:4] == ["0.70", "step-level", "2", "steps"]


def test_json_has_the_same_figures(costs: str) -> None:
    result = run("--costs", costs, *MIX, "--json", "--policy", "step-level", "--rate", "20", "--burst", "3")
    (point,) = json.loads(result.output)
    assert (point["policy"], point["rate"]) == ("step-level", 20)
    assert point["summary"]["total"]["requests"] == 200
    assert list(point["summary"]["kinds"]) == ["2 steps", "9 steps"]


def test_capacity_within_a_latency(costs: str) -> None:
    result = run("--costs", costs, *MIX, "--find-capacity", "--slo-ms", "200", "--json")
    found = {each["policy"]: each["load"] for each in json.loads(result.output)}
    assert found["step-level"] > 1.3 * max(found["padded"], found["same-parameters"])
    assert "requests/s" in run("--costs", costs, *MIX, "--find-capacity", "--slo-ms", "200").output


def test_the_commands_for_planning_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operate.md").read_text()
    (block,) = re.findall(r"```sh\n(echo .*?)```", page, re.DOTALL)
    first, *commands = block.splitlines()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "costs.json").write_text(shlex.split(first)[1])
    for command in commands:
        result = run(*shlex.split(command)[2:], "--count", "150")
        assert result.exit_code == 0, result.output


def test_a_plot_of_a_recorded_trace(costs: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(json.dumps({"t": at / 20, "steps": 1 + at % 5}) + "\n" for at in range(60)))
    result = run("--costs", costs, "--trace", str(trace), "--plot", str(tmp_path / "load.png"), "--json")
    assert len(json.loads(result.output)) == 10 * 3
    assert (tmp_path / "load.png").is_file()
    (own,) = json.loads(run("--costs", costs, "--trace", str(trace), "--policy", "padded", "--json").output)
    assert own["rate"] == pytest.approx(60 / (59 / 20), rel=1e-3)


def test_a_model_is_measured(tmp_path: Path) -> None:
    steps_bundle(tmp_path)
    result = run(
        "--model", "steps", "--models", str(tmp_path), *MIX, "--json", "--policy", "step-level", "--load", "0.5"
    )
    assert result.exit_code == 0, result.output
    (point,) = json.loads(result.output)
    assert point["load"] == pytest.approx(0.5)
    assert point["summary"]["total"]["done"] == 200
    missing = run("--model", "other", "--models", str(tmp_path), *MIX)
    assert (missing.exit_code, missing.stderr) == (1, 'Error: model: "other" is not allowed; allowed: steps\n')


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (MIX, "give one of --costs and --model"),
        (("--model", "steps"), "give one of --requests and --trace"),
        (("--model", "steps", *MIX, "--slo-ms", "3"), "--find-capacity and --slo-ms go together"),
        (("--model", "steps", *MIX, "--noise", "nan"), "--noise"),
        (("--model", "steps", *MIX, "--load", "0"), "--load"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, ...], complaint: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_wrong_mix_is_one_line(costs: str) -> None:
    result = run("--costs", costs, "--requests", "100% steps=0")
    assert result.exit_code == 1
    assert result.stderr.startswith('Error: requests.steps: "0" is not allowed')
    assert len(result.stderr.splitlines()) == 1
