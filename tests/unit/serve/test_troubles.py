"""What Serve says about deployments reaches people; what is on its way as it should be does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from brood.serve import troubles
from brood.serve.troubles import complaints


def application(**deployments: tuple[str, str]) -> SimpleNamespace:
    """Deployment → its state, and what Serve says."""
    found = {
        name.replace("_", "-"): SimpleNamespace(status=status, message=text)
        for name, (status, text) in deployments.items()
    }
    return SimpleNamespace(applications={"brood": SimpleNamespace(deployments=found)})


def test_what_is_not_sound_is_told_by_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    status = application(
        ingress=("UPDATING", "something\nno node has the resources"),
        directory=("HEALTHY", "all is well"),
        generator_fast=("UNHEALTHY", "no GPU\n"),
        generator_slow=("UPDATING", ""),
        generator_late=("UPDATING", "it takes long\nThis may be caused by a slow __init__."),
        generator_other=("UPSCALING", "one more"),
    )
    monkeypatch.setattr(troubles, "serve", SimpleNamespace(status=lambda: status))
    assert complaints("brood") == {
        "generator-fast": "no GPU",
        "generator-late": "it takes long",
        "ingress": "no node has the resources",
    }
    assert troubles.troubles("brood") == {"fast": "no GPU", "late": "it takes long"}
    assert complaints("another") == {}
