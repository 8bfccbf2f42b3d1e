from __future__ import annotations

import pytest

from brood.dataplane.find import find_model, find_operation, manifest_of
from brood.protocol.errors import InvalidArgument, ModelNotFound, ModelUnavailable, NotReady
from brood.protocol.models import ModelStatus
from helpers.backend import STATUSES, manifest, ready


def test_the_newest_ready_version_is_meant() -> None:
    loading = ModelStatus("tiny", 3, "loading")
    assert find_model((*STATUSES, loading), "tiny", None).version == 2


def test_a_version_can_be_asked_for() -> None:
    assert find_model(STATUSES, "tiny", 1).version == 1


def test_without_a_ready_version_the_newest_is_meant() -> None:
    statuses = [ModelStatus("m", version, "failed", reason=f"reason {version}") for version in (1, 2)]
    assert find_model(statuses, "m", None).reason == "reason 2"


def test_unknown_model() -> None:
    with pytest.raises(ModelNotFound) as caught:
        find_model(STATUSES, "tinny", None)
    assert caught.value.field == "model"
    assert (
        caught.value.message == 'model: there is no "tinny" here (did you mean "tiny"?); there are: broken, slow, tiny'
    )


def test_unknown_version() -> None:
    with pytest.raises(ModelNotFound, match="version: tiny has no version 9; there are: 1, 2"):
        find_model(STATUSES, "tiny", 9)


def test_while_nothing_is_known_of_any_model_it_is_too_early_to_say() -> None:
    with pytest.raises(NotReady, match="no model is known yet"):
        find_model([], "m", None)


def test_a_failed_model_gives_its_reason() -> None:
    with pytest.raises(ModelUnavailable, match=r"broken 1 failed to load: graph\.onnx: its sha256"):
        manifest_of(find_model(STATUSES, "broken", None))


def test_a_loading_model_asks_to_come_back() -> None:
    with pytest.raises(NotReady) as caught:
        manifest_of(find_model(STATUSES, "slow", None))
    assert caught.value.retry_after_s == 1.0


def test_a_ready_model_has_its_manifest() -> None:
    assert manifest_of(ready()) == manifest()


def test_unknown_operation() -> None:
    with pytest.raises(InvalidArgument, match=r'operation: there is no "scores" here \(did you mean "score"'):
        find_operation(manifest(), "scores")
