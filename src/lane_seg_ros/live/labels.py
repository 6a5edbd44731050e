"""True labels from an image topic, whatever coding it has.

CARLA's semantic camera comes in four codings: tags in one channel or in the red one (the simulator
itself and its native topics), numbered as before or since 0.9.14, and the colours of the
CityScapes palette (ros-bridge). Our own camera publishes class ids. Each is told by its pixels.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from lane_seg.carla_tags import (
    PALETTE_0_9_13,
    PALETTE_0_9_14,
    TAGS_0_9_13,
    TAGS_0_9_14,
    UNKNOWN_TAG,
    share_in_palette,
)
from lane_seg.errors import LaneSegError
from lane_seg_ros.image_messages import image_from_msg
from lane_seg_ros.live.score import LABEL_IDS, UNLABELED

__all__ = ['CODINGS', 'TAG_REMARK', 'Coding', 'LabelReader']

Coding = Literal['classes', 'palette', 'tags-0.9.13', 'tags-0.9.14']
CODINGS: tuple[Coding, ...] = get_args(Coding)

TAG_REMARK = (
    "The truth is CARLA's tag of road lines, which also covers arrows, stop lines and crosswalks: "
    'a model that learned lane lines alone loses IoU there.'
)
"""What a reader of an IoU against such labels must know."""

_TABLES = {'tags-0.9.13': TAGS_0_9_13, 'tags-0.9.14': TAGS_0_9_14}
_CLASS_OF_TAG = {'Roads': 'road', 'RoadLines': 'lane_marking'}
_MONO = ('mono8', '8UC1')
_RED = 2
# A palette picture that was scaled or sent as JPEG has more foreign colours than that.
_KNOWN_SHARE = 0.95
# Tags 0 to 2 alone may also be class ids: so many such pictures in a row are.
_PATIENCE = 20
# A picture in which no road is to be seen does not tell which table its tags are of.
_MOST_UNDECIDED = 200


class LabelReader:
    """Reads the labels of one topic; its coding is found out once and then kept.

    Args:
        topic: its name, for messages.
        coding: of the topic; None to find it out.
    """

    def __init__(self, topic: str, coding: Coding | None = None) -> None:
        self.coding = coding
        self._topic = topic
        self._undecided = 0

    def read(self, msg: Image) -> NDArray[np.uint8] | None:
        """Return the label of a picture.

        Returns:
            (H, W) uint8 `LABEL_IDS` or `UNLABELED`; None while the coding is not clear.

        Raises:
            ImageError: the message is broken.
            LaneSegError: the picture is no label of a coding that we know.
        """
        pixels = _pixels(msg)
        if self.coding is None:
            self.coding = self._find_coding(pixels)
            if self.coding is None:
                return None
        if self.coding == 'palette':
            return self._from_palette(pixels)
        numbers = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., _RED])
        return np.asarray(cv2.LUT(numbers, _lookup(self.coding)), np.uint8)

    def _from_palette(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Look for two colours, which both palettes have alike: all 29 take ten times as long."""
        if pixels.ndim == 2:
            raise self._wrong('one channel, which holds no colours of a palette')
        label = np.zeros(pixels.shape[:2], np.uint8)
        for tag_name, class_name in _CLASS_OF_TAG.items():
            red, green, blue = (int(v) for v in PALETTE_0_9_14[TAGS_0_9_14[tag_name]])
            found = cv2.inRange(pixels, (blue, green, red), (blue, green, red))
            label[found != 0] = LABEL_IDS[class_name]
        return label

    def _find_coding(self, pixels: NDArray[np.uint8]) -> Coding | None:
        if pixels.ndim == 2:
            numbers = pixels
        elif not pixels[..., :_RED].any():
            numbers = np.ascontiguousarray(pixels[..., _RED])
        else:
            self._check_palette(pixels)
            return 'palette'
        present = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256)[:UNLABELED])
        top = int(present.max(initial=0))
        if top > len(PALETTE_0_9_14) - 1:
            raise self._wrong(f'the value {top}, which is neither a tag of CARLA nor a class id')
        self._undecided += 1
        if top <= max(LABEL_IDS.values()):
            is_classes = pixels.ndim == 2 and self._undecided >= _PATIENCE
            return 'classes' if is_classes else None
        coding = _table_of(numbers)
        if coding is None and self._undecided >= _MOST_UNDECIDED:
            raise self._wrong(
                f'tags but no road in {self._undecided} pictures, so that the version of their '
                'table is not to be seen'
            )
        return coding

    def _check_palette(self, pixels: NDArray[np.uint8]) -> None:
        known = max(
            share_in_palette(pixels, palette) for palette in (PALETTE_0_9_13, PALETTE_0_9_14)
        )
        if known < _KNOWN_SHARE:
            raise self._wrong(
                f'{1 - known:.0%} of its pixels in colours that are not in the palette: is it the '
                'camera picture, or was it scaled or compressed?'
            )

    def _wrong(self, found: str) -> LaneSegError:
        return LaneSegError(
            f'expected a semantic image on {self._topic} (CityScapes palette, tags of CARLA, or '
            f'class ids 0 background, 1 road, 2 lane marking), found {found}; name another topic '
            'with --label, or its coding with --label-coding'
        )


def _pixels(msg: Image) -> NDArray[np.uint8]:
    """(H, W) uint8 of one channel, or (H, W, 3) uint8 BGR."""
    pixels = image_from_msg(msg)
    return np.ascontiguousarray(pixels[..., 0]) if msg.encoding in _MONO else pixels


def _table_of(numbers: NDArray[np.uint8]) -> Coding | None:
    """The table whose road covers most of the lower half; None where neither has any."""
    below = np.bincount(numbers[numbers.shape[0] // 2 :].ravel(), minlength=256)
    covered = {
        coding: sum(int(below[table[name]]) for name in _CLASS_OF_TAG)
        for coding, table in _TABLES.items()
    }
    if not any(covered.values()):
        return None
    newest = covered['tags-0.9.14'] >= covered['tags-0.9.13']
    return 'tags-0.9.14' if newest else 'tags-0.9.13'


def _lookup(coding: Coding) -> NDArray[np.uint8]:
    """(256,) uint8: label of each value."""
    table = np.zeros(256, np.uint8)
    if coding == 'classes':
        table[:] = UNLABELED
        for number in LABEL_IDS.values():
            table[number] = number
    else:
        for tag_name, class_name in _CLASS_OF_TAG.items():
            table[_TABLES[coding][tag_name]] = LABEL_IDS[class_name]
        table[UNKNOWN_TAG] = UNLABELED
    return table
