"""Write an MP4 that players can play, whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ['VideoWriter', 'new_video']

# H.264, which every browser plays, where this OpenCV has it; else MPEG-4.
_CODECS = ('avc1', 'mp4v')


class VideoWriter:
    """A video that is being written; made by `new_video`.

    Attributes:
        frames: number of frames so far.
    """

    def __init__(self, writer: cv2.VideoWriter, target: Path, size_hw: tuple[int, int]) -> None:
        self.frames = 0
        self._target = target
        self._writer = writer
        self._size_wh = (size_hw[1], size_hw[0])

    def add(self, image: NDArray[np.uint8]) -> None:
        """Append a frame: (H, W, 3) uint8 BGR; scaled if it has not the size of the video.

        Raises:
            LaneSegError: the disk is full.
        """
        # OpenCV drops frames of another size without a word.
        if (image.shape[1], image.shape[0]) != self._size_wh:
            image = np.asarray(cv2.resize(image, self._size_wh), np.uint8)
        self._writer.write(image)
        self.frames += 1
        # OpenCV tells nobody; FFmpeg, below it, prints a line for each frame that is lost.
        if shutil.disk_usage(self._target.parent).free == 0:
            raise LaneSegError(
                f'{self._target}: the disk was full after {self.frames} frames; make room and run '
                'it again'
            )


@contextmanager
def new_video(path: str | Path, *, fps: float, size_hw: tuple[int, int]) -> Iterator[VideoWriter]:
    """Write an MP4. After an exception in the block, Ctrl-C included, there is no file.

    Args:
        path: the file to make; its folder is made if absent.
        fps: frames per second.
        size_hw: (height, width) of the frames in pixels. Codecs want even numbers: of an odd size
            the last row or column is left out.

    Yields:
        What frames are added to.

    Raises:
        LaneSegError: this OpenCV cannot write MP4 files here, no frame was added, or the disk is
            full.
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        writer = _open(temporary, target, fps, size_hw)
        video = VideoWriter(writer, target, size_hw)
        try:
            yield video
        finally:
            writer.release()
        _check(temporary, target, video.frames)


def _open(temporary: Path, target: Path, fps: float, size_hw: tuple[int, int]) -> cv2.VideoWriter:
    height, width = size_hw
    for codec in _CODECS:
        with _silent_stderr():
            fourcc = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(temporary), fourcc, fps, (width, height))
        if writer.isOpened():
            return writer
    raise LaneSegError(
        f'{target}: expected an OpenCV that writes MP4, found that {cv2.__version__} cannot write '
        f'{width}x{height} at {fps:g} Hz here; check that the folder is writable, or install '
        'another build: python3 -m pip install opencv-python-headless'
    )


def _check(temporary: Path, target: Path, frames: int) -> None:
    """Open what was written: OpenCV says nothing when the disk is full."""
    if not frames:
        raise LaneSegError(f'{target}: expected frames to write, found none')
    capture = cv2.VideoCapture(str(temporary))
    is_readable = capture.isOpened()
    capture.release()
    if not is_readable:
        raise LaneSegError(
            f'{target}: expected a video of {frames} frames, found that it cannot be read back; '
            'check that there is room on the disk'
        )


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what C libraries write to stderr: a codec that is absent is no news to the user."""
    kept = os.dup(2)
    with Path(os.devnull).open('wb') as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
