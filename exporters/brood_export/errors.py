"""What can be wrong with an export.

ExportError
├── Misfit             the model, or an option, is not what its family needs
├── CheckpointRefused  a file of weights does not fit, or is not to be trusted
├── NotExportable      the model's code does what no graph can: names the line and the remedy
│   └── StaticRows     the rows axis of a tensor came out as a constant
├── ParityFailed       the exported graphs are not the original
├── BundleExists       name and version are taken
├── NotImportable      a file is no graph that can be served
└── NotWritten         the folder cannot be written to, or there is no room
"""

from __future__ import annotations


class ExportError(Exception):
    """Base: the message says what is wrong and what would be right. Nothing has been written."""


class Misfit(ExportError, TypeError):
    """The model lacks what its family needs, or an option is missing or not allowed; the message says what."""


class CheckpointRefused(ExportError, ValueError):
    """Weights that do not fit their model, are no numbers, or lie in a file that could run code."""


class NotExportable(ExportError, RuntimeError):
    """The model's code does something that no graph can; the message names the line, the module and the remedy."""


class StaticRows(NotExportable):
    """The rows axis of a tensor came out as a constant."""


class ParityFailed(ExportError, RuntimeError):
    """The exported model is not the original; the message says which graph, output and rows, and by how much."""


class BundleExists(ExportError, FileExistsError):
    """There is a bundle of that name and version already."""


class NotImportable(ExportError, ValueError):
    """The file is no graph that can be served; the message says why, and what would be."""


class NotWritten(ExportError, OSError):
    """The bundle's folder cannot be written to."""
