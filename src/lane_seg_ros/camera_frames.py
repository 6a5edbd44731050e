"""Frames for a camera that does not exist: the built-in road scene, or images from files.

Threads: `FrameFeeder` prepares frames in a thread of its own, one ahead of the one that is asked
for, so that a frame that took long to render or decode does not break the rate. Nothing here
knows of ROS.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import LaneSegError
from lane_seg.sources import open_source
from lane_seg_scene import RoadScene

__all__ = [
    'SCENE',
    'CameraFrame',
    'FrameFeeder',
    'FrameRequest',
    'Pace',
    'RateReport',
    'frames_of',
]

SCENE = 'scene'
"""The input that is no file: the built-in road scene."""

_SCENE_SIZE = (720, 1280)
# How long the feeder's thread waits before it looks whether it is still wanted.
_LOOK_UP_S = 0.1
_RATE_REPORT_S = 10.0
# Below this share of the rate that was asked for, there is something to say.
_TOLERATED_RATE = 0.95


@dataclass(frozen=True)
class CameraFrame:
    """One picture of the camera.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        label: (H, W) uint8; 0 background, 1 road, 2 lane marking. None where nobody knows.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class FrameRequest:
    """Which frames are wanted.

    Attributes:
        input: 'scene', or a path to an image, a folder of images or a video.
        height: in pixels; 0 is the scene's 720, or whatever the file has.
        width: in pixels; 0 is the scene's 1280, or whatever the file has.
        rate_hz: frames per second; the scene drives by 1 / rate_hz seconds per frame.
        fov_deg: horizontal field of view of the scene.
        seed: chooses the scene.
        loop: begin again at the end of a file or folder; the scene has no end.
        count: number of frames; 0 is no limit.
    """

    input: str = SCENE
    height: int = 0
    width: int = 0
    rate_hz: float = 30.0
    fov_deg: float = 70.0
    seed: int = 0
    loop: bool = False
    count: int = 0


def frames_of(
    request: FrameRequest, *, warn: Callable[[str], None] = lambda text: None
) -> Iterator[CameraFrame]:
    """Yield the frames of a request, each in arrays of its own.

    Args:
        request: what is wanted.
        warn: is told about each file of a folder that is left out because it is damaged.

    Raises:
        LaneSegError: there is no such input, it cannot be read, or the size is impossible.
    """
    is_scene = request.input == SCENE
    frames = _scene_frames(request) if is_scene else _file_frames(request, warn)
    return islice(frames, request.count) if request.count else frames


def _scene_frames(request: FrameRequest) -> Iterator[CameraFrame]:
    """The road scene, without end."""
    try:
        scene = RoadScene(
            request.seed,
            height=request.height or _SCENE_SIZE[0],
            width=request.width or _SCENE_SIZE[1],
            fov_deg=request.fov_deg,
        )
    except ValueError as error:
        raise LaneSegError(f'the road scene cannot be made: {error}') from error
    for number in count():
        frame = scene.frame(number / request.rate_hz)
        yield CameraFrame(frame.image, frame.label)


def _file_frames(request: FrameRequest, warn: Callable[[str], None]) -> Iterator[CameraFrame]:
    """The images of a file or folder, scaled where a size was asked for."""
    if bool(request.height) != bool(request.width):
        raise LaneSegError(
            f'height is {request.height} and width is {request.width}: expected both in pixels, '
            'or both 0 to keep the size of the images'
        )
    source = open_source(request.input)
    for cycle in count():
        found = False
        for item in source:
            if item.error is not None:
                if not cycle:
                    warn(f'left out: {item.error}')
                continue
            found = True
            image = item.image
            if request.height and image.shape[:2] != (request.height, request.width):
                image = _scaled(image, height=request.height, width=request.width)
            yield CameraFrame(image)
        if not found:
            raise LaneSegError(f'{request.input} holds no image that can be read')
        if not request.loop:
            return


def _scaled(image: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 at another size."""
    smaller = height * width < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    scaled = cv2.resize(image, (width, height), interpolation=interpolation)
    return np.asarray(scaled, dtype=np.uint8)


class FrameFeeder:
    """Takes frames from an iterator in a thread of its own, one ahead; a context manager.

    Args:
        frames: where they come from; only the feeder's thread touches it.
    """

    def __init__(self, frames: Iterable[CameraFrame]) -> None:
        self._frames = frames
        self._ready: queue.Queue[CameraFrame | BaseException | None] = queue.Queue(maxsize=1)
        self._unwanted = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._prepare, name='frames', daemon=True)

    def __enter__(self) -> FrameFeeder:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unwanted.set()
        self._thread.join()

    @property
    def ended(self) -> bool:
        """Whether the last frame was taken."""
        return self._ended

    def get(self, timeout_s: float) -> CameraFrame | None:
        """The next frame; None where it is not ready in time, or there is none (see `ended`).

        Raises:
            Exception: whatever the iterator raised instead of a frame.
        """
        if self._ended:
            return None
        try:
            item = self._ready.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, CameraFrame):
            return item
        self._ended = True
        if item is not None:
            raise item
        return None

    def _prepare(self) -> None:
        last: BaseException | None = None
        try:
            for frame in self._frames:
                if not self._put(frame):
                    return
        except Exception as error:  # handed over: it is raised where the frame is missed
            last = error
        self._put(last)

    def _put(self, item: CameraFrame | BaseException | None) -> bool:
        """Wait until there is room; False where nobody wants it any more."""
        while not self._unwanted.is_set():
            try:
                self._ready.put(item, timeout=_LOOK_UP_S)
            except queue.Full:
                continue
            return True
        return False


class Pace:
    """When each frame is due: on a fixed grid, so that delays do not add up.

    Args:
        rate_hz: frames per second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_s = 1.0 / rate_hz
        self._due_s: float | None = None

    def due_s(self, now_s: float) -> float:
        """The moment at which the next frame is due; to be called once per frame.

        A frame that comes late is due at once, and the one after it is back on the grid. After
        more than a whole period the grid starts anew: frames that came late are not followed by
        a burst.

        Args:
            now_s: seconds of the clock that the answer is on.
        """
        if self._due_s is None or now_s > self._due_s + self._period_s:
            self._due_s = now_s
        due_s = self._due_s
        self._due_s += self._period_s
        return due_s


class RateReport:
    """Compares the rate that is reached with the one that was asked for, once per ten seconds.

    Args:
        rate_hz: frames per second that were asked for.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._frames = 0
        self._since_s: float | None = None

    def count(self, now_s: float) -> str:
        """Count a frame; return a warning, or '' where there is no reason for one."""
        if self._since_s is None:
            self._since_s = now_s
            return ''
        self._frames += 1
        elapsed_s = now_s - self._since_s
        if elapsed_s < _RATE_REPORT_S:
            return ''
        reached_hz = self._frames / elapsed_s
        self._since_s, self._frames = now_s, 0
        if reached_hz >= _TOLERATED_RATE * self._rate_hz:
            return ''
        return (
            f'{reached_hz:.1f} frames per second instead of {self._rate_hz:g}: this machine does '
            'not prepare them faster; ask for a lower rate or a smaller size'
        )
