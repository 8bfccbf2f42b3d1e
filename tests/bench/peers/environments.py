"""The servers of others, each with a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[2] / "build" / "peers"  # environments and graphs, from one run to the next
ONNXRUNTIME = "onnxruntime==1.32.0"


@dataclass(frozen=True)
class Environment:
    """One environment."""

    name: str
    packages: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return KEPT / self.name / "bin" / "python"

    @property
    def made(self) -> bool:
        """Whether these packages are there."""
        return self._stamp.is_file() and self._stamp.read_text() == "\n".join(self.packages)

    def make(self) -> None:
        """Install its packages."""
        print(f"== {self.name}: {', '.join(self.packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(KEPT / self.name)], check=True)
        subprocess.run([str(self.python), "-m", "pip", "install", "--quiet", *self.packages], check=True)
        self._stamp.write_text("\n".join(self.packages))

    @property
    def _stamp(self) -> Path:
        return KEPT / self.name / ".packages"


ENVIRONMENTS = {
    each.name: each
    for each in (
        Environment("mosec", ("mosec==0.9.8", "numpy", ONNXRUNTIME)),
        Environment("triton", ("nvidia-pytriton==0.7.0", ONNXRUNTIME)),
        Environment("litserve", ("litserve==0.2.19", ONNXRUNTIME)),
        Environment("bentoml", ("bentoml==1.4.39", ONNXRUNTIME)),
        Environment("mlserver", ("mlserver==1.7.1", "numpy", ONNXRUNTIME)),
        Environment("ray", ("ray[serve]==2.60.0", ONNXRUNTIME)),
    )
}
