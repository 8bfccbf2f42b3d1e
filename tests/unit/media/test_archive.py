"""Archives depend on their content alone."""

import io
import zipfile

from brood.media.archive import write_zip

FILES = [("metadata.json", b"{}"), ("000000-sample.png", b"\x89PNG"), ("empty", b"")]


def test_files_come_back_in_order() -> None:
    with zipfile.ZipFile(io.BytesIO(write_zip(FILES))) as archive:
        assert [(name, archive.read(name)) for name in archive.namelist()] == FILES
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_equal_files_give_equal_archives() -> None:
    assert write_zip(FILES) == write_zip(iter(FILES))
