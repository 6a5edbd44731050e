"""What every source of frames offers: a list of pairs, and reading them one after the other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import ImageError

__all__ = ['ExistingFrame', 'FramePair', 'FrameSource', 'usable']


@dataclass(frozen=True)
class ExistingFrame:
    """A frame that another tool has recorded, before it is read.

    Attributes:
        name: for the files of the new recording; no other frame has it.
        group: the drive that it is part of; frames of one group follow each other in time.
        facts: where it comes from, for the manifest.
    """

    name: str
    group: str
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class FramePair:
    """A frame that was read.

    Attributes:
        frame: which one.
        image: (H, W, 3) uint8 BGR.
        semantic: (H, W) or (H, W, 3) uint8 BGR, tags or colours as the file has them.
    """

    frame: ExistingFrame
    image: NDArray[np.uint8]
    semantic: NDArray[np.uint8]


class FrameSource(Protocol):
    """A folder or bags.

    Attributes:
        frames: in the order of recording, group by group.
        notes: what a person ought to know about what was found and left out.
    """

    frames: list[ExistingFrame]
    notes: list[str]

    def semantic(self, frame: ExistingFrame) -> NDArray[np.uint8]:
        """Read the semantic picture of one frame.

        Raises:
            ImageError: it cannot be read.
        """

    def pairs(self, wanted: Collection[str]) -> Iterator[FramePair | ImageError]:
        """Read frames in the order of `frames`, or say why one cannot be read.

        Args:
            wanted: names of the frames.
        """


def usable(name: str) -> str:
    """Return a name with everything replaced that the name of a frame must not have."""
    return re.sub(r'[^A-Za-z0-9.-]+', '_', name).strip('_.-') or 'frame'
