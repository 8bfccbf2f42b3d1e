"""Finds out, or confirms, at which buckets a model's samples are exact.

At load, a certificate that was made before is confirmed: the golden bits, and one call at each of its buckets, must be
as it says. This costs nothing, for these calls check the model and time it anyway. If there is no certificate, or one
that is not borne out, it is made in this process, as the trials take seconds. ``brood certify`` repeats them in a fresh
process, which would add another start of Python and of the runtime to every first start of a server.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from brood.host.certificate import Certificate
from brood.host.certificates import Certificates
from brood.host.conditions import Conditions, conditions
from brood.host.evidence import Evidence, observe, observe_at, try_graphs
from brood.host.opened import Opened, open_bundle
from brood.host.trials import FEW_TURNS, PROBES, Trial, exact_buckets
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle

Trials = Mapping[str, Trial]  # graph → what trying it has shown
log = logging.getLogger(__name__)


def certified(opened: Opened, options: RuntimeOptions, certificates: Certificates) -> tuple[Certificate, Evidence]:
    """A model's certificate under the present conditions, found or made; and how the model ran.

    Raises:
        BundleError: a golden sample comes out differently.
        BroodError: a golden sample, or a call at some bucket, fails.
    """
    here, evidence = conditions(opened, options), observe(opened)
    known = list(certificates.find(here))
    for found in known:
        seen = observe_at(opened, found.exact, evidence)
        if seen.bears_out(found):
            return found, seen
    if known:
        log.warning("%s %d: its certificate is not borne out here; making another", here.model, here.version)
    trials = try_graphs(opened, evidence, FEW_TURNS)
    certificate = _certificate(opened, here, evidence, [trials])
    log.info("%s %d: certified in %.1f s", here.model, here.version, sum(each.seconds for each in trials.values()))
    certificates.keep(certificate)
    return certificate, evidence


def certify_twice(
    directory: Path, options: RuntimeOptions, *, allow_native: bool = False
) -> tuple[Certificate, Sequence[Trials]]:
    """Certify a bundle in this process and in a fresh one.

    Returns:
        The certificate, and the trials of both processes.

    Raises:
        BroodError: the bundle does not load or run.
    """
    opened = open_bundle(read_bundle(directory, allow_native=allow_native), options)
    evidence = observe(opened)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        theirs = other.submit(try_bundle, directory, options, allow_native)
        trials = [try_graphs(opened, evidence, PROBES), theirs.result()]
    return _certificate(opened, conditions(opened, options), evidence, trials), trials


def try_bundle(directory: Path, options: RuntimeOptions, allow_native: bool) -> Trials:
    """Try all graphs of a bundle, from the start."""
    opened = open_bundle(read_bundle(directory, allow_native=allow_native), options)
    return try_graphs(opened, observe(opened), PROBES)


def _certificate(opened: Opened, here: Conditions, evidence: Evidence, trials: Sequence[Trials]) -> Certificate:
    exact = {name: exact_buckets([each[name].bits for each in trials]) for name in trials[0]}
    name = observe_at(opened, exact, evidence).numerics_id(exact)
    return Certificate(conditions=here, exact=exact, numerics_id=name, processes=len(trials))
