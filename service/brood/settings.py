"""Settings of a server: read once, here and nowhere else, from flags, the environment and a file.

A flag wins over the environment, the environment over the file, the file over the default. The variable of a field is
its name in capitals after ``BROOD_``; in the file (TOML) it is a key at top level. A name that is no field is an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from brood.access.exposure import complaint, is_loopback
from brood.generators import Autoscaling, Generators, GeneratorSettings, Json, check_device, check_names
from brood.store.wanted import FORMS, parse_versions

PREFIX = "BROOD_"
CALLERS_KEY = f"{PREFIX}API_KEY"  # read by the commands that call a server; no setting of one
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["pretty", "json"]
Topology = Literal["colocated", "split"]
OTHERS = "*"  # in place of a model's name: all that are not named
NODE = "node"  # as a host: the address by which the other nodes of a cluster know the one that it is read on


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


def _place(value: object) -> object:
    """A directory, independent of the working directory, or a URL as it is."""
    return Path(value).absolute() if isinstance(value, str | Path) and "://" not in str(value) else value


def _policies(value: object) -> object:
    """Version policies by model, from text: ``latest; a=1,3``. The name ``*`` is for all others."""
    if isinstance(value, str):
        parts = [part.strip().rpartition("=") for part in value.split(";") if part.strip()]
        value = {name.strip() or OTHERS: policy.strip() for name, _, policy in parts}
    if isinstance(value, dict):
        for policy in value.values():
            parse_versions(policy)
    return value


def _address(value: str) -> str:
    """The URL of a collector."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("a URL is expected: http://HOST:PORT or https://HOST:PORT")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_separate)]
# Two processes with different working directories read a path: it must not depend on them.
AnyPath = Annotated[Path, AfterValidator(Path.absolute)]


