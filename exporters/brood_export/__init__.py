"""Trained torch models in, bundles out."""

from brood_export.api import export
from brood_export.bundle import Exported
from brood_export.errors import (
    BundleExists,
    CheckpointRefused,
    ExportError,
    Misfit,
    NotExportable,
    NotImportable,
    NotWritten,
    ParityFailed,
)
from brood_export.families import FAMILIES, Examples

__all__ = [
    "FAMILIES",
    "BundleExists",
    "CheckpointRefused",
    "Examples",
    "ExportError",
    "Exported",
    "Misfit",
    "NotExportable",
    "NotImportable",
    "NotWritten",
    "ParityFailed",
    "export",
]
