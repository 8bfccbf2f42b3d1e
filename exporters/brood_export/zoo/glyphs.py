"""The data set of the shipped generators: the glyphs 0-9, rendered from the fonts inside matplotlib.

Each pair of font and digit becomes one signed distance field, computed exactly from the font's outline. An
image is that field looked up on a pixel grid that is moved, scaled, slanted and turned at random; adding a
constant to the distance changes the stroke weight. Coverage is averaged over sub-pixels: every size is antialiased.

Everything is drawn from a Philox generator keyed by (seed, split, chunk): the first images of a longer request
are the images of a shorter one, and the splits never share a random number.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Literal

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.path import Path as Outline

Split = Literal["train", "heldout", "classifier"]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CLASSES = 10
DEFAULT_CACHE = pathlib.Path("build") / "zoo"
# Fonts whose ten digits are ordinary: upper-case height and an open zero.
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmss10",
    "cmtt10",
    "cmti10",
)

_SPLITS: dict[Split, int] = {"train": 1, "heldout": 2, "classifier": 3}
_REVISION = 1  # part of the cache file's name: raise it whenever the pictures change
_CHUNK = 2000  # images drawn from one generator
_FIELD = 64  # grid points along one side of a distance field
_EXTENT = 1.6  # the field's side, in heights of the glyph
_SUBGRID = 56  # smallest number of sub-pixels along one side of an image
_NOISE = 0.02  # standard deviation of the pixel noise


def glyphs(
    split: Split,
    count: int,
    size: int = 28,
    seed: int = 0,
    cache_dir: pathlib.Path | None = DEFAULT_CACHE,
) -> tuple[Images, Labels]:
    """`count` pictures of a split, float32 [count, 1, size, size] in 0..1, and their labels, int64 [count].

    Ink is 1, the ground 0; values are multiples of 1/255. With `cache_dir` the rendered pictures are kept there
    and read back by the next call.
    Raises ValueError for an unknown split, a count below 1 or a size outside 4..112.
    """
    _check(split, count, size)
    path = cache_dir and cache_dir / f"glyphs-{split}-{count}x{size}-seed{seed}-r{_REVISION}.npz"
    if path and path.exists():
        with np.load(path) as stored:
            pixels, labels = stored["pixels"], stored["labels"]
    else:
        pixels, labels = _render(split, count, size, seed)
        if path:
            _store(path, pixels, labels)
    return pixels[:, None].astype(np.float32) / np.float32(255.0), labels


def _check(split: Split, count: int, size: int) -> None:
    if split not in _SPLITS:
        raise ValueError(f"split is {split!r}; allowed are {', '.join(_SPLITS)}")
    if count < 1:
        raise ValueError(f"count is {count}; allowed is 1 or more")
    if not 4 <= size <= 112:
        raise ValueError(f"size is {size}; allowed is 4 to 112")


def _store(path: pathlib.Path, pixels: npt.NDArray[np.uint8], labels: Labels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, pixels=pixels, labels=labels)
    partial.replace(path)  # whole or absent, also when two trainings start at once


def _render(split: Split, count: int, size: int, seed: int) -> tuple[npt.NDArray[np.uint8], Labels]:
    chunks = []
    for number, start in enumerate(range(0, count, _CHUNK)):
        draw = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _SPLITS[split], number])))
        chunks.append(_render_chunk(draw, min(_CHUNK, count - start), size))
    return np.concatenate([pixels for pixels, _ in chunks]), np.concatenate([labels for _, labels in chunks])


def _render_chunk(draw: np.random.Generator, count: int, size: int) -> tuple[npt.NDArray[np.uint8], Labels]:
    """The first `count` pictures of a chunk; the numbers are drawn for all, so that `count` changes none."""
    labels = draw.integers(0, CLASSES, _CHUNK)
    fonts = draw.integers(0, len(FONTS), _CHUNK)
    maps = _pixel_to_glyph(draw)
    weights = draw.uniform(-0.006, 0.03, _CHUNK)
    noise = draw.normal(0.0, _NOISE, (_CHUNK, size, size))
    pixels = np.empty((count, size, size), np.uint8)
    for i in range(0, count, 250):  # keeps the working set inside the processor's cache
        part = slice(i, min(i + 250, count))
        ink = coverage(distance_fields()[fonts[part], labels[part]], maps[part], weights[part], size)
        pixels[part] = np.rint(np.clip(ink + noise[part], 0.0, 1.0) * 255.0).astype(np.uint8)
    return pixels, labels[:count]


def _pixel_to_glyph(draw: np.random.Generator) -> Floats:
    """Random affine maps [_CHUNK, 2, 3] from picture coordinates (-0.5..0.5, y down) to glyph heights."""
    height = draw.uniform(0.62, 0.76, _CHUNK)
    width = height * draw.uniform(0.9, 1.1, _CHUNK)
    slant = draw.uniform(-0.18, 0.18, _CHUNK)
    angle = draw.uniform(-0.1, 0.1, _CHUNK)
    shift = draw.uniform(-0.06, 0.06, (_CHUNK, 2))
    return pixel_to_glyph(height, width, slant, angle, shift)


def pixel_to_glyph(height: Floats, width: Floats, slant: Floats, angle: Floats, shift: Floats) -> Floats:
    """Affine maps [n, 2, 3] from picture coordinates (-0.5..0.5, y down) to glyph heights, of numbers [n].

    `height` is the glyph's in pictures, `width` the same for what is as wide as high, `angle` in radians, and `shift`
    [n, 2] the glyph's centre in the picture.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    # x_glyph = (R(x - shift) with the slant undone) / (width, height)
    linear = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1)
    linear[:, 0] += slant[:, None] * linear[:, 1]
    linear /= np.stack([width, height], -1)[:, :, None]
    offset = -np.einsum("nij,nj->ni", linear, shift)
    return np.concatenate([linear, offset[:, :, None]], -1)


