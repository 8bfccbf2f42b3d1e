from __future__ import annotations

import pytest

from brood.frontends.oip.calls import Parameter
from brood.frontends.oip.controls import read_controls, refuse_shared_memory
from brood.protocol.errors import InvalidArgument, Unsupported


def test_parameters_are_sorted_out() -> None:
    found = read_controls(
        {
            "seed": 7,
            "label": 3,
            "timeout": 1500,
            "priority": 1,
            "binary_data_output": True,
            "triton_enable_empty_final_response": True,
            "sequence_id": 0,
        }
    )
    assert (found.own, found.params) == ({"seed": 7}, {"label": 3})
    assert (found.deadline_ms, found.priority) == (1.5, "interactive")


@pytest.mark.parametrize(("given", "meant"), [(0, "interactive"), (1, "interactive"), (2, "bulk"), (99, "bulk")])
def test_priority_counts_down_from_one(given: int, meant: str) -> None:
    assert read_controls({"priority": given}).priority == meant


def test_no_timeout_is_no_deadline() -> None:
    assert read_controls({"timeout": 0}).deadline_ms is None


@pytest.mark.parametrize("name", ["priority", "timeout"])
@pytest.mark.parametrize("value", [-1, 1.0, "1", True, 2**63])
def test_they_are_whole_numbers(name: str, value: Parameter) -> None:
    with pytest.raises(InvalidArgument, match=f"parameters.{name}"):
        read_controls({name: value})


@pytest.mark.parametrize("parameters", [{"sequence_id": 5}, {"sequence_id": "a"}, {"sequence_start": True}])
def test_there_are_no_sequences(parameters: dict[str, int | str]) -> None:
    with pytest.raises(Unsupported, match="sequences"):
        read_controls(parameters)


def test_there_is_no_shared_memory() -> None:
    refuse_shared_memory("inputs.x", {"binary_data_size": 4})
    with pytest.raises(Unsupported, match="shared memory") as caught:
        refuse_shared_memory("inputs.x", {"shared_memory_region": "r"})
    assert caught.value.field == "inputs.x"
