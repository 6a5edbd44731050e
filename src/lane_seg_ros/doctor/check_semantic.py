"""Is this a picture of semantic tags, in which form, and of which CARLA version?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lane_seg.carla_tags import (
    PALETTE_0_9_13,
    PALETTE_0_9_14,
    TAGS_0_9_13,
    TAGS_0_9_14,
    share_in_palette,
    tags_from_palette,
)
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import ImageTopic, Observations

__all__ = ['check_semantic_images', 'form_of', 'version_of_palette', 'version_of_tags']

Form = Literal['tags', 'palette', 'black', 'picture']
Version = Literal['0.9.13', '0.9.14']

_NAMES = ('semantic', 'segmentation', 'label')
# Of the pixels: a lossy codec changes nearly all of them, a renderer none.
_NEARLY_ALL = 0.999
# A dark or plain camera picture may hold a colour of the palette; three by chance it does not.
_FEWEST_COLOURS = 3
_TABLES = {'0.9.13': TAGS_0_9_13, '0.9.14': TAGS_0_9_14}
_RANGES = {'0.9.13': '0.9.13 and before', '0.9.14': '0.9.14 to 0.9.16'}


def form_of(image: NDArray[np.uint8]) -> Form:
    """How a picture carries semantic tags, if it does.

    Args:
        image: (H, W, 3) uint8 BGR.

    Returns:
        'tags': the tag in the red channel, the others zero; 'palette': CityScapes colours;
        'black': nothing to see; 'picture': neither.
    """
    if not image.any():
        return 'black'
    if not image[..., :2].any():
        return 'tags' if image[..., 2].max() < len(PALETTE_0_9_14) else 'picture'
    if _share_in_best_palette(image) < _NEARLY_ALL:
        return 'picture'
    colours = np.unique(image.reshape(-1, 3), axis=0)
    return 'palette' if len(colours) >= _FEWEST_COLOURS else 'picture'


def version_of_tags(tags: NDArray[np.uint8]) -> tuple[Version | None, str]:
    """Which table of tags a picture follows.

    Args:
        tags: (H, W) uint8.

    Returns:
        The first version of the table, None if both would do; and what speaks for it.
    """
    highest = int(tags.max())
    if highest >= len(PALETTE_0_9_13):
        lines = float(np.mean(tags == TAGS_0_9_14['RoadLines']))
        return '0.9.14', (
            f'tag {highest} is there, which ends at {len(PALETTE_0_9_13) - 1} in 0.9.13; '
            f'{lines:.2%} of the pixels are 24 (RoadLines since 0.9.14)'
        )
    # Right before the car, there is road.
    height, width = tags.shape
    ground = tags[height * 2 // 3 :, width // 4 : width - width // 4]
    shares = {name: float(np.mean(ground == table['Roads'])) for name, table in _TABLES.items()}
    best = max(shares, key=lambda name: shares[name])
    other = min(shares.values())
    if shares[best] < 0.3 or shares[best] < 3 * other:
        return None, f'tags {_listed(tags)} fit both tables'
    road = _TABLES[best]['Roads']
    return ('0.9.13' if best == '0.9.13' else '0.9.14'), (
        f'{shares[best]:.0%} of the pixels before the car are {road} (Roads in {_RANGES[best]})'
    )


def version_of_palette(image: NDArray[np.uint8]) -> tuple[Version | None, str]:
    """Which palette a picture follows; like `version_of_tags`, for (H, W, 3) uint8 BGR."""
    old, new = share_in_palette(image, PALETTE_0_9_13), share_in_palette(image, PALETTE_0_9_14)
    evidence = f'{old:.2%} of the pixels have colours of 0.9.13, {new:.2%} of 0.9.14'
    if old == new:
        return None, evidence
    return ('0.9.13' if old > new else '0.9.14'), evidence


def check_semantic_images(seen: Observations) -> Iterator[Finding]:
    """Topics that carry tags: how to read them; labels that cannot be read."""
    for topic in seen.images:
        layout = topic.format
        # One channel holds class numbers of somebody's own, such as ours.
        is_grey = layout is not None and layout.encoding in ('mono8', '8UC1')
        has_name = any(name in topic.name.lower() for name in _NAMES)
        expected = topic.is_label or (has_name and not is_grey)
        if topic.samples:
            yield from _check(topic, topic.samples[-1], expected=expected)


def _check(topic: ImageTopic, image: NDArray[np.uint8], *, expected: bool) -> Iterator[Finding]:
    form = form_of(image)
    if form == 'tags':
        yield _raw_tags(topic, image)
    elif form == 'palette':
        yield _palette(topic, image)
    elif expected and form == 'picture':
        colours = len(np.unique(image.reshape(-1, 3), axis=0))
        yield Finding(
            'error' if topic.is_label else 'warning',
            'semantic-unreadable',
            topic.name,
            'the topic is named as semantic, but carries neither tags nor the CityScapes palette',
            evidence=(
                f'{colours} colours, of which at best '
                f'{_share_in_best_palette(image):.1%} '
                'of the pixels are in a palette'
            ),
            cause='an RGB camera under this name, a lossy codec, or resizing with interpolation',
            fix='take the topic of a sensor.camera.semantic_segmentation, raw and not compressed',
        )
    elif expected:
        yield Finding(
            'note',
            'semantic-black',
            topic.name,
            'the semantic image is all zero (tag 0, None): nothing can be told from it',
            fix='move the camera so that it sees a road, and run the doctor again',
        )


def _raw_tags(topic: ImageTopic, image: NDArray[np.uint8]) -> Finding:
    tags = np.ascontiguousarray(image[..., 2])
    version, evidence = version_of_tags(tags)
    return Finding(
        'note',
        'semantic-tags',
        topic.name,
        'raw CARLA tags in the red channel'
        + (f', numbered as in CARLA {_RANGES[version]}' if version else ''),
        evidence=f'green and blue are zero, red holds {_listed(tags)}; {evidence}',
        cause="CARLA's native ROS 2 interface applies no palette: the image looks black in rviz",
        fix=(
            f'tag = image[..., 2] of bgra8; {_road_lines(version)}. Do not use a palette decoder '
            'made for the ros-bridge on it'
        ),
    )


def _palette(topic: ImageTopic, image: NDArray[np.uint8]) -> Finding:
    version, evidence = version_of_palette(image)
    # Both tables hold the same colours for what is in the image: either decodes it.
    tags = tags_from_palette(image, PALETTE_0_9_13 if version == '0.9.13' else PALETTE_0_9_14)
    return Finding(
        'note',
        'semantic-palette',
        topic.name,
        'CityScapes colours instead of tags'
        + (f', those of CARLA {_RANGES[version]}' if version else ''),
        evidence=f'{evidence}; decoded with the table of {version or "0.9.14"}: {_listed(tags)}',
        cause='the ros-bridge converts semantic images to the CityScapes palette',
        fix=(
            'lane_seg.carla_tags.tags_from_palette(image, palette_of(<CARLA version>)) gives the '
            f'tags back; {_road_lines(version)}'
        ),
    )


def _road_lines(version: Version | None) -> str:
    old, new = TAGS_0_9_13['RoadLines'], TAGS_0_9_14['RoadLines']
    if version is None:
        return f'RoadLines is {old} up to CARLA 0.9.13 and {new} since 0.9.14'
    return f'RoadLines is {_TABLES[version]["RoadLines"]}, Roads {_TABLES[version]["Roads"]}'


def _listed(tags: NDArray[np.uint8]) -> str:
    """The tags of an image with their shares, the most frequent first."""
    numbers, counts = np.unique(tags, return_counts=True)
    order = np.argsort(-counts, kind='stable')[:8]
    return ', '.join(f'{numbers[i]} ({counts[i] / tags.size:.1%})' for i in order)


def _share_in_best_palette(image: NDArray[np.uint8]) -> float:
    return max(share_in_palette(image, palette) for palette in (PALETTE_0_9_13, PALETTE_0_9_14))
