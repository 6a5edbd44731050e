"""Images out of a file, a folder or a video, one after the other, as BGR uint8.

Orientation: cameras that were held sideways store the picture lying and note that in EXIF. Here
such a picture comes out upright, as `cv2.imread`, viewers and browsers show it: a network needs
the road at the bottom. Masks made of it therefore lie on the upright picture.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    'IMAGE_SUFFIXES', 'VIDEO_SUFFIXES', 'ImageSource', 'Source', 'SourceFrame', 'VideoSource',
    'image_from_file', 'natural_order', 'open_source',
]  # fmt: skip

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')

# OpenCV reports such rates where a file states none.
_IMPOSSIBLE_FPS = 1000.0
# Containers may miscount a little; a video that ends earlier than this was cut short.
_MISCOUNT = 0.05
# A JPEG marker: 0xff and a code; 00 is an escape, d0..d7 go on with the same scan, ff is filling.
_JPEG_MARKER = re.compile(rb'\xff[\x01-\xcf\xd8-\xfe]')
_JPEG_START, _JPEG_END = b'\xff\xd8', 0xD9


@dataclass(frozen=True)
class SourceFrame:
    """One image of a source, or the reason why it is none.

    Attributes:
        name: the file, relative to the folder that was opened; for a video 'clip.mp4#12', counted
            from 0.
        content: (H, W, 3) uint8 BGR, or the error.
    """

    name: str
    content: NDArray[np.uint8] | ImageError

    @property
    def error(self) -> ImageError | None:
        """Why there is no image; None if there is one."""
        return self.content if isinstance(self.content, ImageError) else None

    @property
    def image(self) -> NDArray[np.uint8]:
        """The image, (H, W, 3) uint8 BGR.

        Raises:
            ImageError: the file cannot be used; it is named.
        """
        if isinstance(self.content, ImageError):
            raise self.content
        return self.content


@dataclass(frozen=True)
class ImageSource:
    """Image files; iterating reads them. A file that cannot be used does not end the iteration.

    Attributes:
        root: the folder that was opened, or the folder of the one file.
        files: relative to `root`, in natural order: frame2 before frame10.
        fps: None, as images have no rate.
    """

    root: Path
    files: tuple[Path, ...]
    fps: None = None

    @property
    def length(self) -> int:
        """Number of files."""
        return len(self.files)

    def __iter__(self) -> Iterator[SourceFrame]:
        for file in self.files:
            content: NDArray[np.uint8] | ImageError
            try:
                content = image_from_file(self.root / file)
            except ImageError as error:
                content = error
            yield SourceFrame(file.as_posix(), content)


@dataclass(frozen=True)
class VideoSource:
    """A video; each iteration decodes it from the start. The last item may be an error.

    Attributes:
        path: the file.
        height: of a frame, in pixels.
        width: of a frame, in pixels.
        length: number of frames as the file states it, None if it does not.
        fps: frames per second, None if the file does not say.
    """

    path: Path
    height: int
    width: int
    length: int | None
    fps: float | None

    def __iter__(self) -> Iterator[SourceFrame]:
        count = 0
        capture = cv2.VideoCapture(str(self.path))
        try:
            while True:
                is_frame, image = capture.read()
                if not is_frame:
                    break
                yield SourceFrame(f'{self.path.name}#{count}', np.asarray(image, np.uint8))
                count += 1
        finally:
            capture.release()
        if self.length is not None and count < self.length * (1 - _MISCOUNT) - 1:
            yield SourceFrame(
                self.path.name,
                ImageError(
                    f'{self.path}: expected {self.length} frames, found {count} that can be '
                    'decoded: the file is damaged or was cut short; copy or record it again',
                    cause='truncated',
                ),
            )


Source = ImageSource | VideoSource


def open_source(path: str | Path) -> Source:
    """Open an image file, a folder of images (with its sub-folders), or a video.

    In a folder, files that are no images by their suffix are left out, and so are hidden files
    and folders. Suffixes may be written in capitals.

    Raises:
        ImageError: no such path, no image in the folder, a suffix that is not known, or a video
            that cannot be decoded. The message says what to do.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return ImageSource(path, _image_files(path))
    if not path.exists():
        raise ImageError(
            f'{path}: expected an image, a folder of images or a video, found no such path; '
            'check the spelling',
            cause='type',
        )
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return ImageSource(path.parent, (Path(path.name),))
    if suffix in VIDEO_SUFFIXES:
        return _video(path)
    raise ImageError(
        f'{path}: expected an image ({_listed(IMAGE_SUFFIXES)}) or a video '
        f'({_listed(VIDEO_SUFFIXES)}), found {suffix or "no suffix"}; convert or rename the file',
        cause='type',
    )


