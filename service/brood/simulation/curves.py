"""Cost curves: how long a call of each graph takes at each bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from brood.loadgen.mix import complaint
from brood.protocol.errors import InvalidArgument

Curves = Mapping[str, Mapping[int, float]]  # graph → bucket → seconds of one call

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Bucket = Annotated[int, Field(ge=1)]
_CURVES: TypeAdapter[dict[str, dict[_Bucket, _Seconds]]] = TypeAdapter(dict[str, dict[_Bucket, _Seconds]])


def read_curves(path: Path) -> Curves:
    """Curves from a JSON file: ``{"step": {"1": 0.010, "8": 0.012}}``, in seconds.

    Raises:
        InvalidArgument: the file is not of this form, or empty.
    """
    try:
        curves = _CURVES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise complaint(path.name, error) from error
    if not curves or not all(curves.values()):
        raise InvalidArgument(f'{path.name}: empty; allowed: {{"GRAPH": {{"BUCKET": SECONDS}}}}', field="costs")
    return curves


def affine(fixed_s: float, row_s: float, buckets: Sequence[int]) -> Mapping[int, float]:
    """The curve of calls that take ``fixed_s`` and for each row ``row_s`` more."""
    return {bucket: fixed_s + row_s * bucket for bucket in buckets}
