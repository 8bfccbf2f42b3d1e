"""A process of a server counts where it is told to, and tells it if nobody else does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from brood.serve.counting import count_here
from brood.settings import Settings

ALONE = """
import sys
from pathlib import Path
from urllib.request import urlopen
from brood.serve.counting import count_here
from brood.serve.ports import find_ports
from brood.settings import Settings
assert "prometheus_client" not in sys.modules
port = find_ports("127.0.0.1", {"metrics": 0})["metrics"]
settings = Settings(metrics_dir=Path(sys.argv[1]), metrics_port=port)
keeper = count_here(settings)
from brood.observe.metrics import Metrics
metrics = Metrics()
metrics.started("ingress", 60)
text = ""
while "brood_process_starts_total" not in text:
    try:
        text = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        pass
print(text)
keeper.close()
"""


def test_the_counts_of_a_process_are_told_by_itself_where_it_is_alone(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "counts")],
        capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ),
    ).stdout  # fmt: skip
    assert 'brood_process_starts_total{part="ingress"} 1.0' in told
    assert "brood_processes 1.0" in told


def test_without_a_directory_nothing_is_told() -> None:
    assert count_here(Settings()) is None
