"""Logs: one line a record, for people or for machines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

PRETTY = "%(asctime)s %(levelname)-7s %(message)s"
# What every record has; whatever else a record carries was given by the caller (`extra=`) and is told.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC, ISO 8601), level, logger, message, the caller's own keys, and the trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_logs(level: str, form: str, file: Path | None) -> logging.Handler:
    """Send this process's records to one place.

    Args:
        level: least level of brood's own records; those of libraries are told from ``warning`` on.
        form: ``json`` or ``pretty``.
        file: appended to; None: standard error.

    Returns:
        The handler, to be closed by whoever stops the process.
    """
    handler = logging.StreamHandler() if file is None else logging.FileHandler(file)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(PRETTY))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("brood").setLevel(level.upper())
    return handler
