"""Models by name: from modules and files; what is no model says what it is."""

from pathlib import Path

import pytest
from torch import nn

from brood_export.errors import Misfit
from brood_export.factory import make_model

pytestmark = pytest.mark.export

CODE = """
from torch import nn
class Net(nn.Module):
    def __init__(self, size=2):
        super().__init__()
        self.linear = nn.Linear(size, size)
def build(): return Net(3)
def broken(): raise RuntimeError("no weights here")
ready = Net(4)
three = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_networks_of_test_factory.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(("name", "size"), [("Net", 2), ("build", 3), ("ready", 4)])
def test_classes_functions_and_objects(file: Path, name: str, size: int) -> None:
    model = make_model(f"{file}:{name}")
    assert isinstance(model.linear, nn.Linear)
    assert model.linear.in_features == size
    assert type(model).__module__ == file.stem


def test_modules_of_the_working_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr("sys.path", [])
    assert type(make_model(f"{file.stem}:Net")).__name__ == "Net"


def test_installed_modules() -> None:
    assert isinstance(make_model("torch.nn:Identity"), nn.Identity)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch.nn", "'torch.nn' is not allowed; allowed: module:factory"),
        ("torch.nn:Nothing", "torch.nn has no 'Nothing'"),
        ("no_such_module:f", "cannot be imported: ModuleNotFoundError"),
        ("no_such_file.py:f", "no such file"),
        ("math:pi", "gives a float; allowed: a torch.nn.Module"),
        ("torch.nn:Linear", r"torch.nn:Linear failed: TypeError"),
    ],
)
def test_what_gives_no_model_is_refused(name: str, words: str) -> None:
    with pytest.raises(Misfit, match=words):
        make_model(name)


@pytest.mark.parametrize(("name", "words"), [("broken", "no weights here"), ("three", "gives a int")])
def test_what_fails_says_why(file: Path, name: str, words: str) -> None:
    with pytest.raises(Misfit, match=words):
        make_model(f"{file}:{name}")
