"""Logs: one line a record, for people or for machines.

A record that is made while a request is worked on tells its id. No line has a secret in it, whoever wrote it.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

from brood.observe.trace import CURRENT

PRETTY = "%(asctime)s %(levelname)-7s %(message)s"
MASK = "***"
# Keys as callers send them, passwords in addresses, and what is called a secret where a value follows.
SECRETS = re.compile(
    r"""(?P<before>\bBearer\s+|\b(?:password|secret|token|api[_-]?key)["']?\s*[:=]\s*["']?)(?P<secret>[^\s"',;&]+)"""
    r"""|(?P<name>\bbrood_[a-z0-9]{12}_)[a-z0-9]{52}\b"""
    r"""|(?P<scheme>://[^/\s:@]*:)(?P<password>[^/\s@]+)(?=@)""",
    re.IGNORECASE,
)
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
        return json.dumps(masked(line), default=str)


class PrettyFormatter(logging.Formatter):
    """One line for people: time, level, message, and of which request it is."""

    def __init__(self) -> None:
        super().__init__(PRETTY)

    def format(self, record: logging.LogRecord) -> str:
        request_id = getattr(record, "request_id", "")
        of = f" [{request_id}]" if request_id and request_id not in record.getMessage() else ""
        return masked_text(super().format(record) + of)


def masked(value: object) -> object:
    """The same without secrets, also inside of lists and mappings."""
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, dict):
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value


def masked_text(text: str) -> str:
    """The same without secrets."""
    return SECRETS.sub(lambda found: f"{found['before'] or found['name'] or found['scheme']}{MASK}", text)


def _name_request(record: logging.LogRecord) -> bool:
    """Adds the request that is worked on; no record is dropped."""
    current = CURRENT.get()
    if current is not None:
        record.__dict__.setdefault("request_id", current.request_id)
        if current.trace is not None:
            record.__dict__.setdefault("trace_id", current.trace.trace_id)
    return True


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
    handler.setFormatter(JsonFormatter() if form == "json" else PrettyFormatter())
    handler.addFilter(_name_request)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("brood").setLevel(level.upper())
    return handler
