"""The clients of others, each with a virtual environment of its own: they pin versions that do not go together."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / "build" / "compat"  # environments, from one run to the next


@dataclass(frozen=True)
class Environment:
    """One environment, and the programs that run in it."""

    name: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]  # of the directory ``clients``, without their suffix
    server: str = "plain"  # that they are run against, one of `compat.servers.SERVERS`

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return KEPT / self.name / "bin" / "python"

    def make(self) -> None:
        """Install its packages, unless an earlier run has."""
        stamp = KEPT / self.name / ".packages"
        wanted = "\n".join(self.packages)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(KEPT / self.name)], check=True)
        subprocess.run([str(self.python), "-m", "pip", "install", "--quiet", *self.packages], check=True)
        stamp.write_text(wanted)


OPENAI = ("openai==3.54.0",)
ENVIRONMENTS = (
    Environment(
        "triton",
        ("tritonclient[http,grpc]==2.73.0", "grpcio-health-checking==1.81.1", "grpcio-reflection==1.81.1"),
        (
            *("triton_page", "triton_http", "triton_http_aio"),
            *("triton_grpc", "triton_grpc_aio", "triton_wire", "grpcurl_page"),
        ),
    ),
    Environment("kserve", ("kserve==0.21.0", "grpcio-reflection==1.81.1"), ("kserve_rest", "kserve_grpc")),
    Environment("openai", OPENAI, ("openai_page",)),
    Environment("openai", OPENAI, ("openai_images",), server="keyed"),
    Environment("schemathesis", ("schemathesis==4.32.5",), ("schemathesis_http",), server="fake"),
)