def image_from_file(path: Path) -> NDArray[np.uint8]:
    """Read an image file.

    Grey becomes BGR, 16 bit become the upper 8, alpha is left out, EXIF orientation is applied.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ImageError: the file cannot be read or decoded, or is cut short; it is named.
    """
    # Not cv2.imread: it tells no reasons, and returns the upper part of a file that was cut.
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f'{path}: expected an image file, found that it cannot be read: {error.strerror}; '
            'check the file and its permissions',
            cause='type',
        ) from error
    if not data:
        raise ImageError(
            f'{path}: expected an image, found an empty file; copy or record it again',
            cause='truncated',
        )
    if data.startswith(_JPEG_START) and not _is_whole_jpeg(data):
        raise ImageError(
            f'{path}: expected a whole JPEG, found one that was cut short after {len(data)} '
            'bytes; copy or record it again',
            cause='truncated',
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(
            f'{path}: expected an image, found {len(data)} bytes that OpenCV cannot decode: '
            'damaged, cut short, or of another type; save it again as PNG or JPEG',
            cause='type',
        )
    return np.asarray(image, np.uint8)


def natural_order(path: Path) -> tuple[list[list[str | int]], str]:
    """Key for sorting: numbers in names by their value; the name itself decides between equals."""
    keys: list[list[str | int]] = [
        [
            int(piece) if number % 2 else piece.casefold()
            for number, piece in enumerate(re.split(r'([0-9]+)', part))
        ]
        for part in path.parts
    ]
    return keys, str(path)


def _is_whole_jpeg(data: bytes) -> bool:
    """Whether the end marker comes; some decoders fill what is missing with grey and say nothing.

    Looking at the last two bytes would not do: cameras append previews and whole films.
    """
    place = len(_JPEG_START)
    while found := _JPEG_MARKER.search(data, place):
        if data[found.start() + 1] == _JPEG_END:
            return True
        # A segment states its own length; searched past it, for a preview in it has an end too.
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], 'big')
    return False


def _image_files(root: Path) -> tuple[Path, ...]:
    """All images below a folder, relative to it, in natural order."""
    images = []
    videos = 0
    seen = {os.path.realpath(root)}
    for folder, subfolders, names in os.walk(root, onerror=_raise, followlinks=True):
        here = Path(folder)
        subfolders[:] = [
            name for name in subfolders if not name.startswith('.') and _is_new(here / name, seen)
        ]
        visible = [Path(name) for name in names if not name.startswith('.')]
        images += [here / name for name in visible if name.suffix.lower() in IMAGE_SUFFIXES]
        videos += sum(name.suffix.lower() in VIDEO_SUFFIXES for name in visible)
    if not images:
        hint = f' but {videos} videos; give each by its name' if videos else '; check the path'
        raise ImageError(
            f'{root}: expected images ({_listed(IMAGE_SUFFIXES)}) in this folder or below, '
            f'found none{hint}',
            cause='type',
        )
    return tuple(sorted((image.relative_to(root) for image in images), key=natural_order))


def _is_new(folder: Path, seen: set[str]) -> bool:
    """Note a folder; False if a link has led to it before, maybe in a circle."""
    real = os.path.realpath(folder)
    if real in seen:
        return False
    seen.add(real)
    return True


def _raise(error: OSError) -> None:
    raise ImageError(
        f'{error.filename}: expected a folder that can be read, found: {error.strerror}; '
        'check its permissions',
        cause='type',
    ) from error


def _video(path: Path) -> VideoSource:
    capture = cv2.VideoCapture(str(path))
    try:
        is_frame, image = capture.read() if capture.isOpened() else (False, None)
        length = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        fps = capture.get(cv2.CAP_PROP_FPS)
    finally:
        capture.release()
    if not is_frame or image is None:
        raise ImageError(
            f'{path}: expected a video that OpenCV {cv2.__version__} can decode, found none; '
            'play it to see whether it is damaged, and if it is not convert it: '
            f'ffmpeg -i {path.name!r} -c:v libx264 converted.mp4',
            cause='encoding',
        )
    return VideoSource(
        path=path,
        height=int(image.shape[0]),
        width=int(image.shape[1]),
        length=int(length) if math.isfinite(length) and length >= 1 else None,
        fps=float(fps) if math.isfinite(fps) and 0 < fps < _IMPOSSIBLE_FPS else None,
    )


def _listed(suffixes: tuple[str, ...]) -> str:
    return ' '.join(suffix[1:] for suffix in suffixes)
