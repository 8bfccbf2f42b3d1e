"""The certificates that ship are of the models that ship, and true where they can be tried.

After a model or the way it runs has changed: ``brood certify --threads 1 --threads 2 --threads 4 --threads 8 --out
service/brood/zoo/certificates``, on each kind of machine that they are to ship for.
"""

from __future__ import annotations

import pytest

from brood.host.certificate import Certificate
from brood.host.certificates import FOLDER, Certificates
from brood.host.conditions import conditions
from brood.host.loading import load_model
from brood.host.opened import open_bundle
from brood.runtimes.base import RuntimeOptions
from brood.store.store import find_bundles, read_bundle, zoo_root

BUNDLES = {ref.name: read_bundle(ref.directory) for ref in find_bundles(zoo_root())}
SHIPPED = [Certificate.model_validate_json(path.read_bytes()) for path in sorted((zoo_root() / FOLDER).iterdir())]


def test_none_is_of_another_bundle_or_under_another_name() -> None:
    digests = {(name, bundle.manifest.version): bundle.digest for name, bundle in BUNDLES.items()}
    for certificate in SHIPPED:
        where = certificate.conditions
        assert digests[where.model, where.version] == where.digest
        assert certificate in list(Certificates().find(where))
        assert certificate.processes == 2


@pytest.mark.parametrize("name", BUNDLES)
def test_every_model_has_some_for_common_numbers_of_threads(name: str) -> None:
    found = {each.conditions.threads for each in SHIPPED if each.conditions.model == name}
    assert found >= {1, 2, 4, 8}


@pytest.mark.parametrize("name", BUNDLES)
def test_they_are_borne_out_here(name: str, caplog: pytest.LogCaptureFixture) -> None:
    here = conditions(open_bundle(BUNDLES[name], RuntimeOptions(1)), RuntimeOptions(1))
    known = list(Certificates().find(here))
    ready = load_model(BUNDLES[name], RuntimeOptions(1), Certificates())
    assert not caplog.records
    assert ready.certificate.numerics_id
    assert known in ([], [ready.certificate])  # none on machines of a kind for which none ships
