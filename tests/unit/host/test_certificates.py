"""Where certificates are kept, and everything that can be wrong with that."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from brood.host.certificate import Certificate
from brood.host.certificates import FOLDER, Certificates, write_certificate
from brood.host.conditions import Conditions

HERE = Conditions(
    model="m",
    version=2,
    digest="d",
    runtimes=("fake 1",),
    device="cpu",
    provider="fake",
    precision="float64",
    provider_options=(),
    isa="linux-x86_64-avx2",
    threads=1,
)
THERE = HERE.model_copy(update={"threads": 2})


def made(conditions: Conditions = HERE, name: str = "abc") -> Certificate:
    return Certificate(conditions=conditions, exact={"step": (1, 2)}, numerics_id=name, processes=1)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "cache", tmp_path / "shipped")
    assert list(certificates.find(HERE)) == []
    certificates.keep(made())
    assert list(certificates.find(HERE)) == [made()]
    assert list(certificates.find(THERE)) == []
    certificates.keep(made(name="def"))
    assert list(certificates.find(HERE)) == [made(name="def")]
    assert [path.name for path in (tmp_path / "cache" / FOLDER).iterdir()] == [f"{HERE.key}.json"]


def test_shipped_ones_come_first_and_stay_as_they_are(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "cache", tmp_path / "shipped")
    path = write_certificate(tmp_path / "shipped", made())
    certificates.keep(made(name="own"))
    assert list(certificates.find(HERE)) == [made(), made(name="own")]
    assert path.parent == tmp_path / "shipped"


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    certificates = Certificates(None, tmp_path)
    certificates.keep(made())
    assert list(certificates.find(HERE)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "\x00\xff" * 100,
        made().model_dump_json().replace("brood-certificate/1", "brood-certificate/9"),
        made().model_dump_json().replace('"processes"', '"colour":1,"processes"'),
        made().model_dump_json()[:-10],
        made(THERE).model_dump_json(),  # a copy under another's name
    ],
)
def test_a_spoilt_file_is_ignored_with_a_warning(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(tmp_path, tmp_path / "shipped")
    certificates.keep(made())
    path = tmp_path / FOLDER / f"{HERE.key}.json"
    path.write_bytes(content.encode("latin-1"))
    assert list(certificates.find(HERE)) == []
    assert [(record.levelno, str(path) in record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, True)
    ]
    certificates.keep(made())
    assert list(certificates.find(HERE)) == [made()]


def test_a_directory_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    certificates = Certificates(blocked / "cache", tmp_path)
    assert list(certificates.find(HERE)) == []
    certificates.keep(made())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the certificate of m cannot be kept" in caplog.text


def test_a_file_that_cannot_be_read_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / f"{HERE.key}.json").mkdir()
    assert list(Certificates(None, tmp_path).find(HERE)) == []
    assert "is ignored" in caplog.text


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / f"{HERE.key}.json").mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match="directory"):
        write_certificate(tmp_path, made())
    assert [path.name for path in tmp_path.iterdir()] == [f"{HERE.key}.json"]
