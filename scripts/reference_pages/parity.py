"""``parity.md``: how near exports come to the original."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brood_export.families import FAMILIES
from brood_export.limits import FLOAT16, FLOAT32
from reference_pages.text import page, table

RESULT = Path(__file__).resolve().parents[2] / "tests" / "bench" / "results" / "parity.json"


def parity_page() -> str:
    """The table of the committed measurement."""
    result = json.loads(RESULT.read_text())
    families: dict[str, dict[str, Any]] = result["families"]
    ways = list(next(iter(families.values())))
    text = (
        f"Of each family's small test model: the largest difference in units of the original's range, and PSNR in dB, "
        f"over all golden runs of an operation and all calls of its graphs, at {_listed(result['rows'])} rows and in a "
        f"fresh process. Allowed are {FLOAT32.max_abs:g} and {FLOAT32.psnr_db:g} dB, with fp16 {FLOAT16.max_abs:g} and "
        f"{FLOAT16.psnr_db:g} dB; whole numbers must be equal. Measured with torch {result['torch']} and ONNX Runtime "
        f"{result['onnxruntime']} on the CPU ({result['machine']['architecture']}) by `{result['command']}`; pt2 is "
        "the program of torch.export, not compiled. A bundle has the figures of its own model in its card."
    )
    rows = [
        (family, operation, *(_cell(found[way], operation) for way in ways))
        for family, found in families.items()
        for operation in found[ways[0]]["operations"]
    ]
    refused = [
        (family, way, figures["refused"])
        for family, found in families.items()
        for way, figures in found.items()
        if "refused" in figures
    ]
    missing = [family for family in FAMILIES if family not in families]
    return page(
        "Parity of exports",
        text,
        f"Not measured yet: {', '.join(missing)}." if missing else "",
        table(("family", "operation", *ways), rows),
        "## What is refused, and why",
        table(("family", "way", "message"), refused),
    )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _cell(found: dict[str, Any], operation: str) -> str:
    if "refused" in found:
        return "refused"
    figure = found["operations"][operation]
    return "equal" if figure["psnr_db"] is None else f"{figure['max_abs']:.1e}, {figure['psnr_db']:.0f} dB"