class Settings(BaseSettings):
    """Everything that can be set about a server. Immutable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    models: Annotated[Path | str | None, BeforeValidator(_place)] = Field(
        default=None, description="directory of bundles, or a URL of one that fsspec reads; none: the shipped ones"
    )
    names: Names = Field(default=(), description="models to load; none: all of the store")
    versions: Annotated[dict[str, str], NoDecode, BeforeValidator(_policies)] = Field(
        default={}, description=f"versions to load: {FORMS}; of one model alone: NAME=1,3; several with semicolons"
    )
    poll_s: float = Field(
        default=0.0, ge=0, description="between two looks for new bundles in the store; 0: only when told to load"
    )
    topology: Topology = Field(
        default="colocated", description="colocated: models run where the ports are; split: in processes of their own"
    )
    address: str | None = Field(
        default=None, description="Ray cluster to serve on, HOST:PORT or auto; none: one of this machine alone"
    )
    ingresses: int = Field(
        default=1, ge=1, le=100, description="replicas with ports, at most one a node; colocated: each with all models"
    )
    ingress_resources: Annotated[dict[str, float], NoDecode, Json] = Field(
        default={}, description="Ray's custom resources of each of them, as JSON"
    )
    generators: Annotated[Generators, NoDecode] = Field(
        default=(), description="groups of workers of a split server, as JSON; none: one worker with all models"
    )
    host: str = Field(
        default="127.0.0.1", description="address that all ports listen on; node: the one that Ray knows each node by"
    )
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
    device: Annotated[str, AfterValidator(check_device)] = Field(
        default="cpu", description="that graphs run on: cpu, cuda, cuda:N, tensorrt, tensorrt:N"
    )
    provider_options: Annotated[dict[str, str], NoDecode, Json] = Field(
        default={}, description="of ONNX Runtime's provider on a GPU, as JSON"
    )
    device_memory_bytes: int | None = Field(
        default=None, ge=2**20, description="of a GPU, for all models of a process; none: all there is"
    )
    threads: int = Field(default_factory=available_cores, ge=1, description="threads within one graph call")
    lanes: int = Field(default=1, ge=1, le=64, description="graph calls at once on the CPU, each with its threads")
    max_n: int = Field(default=4096, ge=1, description="most samples of one request")
    max_body_bytes: int = Field(default=64 * 2**20, ge=1024, description="largest request body")
    body_idle_s: float = Field(default=15.0, gt=0, description="longest pause of a body that is being sent")
    body_total_s: float = Field(default=120.0, gt=0, description="longest time for a whole body")
    replay_keep_s: float = Field(
        default=3600.0, gt=0, description="how long an answer is kept for the same Idempotency-Key"
    )
    replay_max_count: int = Field(default=1024, ge=0, description="most answers that are kept so; 0: none")
    replay_max_bytes: int = Field(default=128 * 2**20, ge=0, description="memory for all of them")
    max_concurrent: int = Field(default=1024, ge=1, description="most generations at once; more are refused")
    max_backlog_s: float = Field(default=60.0, gt=0, description="most predicted work that waits; more is refused")
    max_held_bytes: int = Field(
        default=2**30, ge=2**20, description="memory for inputs and samples of all running requests"
    )
    max_state_bytes: int = Field(
        default=2**30, ge=2**20, description="memory for the state of unfinished samples, of each model"
    )
    hold_s: float = Field(
        default=120.0, ge=0, description="split: how long a request waits for a model whose workers are being started"
    )
    hold_requests: int = Field(default=1000, ge=0, description="split: most requests that wait so at one ingress")
    hold_bytes: int = Field(default=2**28, ge=0, description="split: memory for the inputs of those")
    max_wait_ms: float = Field(default=0.0, ge=0, le=1000, description="how long a call waits to become fuller")
    parity_every_s: float = Field(
        default=600.0, ge=0, description="between two comparisons of golden samples with the recorded; 0: none"
    )
    hang_s: float = Field(default=60.0, gt=0, description="after so long, and 20 times the usual, a graph call hangs")
    shutdown_grace_s: float = Field(default=10.0, ge=0, le=3600, description="time for running requests to end on stop")
    cache_dir: AnyPath | None = Field(
        default_factory=default_cache_dir,
        description="directory for what is found out about models and kept between starts",
    )
    metrics_dir: AnyPath | None = Field(
        default=None, description="where counts wait for the exporter; none: one of this run"
    )
    traces_endpoint: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="OpenTelemetry collector (OTLP over HTTP), http://HOST:4318; none: no traces"
    )
    traces_ratio: float = Field(
        default=0.05, ge=0, le=1, description="part of the requests that are traced, where the caller does not decide"
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

    @model_validator(mode="after")
    def _lay_out(self) -> Self:
        """Which processes there are must make sense together."""
        if self.generators and self.topology != "split":
            raise ValueError("generators are part of a split server; give topology split as well")
        ports = {"http_port": self.http_port, "grpc_port": self.grpc_port, "metrics_port": self.metrics_port}
        if self.address is not None and 0 in ports.values():
            names = ", ".join(name for name, port in ports.items() if not port)
            raise ValueError(f"on a cluster, ports are the same on all nodes: {names} must not be 0")
        if self.lanes > 1 and self.device != "cpu":
            raise ValueError(f"lanes {self.lanes} is not allowed with device {self.device}; allowed: 1, a GPU's own")
        check_names(self.generators)
        for generator in self.generators:
            if self.names and (other := set(generator.models) - set(self.names)):
                raise ValueError(f"generator {generator.name!r} has {', '.join(sorted(other))}, which names leaves out")
            if (generator.device or self.device) != "cpu" and not generator.num_gpus:
                raise ValueError(
                    f"generator {generator.name!r} runs on {generator.device or self.device} and needs num_gpus: "
                    "Ray hides the GPUs from workers that ask for none"
                )
        return self

    @property
    def groups(self) -> tuple[GeneratorSettings, ...]:
        """The generators of a split server."""
        gpus = 0.0 if self.device == "cpu" else 1.0
        return self.generators or (GeneratorSettings(name="default", models=self.names, num_gpus=gpus),)


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
        return f"setting {field!r} is unknown; known: {', '.join(_known(first['loc']))}"
    return f"setting {field!r}: {first['input']!r} is not allowed; {first['msg'][0].lower()}{first['msg'][1:]}"


def _known(location: tuple[int | str, ...]) -> Iterable[str]:
    """The names there are beside an unknown one."""
    if location[0] != "generators":
        return Settings.model_fields
    return (Autoscaling if "autoscaling" in location[:-1] else GeneratorSettings).model_fields
