"""Settings of a server: read once, here and nowhere else, from flags, the environment and a file.

A flag wins over the environment, the environment over the file, the file over the default. The variable of a field is
its name in capitals after ``BROOD_``; in the file (TOML) it is a key at top level. A name that is no field is an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from brood.access.exposure import complaint, is_loopback

PREFIX = "BROOD_"
CALLERS_KEY = f"{PREFIX}API_KEY"  # read by the commands that call a server; no setting of one
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["pretty", "json"]


class SettingsError(Exception):
    """A setting is unknown or has a value that is not allowed; the message is one line."""


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_cache_dir() -> Path | None:
    """Where what can be made again is kept, also for models in the caller's process; None: there is no home.

    ``BROOD_CACHE_DIR``, or else ``brood`` in the user's directory for such things (XDG Base Directory Specification).
    """
    if own := os.environ.get(f"{PREFIX}CACHE_DIR"):
        return Path(own).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))  # to be ignored unless it is absolute
    try:
        return (base if base.is_absolute() else Path.home() / ".cache") / "brood"
    except RuntimeError:
        return None


def _separate(value: object) -> object:
    """In the environment, several values stand in one variable, with commas between them."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Port = Annotated[int, Field(ge=0, le=65535)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_separate)]
# Two processes with different working directories read a path: it must not depend on them.
AnyPath = Annotated[Path, AfterValidator(Path.absolute)]


class Settings(BaseSettings):
    """Everything that can be set about a server. Immutable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    models: AnyPath | None = Field(default=None, description="directory of bundles; none: the shipped ones")
    names: Names = Field(default=(), description="models to load; none: all of the directory")
    host: str = Field(default="127.0.0.1", description="address that all ports listen on")
    host_names: Names = Field(
        default=(), description="more Host names that a server on loopback answers to, with commas"
    )
    keys_file: AnyPath | None = Field(
        default=None, description="file of API keys, as `brood keys create` makes it; none: no key is asked for"
    )
    insecure: bool = Field(
        default=False, description="listen without keys on an address that others reach: anybody may use the server"
    )
    tls_cert: AnyPath | None = Field(default=None, description="certificate of all ports, PEM; none: no TLS")
    tls_key: AnyPath | None = Field(default=None, description="its private key, PEM, not encrypted")
    tls_client_ca: AnyPath | None = Field(
        default=None, description="authority, PEM, of the certificates that callers must show; none: they need none"
    )
    admin: bool = Field(default=False, description="callers may load and unload models (with keys: of scope admin)")
    http_port: Port = Field(default=8000, description="0: any free port")
    grpc_port: Port = Field(default=9000, description="0: any free port")
    metrics_port: Port = Field(default=9464, description="0: any free port")
    allow_native: bool = Field(
        default=False, description="run the native code of TorchScript bundles that do not ship with brood"
    )
    threads: int = Field(default_factory=available_cores, ge=1, description="threads within one graph call")
    max_n: int = Field(default=4096, ge=1, description="most samples of one request")
    max_body_bytes: int = Field(default=64 * 2**20, ge=1024, description="largest request body")
    max_concurrent: int = Field(default=1024, ge=1, description="most generations at once; more are refused")
    max_backlog_s: float = Field(default=60.0, gt=0, description="most predicted work that waits; more is refused")
    max_held_bytes: int = Field(
        default=2**30, ge=2**20, description="memory for inputs and samples of all running requests"
    )
    max_state_bytes: int = Field(
        default=2**30, ge=2**20, description="memory for the state of unfinished samples, of each model"
    )
    max_wait_ms: float = Field(default=0.0, ge=0, le=1000, description="how long a call waits to become fuller")
    hang_s: float = Field(default=60.0, gt=0, description="after so long, and 20 times the usual, a graph call hangs")
    shutdown_grace_s: float = Field(default=10.0, ge=0, le=3600, description="time for running requests to end on stop")
    cache_dir: AnyPath | None = Field(
        default_factory=default_cache_dir,
        description="directory for what is found out about models and kept between starts",
    )
    metrics_dir: AnyPath | None = Field(
        default=None, description="where counts wait for the exporter; none: one of this run"
    )
    log_level: LogLevel = Field(default="info", description="debug, info, warning or error")
    log_format: LogFormat = Field(default="pretty", description="pretty or json")
    log_file: AnyPath | None = Field(default=None, description="none: standard error")

    @model_validator(mode="after")
    def _let_in_whom(self) -> Self:
        """Settings that would open a machine to everybody are no settings, however they came about."""
        if self.keys_file is None and not self.insecure and not is_loopback(self.host):
            raise ValueError(complaint(self.host))
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together; give both or none")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs tls_cert and tls_key: without TLS nobody shows a certificate")
        return self


def read_settings(flags: Mapping[str, Any], file: Path | None = None) -> Settings:
    """The settings of this process.

    Args:
        flags: field → value, only those given.
        file: a TOML file.

    Raises:
        SettingsError: a name is unknown or a value not allowed; names the field, the value and what is allowed.
    """
    _refuse_unknown_variables()
    values = {key: value for key, value in _read_file(file).items() if PREFIX + key.upper() not in os.environ}
    try:
        return Settings(**{**values, **flags})
    except ValidationError as error:
        raise SettingsError(_complaint(error)) from error


def export_variables(variables: Mapping[str, str]) -> None:
    """Set variables that libraries read when imported, in this process and in those it starts."""
    os.environ.update(variables)


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known | {CALLERS_KEY}:
            raise SettingsError(f"environment variable {name} is unknown; known: {', '.join(sorted(known))}")


def _read_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise SettingsError(f"settings file {file}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {file}: {error}") from error


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # several settings together
        return first["msg"].removeprefix("Value error, ")
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"setting {field!r} is unknown; known: {', '.join(Settings.model_fields)}"
    return f"setting {field!r}: {first['input']!r} is not allowed; {first['msg'][0].lower()}{first['msg'][1:]}"
