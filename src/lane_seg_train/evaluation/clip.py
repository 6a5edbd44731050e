"""Flicker on a video or a folder of consecutive frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.sources import open_source
from lane_seg_train.metrics import FlipRate

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg.pipeline import LanePipeline

__all__ = ['ClipScore', 'measure_clip']


@dataclass(frozen=True)
class ClipScore:
    """Flicker of a clip; see `lane_seg_train.metrics.FlipRate`.

    Attributes:
        clip: name of the file or folder.
        frames: frames that could be read.
        unreadable: frames that could not; their neighbours are not compared.
        flip_rate: share of pixels that change their class from frame to frame, 0..1.
        still_flip_rate: the same among pixels whose picture did not change, 0..1.
        still_share: share of such pixels, 0..1.
    """

    clip: str
    frames: int
    unreadable: int
    flip_rate: float
    still_flip_rate: float
    still_share: float


def measure_clip(pipeline: LanePipeline, clip: Path) -> ClipScore:
    """Predict each frame of a clip by itself and count the pixels that flip.

    Args:
        pipeline: model and engine.
        clip: a video, or a folder of frames in the natural order of their names.

    Raises:
        LaneSegError: no such clip, or less than two consecutive frames of one size.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    source = open_source(clip)
    flips = FlipRate()
    frames = unreadable = 0
    for frame in track(
        source, escape(f'flicker of {clip.name}'), source.length, console=Console(stderr=True)
    ):
        if frame.error:
            unreadable += 1
            flips.cut()
            continue
        frames += 1
        flips.add(frame.image, pipeline.process(frame.image).mask)
    if not flips.frame_pairs:
        raise LaneSegError(
            f'{clip}: expected at least two consecutive frames of one size, found {frames} frames '
            f'that can be read and {unreadable} that cannot; give a video or a folder of frames'
        )
    return ClipScore(
        clip=clip.name,
        frames=frames,
        unreadable=unreadable,
        flip_rate=flips.rate,
        still_flip_rate=flips.still_rate,
        still_share=flips.still_share,
    )