def coverage(fields: npt.NDArray[np.float32], maps: Floats, weights: Floats, size: int) -> Floats:
    """Ink [n, size, size] in 0..1 of distance fields [n, _FIELD, _FIELD] seen through affine maps [n, 2, 3].

    `weights` [n] is what each stroke gains on either side, in glyph heights.
    """
    factor = -(-_SUBGRID // size)
    fine = size * factor
    centre = (np.arange(fine) + 0.5) / fine - 0.5
    column, row = np.meshgrid(centre, centre)
    place = np.stack([column.ravel(), row.ravel(), np.ones(fine * fine)])
    distance = _bilinear(fields, (maps @ place).astype(np.float32)) + weights[:, None]
    # One sub-pixel is 1 / (scale * fine) glyph heights: the ramp over it is the sub-pixel's own coverage.
    scale = np.sqrt(1.0 / np.abs(np.linalg.det(maps[:, :, :2])))[:, None]
    ink = np.clip(distance * scale * fine + 0.5, 0.0, 1.0)
    mean: Floats = ink.reshape(-1, size, factor, size, factor).mean((2, 4), dtype=np.float64)
    return mean


def _bilinear(fields: npt.NDArray[np.float32], points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fields [n, F, F] at points [n, 2, m] (x, y in glyph heights); outside, the border's value."""
    scaled = (points / np.float32(_EXTENT) + np.float32(0.5)) * _FIELD - np.float32(0.5)
    place = np.clip(scaled, 0, _FIELD - 1.001)
    cell = place.astype(np.int32)
    part = place - cell.astype(np.float32)
    flat = fields.reshape(-1)
    origin = np.arange(len(fields), dtype=np.int32)[:, None] * (_FIELD * _FIELD)
    start = origin + cell[:, 1] * _FIELD + cell[:, 0]
    x, y = part[:, 0], part[:, 1]
    top = flat[start] * (1 - x) + flat[start + 1] * x
    low = flat[start + _FIELD] * (1 - x) + flat[start + _FIELD + 1] * x
    mixed: npt.NDArray[np.float32] = top * (1 - y) + low * y
    return mixed


@functools.cache
def distance_fields() -> npt.NDArray[np.float32]:
    """Signed distance to the outline, positive inside, in glyph heights: [fonts, digits, y, x]."""
    grid = ((np.arange(_FIELD) + 0.5) / _FIELD - 0.5) * _EXTENT
    x, y = np.meshgrid(grid, grid)
    parts = np.split(np.stack([x.ravel(), y.ravel()], -1), 32)  # of a size that stays in the processor's cache
    outlines = [_segments(font, digit) for font in FONTS for digit in "0123456789"]
    fields = [[_signed_distance(outline, part) for part in parts] for outline in outlines]
    return np.array(fields, np.float32).reshape(len(FONTS), CLASSES, _FIELD, _FIELD)


def _segments(font: str, digit: str) -> Floats:
    """Directed edges [m, 2, 2] of a glyph's outline, centred, one unit high, y down."""
    face = FT2Font(str(pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"))
    face.set_size(100, 72)
    face.load_char(ord(digit), flags=LoadFlags.NO_HINTING)
    polygons = [np.asarray(p, np.float64) for p in Outline(*face.get_path()).to_polygons(closed_only=True)]
    corners = np.concatenate(polygons)
    low, high = corners.min(0), corners.max(0)
    edges = np.concatenate([np.stack([p[:-1], p[1:]], 1) for p in polygons])
    scaled: Floats = (edges - (low + high) / 2) / (high[1] - low[1]) * np.array([1.0, -1.0])
    return scaled


def _signed_distance(edges: Floats, points: Floats) -> Floats:
    """Distance [n] of points [n, 2] to the nearest edge; the sign is the non-zero winding rule's inside."""
    start, along = edges[:, 0], edges[:, 1] - edges[:, 0]
    to = points[:, None] - start
    length = np.maximum((along * along).sum(-1), 1e-12)
    share = np.clip((to * along).sum(-1) / length, 0.0, 1.0)
    gap = to - share[..., None] * along
    distance = np.sqrt((gap * gap).sum(-1)).min(1)
    side = along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0]
    below = edges[:, 0, 1] <= points[:, None, 1]
    above = edges[:, 1, 1] > points[:, None, 1]
    winding = (below & above & (side > 0)).sum(1) - (~below & ~above & (side < 0)).sum(1)
    signed: Floats = np.where(winding != 0, distance, -distance)
    return signed
