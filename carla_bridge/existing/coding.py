"""How semantic pictures are coded, and which version's table their numbers or colours are of.

CARLA 0.9.14 renumbered its tags and changed some colours. Which table a recording has is decided
by evidence alone: a number or colour that only one of them knows, and, for tags, which of the two
makes a road of the lower half and thin lines on that road of its lines. Where both tables fit, or
none, a person has to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.carla_tags import UNKNOWN_TAG, palette_of, tags_from_palette, tags_of
from lane_seg.errors import LaneSegError

__all__ = ['KINDS', 'Coding', 'coding_of']

KINDS: Final = ('tags', 'palette')

# The first version of each table stands for all of them: tags and colours say no more.
_VERSIONS: Final = ('0.9.13', '0.9.14')
_RED: Final = 2
# Of roads in pictures from a car's camera, on the careful side: mini_carla's frames and the real
# ones that were looked at have 30 % and more, all of it in the lower half.
_LEAST_ROAD: Final = 0.1
_LEAST_ROAD_BELOW: Final = 0.8
_LEAST_LINE_PX: Final = 20
_LEAST_LINE_ON_ROAD: Final = 0.5
_MOST_THICK: Final = 0.5
# A line is narrower than this share of the picture's width, nearly everywhere.
_THICK: Final = 1 / 25


@dataclass(frozen=True)
class Coding:
    """How a recording's semantic pictures are read.

    Attributes:
        kind: 'tags' (in the red channel or the only one) or 'palette' (CityScapes colours).
        version: of CARLA, that whose table they follow.
        evidence: why, for people.
    """

    kind: str
    version: str
    evidence: str

    def tags(self, semantic: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        """Return the tags of a semantic picture.

        Args:
            semantic: (H, W) or (H, W, 3) uint8 BGR.
            name: of the frame, for messages.

        Returns:
            (H, W) uint8, all of them known to the version.

        Raises:
            LaneSegError: it holds another number or colour.
        """
        if self.kind == 'tags':
            tags = _red(semantic)
            strange = sorted(
                {int(tag) for tag in np.unique(tags)} - {*tags_of(self.version).values()}
            )
            if strange:
                raise LaneSegError(
                    f'{name}: expected tags of CARLA {self.version}, found {strange[:8]}; is it '
                    'of another --version, or coloured (--kind palette)?'
                )
            return tags
        tags = tags_from_palette(_coloured(semantic), palette_of(self.version))
        if (tags == UNKNOWN_TAG).any():
            raise LaneSegError(f'{name}: {_strange_colours(semantic, self.version)}')
        return tags


def coding_of(
    samples: Sequence[NDArray[np.uint8]], *, kind: str | None = None, version: str | None = None
) -> Coding:
    """Find out how semantic pictures are coded.

    Args:
        samples: some of them, (H, W) or (H, W, 3) uint8 BGR.
        kind: one of `KINDS` if a person has said so.
        version: of CARLA if a person has said so.

    Raises:
        LaneSegError: that cannot be said; the text names the evidence that was missing.
    """
    kind = kind or _kind_of(samples)
    if kind == 'palette':
        return _palette_coding([_coloured(sample) for sample in samples], version)
    return _tags_coding([_red(sample) for sample in samples], version)


def _kind_of(samples: Sequence[NDArray[np.uint8]]) -> str:
    """'tags' or 'palette'."""
    most = max(tags_of(_VERSIONS[1]).values())
    if all(_is_one_channel(sample) and int(_red(sample).max()) <= most for sample in samples):
        return 'tags'
    if any(sample.ndim == 3 and not _is_one_channel(sample) for sample in samples):
        colours = [_coloured(sample) for sample in samples]
        unknown = [_unknown_share(colours, version) for version in _VERSIONS]
        if min(unknown) == 1.0 and all(int(_red(sample).max()) <= most for sample in samples):
            raise LaneSegError(
                'expected tags or colours of the CityScapes palette, found small numbers in the '
                'red channel and others beside them, as instance cameras send; --kind tags '
                'reads the red channel alone'
            )
        return 'palette'
    values = sorted({int(value) for sample in samples for value in np.unique(_red(sample))})
    raise LaneSegError(
        f'expected tags 0..{most} or colours of the CityScapes palette, found the grey values '
        f'{values[:8]}; a mask of lane pixels needs no conversion: `lane-seg train` reads it as '
        'a data set of format folders'
    )


def _tags_coding(samples: Sequence[NDArray[np.uint8]], version: str | None) -> Coding:
    against = {each: _against_table(samples, each) for each in _VERSIONS}
    if version is not None:
        doubts = _against_table(samples, version)
        said = f'CARLA {version}, as asked'
        return Coding('tags', version, f'{said}, although {doubts}' if doubts else said)
    fitting = [each for each, doubts in against.items() if not doubts]
    if len(fitting) == 1:
        other = next(each for each in _VERSIONS if each != fitting[0])
        return Coding(
            'tags', fitting[0],
            f'roads and lines lie as they should with the tags {_range_of(fitting[0])}; '
            f'not so with those {_range_of(other)}: {against[other]}',
        )  # fmt: skip
    what = 'both tables fit' if fitting else 'no table fits'
    reasons = ''.join(
        f'\n  {_range_of(each)}: {doubts or "roads and lines lie as they should"}'
        for each, doubts in against.items()
    )
    raise LaneSegError(
        f'expected tags whose version of CARLA is clear, found that {what}:{reasons}\n'
        'say it: --version 0.9.13 (and before), or --version 0.9.14 (and later)'
    )


def _against_table(samples: Sequence[NDArray[np.uint8]], version: str) -> str:
    """What speaks against a table; empty if roads and lines lie as from a car's camera."""
    table = tags_of(version)
    road_tag, line_tag = table['Roads'], table['RoadLines']
    strange = sorted(
        {int(tag) for sample in samples for tag in np.unique(sample)} - {*table.values()}
    )
    if strange:
        return f'it has no tags {strange[:8]}'
    lower = roads = roads_below = lines = ring = ring_on_road = thick = 0
    for tags in samples:
        height, width = tags.shape
        road, line = tags == road_tag, tags == line_tag
        lower += tags[height // 2 :].size
        roads += int(road.sum())
        roads_below += int(road[height // 2 :].sum())
        lines += int(line.sum())
        around = (cv2.dilate(line.astype(np.uint8), np.ones((5, 5), np.uint8)) != 0) & ~line
        ring += int(around.sum())
        ring_on_road += int((around & road).sum())
        side = max(3, round(width * _THICK))
        kernel = np.ones((side, side), np.uint8)
        thick += int(cv2.morphologyEx(line.astype(np.uint8), cv2.MORPH_OPEN, kernel).sum())
    if roads_below < _LEAST_ROAD * lower:
        return f'Roads ({road_tag}) are {roads_below / lower:.1%} of the lower half'
    if roads_below < _LEAST_ROAD_BELOW * roads:
        return f'only {roads_below / roads:.0%} of Roads ({road_tag}) lie in the lower half'
    if lines < _LEAST_LINE_PX:
        return f'RoadLines ({line_tag}) have {lines} pixels in {len(samples)} pictures'
    if ring_on_road < _LEAST_LINE_ON_ROAD * ring:
        return f'{ring_on_road / ring:.0%} of what surrounds RoadLines ({line_tag}) is road'
    if thick > _MOST_THICK * lines:
        return f'RoadLines ({line_tag}) are no lines but areas'
    return ''


def _palette_coding(samples: Sequence[NDArray[np.uint8]], version: str | None) -> Coding:
    if version is not None:
        return Coding('palette', version, f'CARLA {version}, as asked')
    fitting = [each for each in _VERSIONS if _unknown_share(samples, each) == 0.0]
    if len(fitting) == 1:
        return Coding(
            'palette', fitting[0], f'all colours are of the palette {_range_of(fitting[0])}'
        )
    if not fitting:
        nearest = min(_VERSIONS, key=lambda each: _unknown_share(samples, each))
        strange = [image for image in samples if _unknown_share([image], nearest)]
        raise LaneSegError(_strange_colours(strange[0], nearest))
    colours = [{tuple(map(int, colour)) for colour in palette_of(each)} for each in _VERSIONS]
    names = [
        ', '.join(sorted(name for name, tag in tags_of(each).items()
                         if tuple(map(int, palette_of(each)[tag])) not in other))
        for each, other in zip(_VERSIONS, reversed(colours), strict=True)
    ]  # fmt: skip
    raise LaneSegError(
        'expected colours that tell the version of CARLA, found only such as all versions share: '
        f'none of {names[0]} (0.9.13 and before), none of {names[1]} (0.9.14 and later); '
        'say it: --version 0.9.13, or --version 0.9.14'
    )


def _range_of(version: str) -> str:
    return 'of 0.9.13 and before' if version == _VERSIONS[0] else 'of 0.9.14 and later'


def _unknown_share(samples: Sequence[NDArray[np.uint8]], version: str) -> float:
    """Share of pixels whose colour a palette does not have."""
    palette = palette_of(version)
    unknown = [tags_from_palette(sample, palette) == UNKNOWN_TAG for sample in samples]
    return sum(int(found.sum()) for found in unknown) / sum(found.size for found in unknown)


def _strange_colours(semantic: NDArray[np.uint8], version: str) -> str:
    """Say which colours a picture has that the palette does not."""
    image = _coloured(semantic)
    unknown = tags_from_palette(image, palette_of(version)) == UNKNOWN_TAG
    colours, counts = np.unique(image[unknown][:, ::-1], axis=0, return_counts=True)
    most = tuple(int(level) for level in colours[counts.argmax()])
    distance = np.abs(palette_of(version).astype(int) - most).sum(axis=1)
    name = list(tags_of(version))[int(distance.argmin())]
    return (
        f'expected colours of the CityScapes palette exactly, found {len(colours)} others on '
        f'{unknown.mean():.1%} of the pixels, most often {most}, nearest to {name}; pictures that '
        'were scaled with interpolation, anti-aliased or once JPEG cannot be turned back into '
        'tags: export them again as PNG of the original size'
    )


def _red(semantic: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return semantic if semantic.ndim == 2 else np.ascontiguousarray(semantic[..., _RED])


def _coloured(semantic: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return semantic if semantic.ndim == 3 else np.dstack([semantic] * 3)


def _is_one_channel(semantic: NDArray[np.uint8]) -> bool:
    """Whether only the red channel says anything, or all three say the same."""
    if semantic.ndim == 2 or not semantic[..., :_RED].any():
        return True
    return bool((semantic == semantic[..., :1]).all())
