"""A recording on disk: one picture a layer and frame, in splits, and a manifest of whole frames.

    with Recording.open('recording', plan, '0.9.16') as recording:
        done = recording.written(drive)                  # what an earlier run has recorded of it
        recording.add(name, 'train', {'rgb': bgr, 'seg': tags, 'label': label}, facts)

    recording/
      plan.yaml  classes.json  manifest.jsonl
      rgb/{train,val,test}/NAME.png      seg, label, lanes, area, depth in the same way

Every file appears whole (`atomic_path`), a frame counts when its line is in the manifest, and
whatever an interrupted run has left beyond that goes when the recording is opened again.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.recording.blocks import SPLITS
from carla_bridge.recording.folder import (
    CLASSES,
    MANIFEST,
    PLAN,
    RecordingPlan,
    check_contents,
    check_plan,
    check_version,
    classes_text,
    locked,
    write_plan,
)
from carla_bridge.recording.manifest import Manifest, Record
from carla_bridge.recording.sweep import Drive
from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path, write_text

__all__ = ['DiskFullError', 'Recording', 'RecordingPlan']

LOG = logging.getLogger(__name__)

_UNLISTED: Final = 'unlisted'
_COLOUR_LAYERS: Final = ('rgb', 'depth')
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FRAME_NAME: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
# Measured on a 1280x720 picture and its tags, one core: 42 ms and 1.33 MB where zlib's default
# strategy at level 1 takes 70 ms and 1.56 MB, and 6 ms and 10 kB for tags (default: 18 kB).
_PHOTO: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 2)  # Huffman only
_FLAT: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 3)  # run lengths
# Frames at the end of the manifest whose files are weighed when a recording is opened.
_WEIGHED: Final = 50


class DiskFullError(LaneSegError):
    """There is no room for the frame; what was recorded before is whole."""


class Recording:
    """A recording that this process writes; a context manager.

    Attributes:
        folder: of the recording.
        version: of CARLA.
    """

    def __init__(self, folder: Path, layers: tuple[str, ...], version: str, lock: int) -> None:
        """Use `Recording.open`."""
        self.folder = folder
        self.version = version
        self._layers = layers
        self._lock = lock
        self._manifest = Manifest(folder / MANIFEST)
        self._bytes: list[int] = []

    @classmethod
    def open(cls, folder: str | Path, plan: RecordingPlan, version: str) -> Recording:
        """Begin a recording, or go on with one.

        Args:
            folder: absent, empty, or a recording.
            plan: that is recorded; a recording that was begun with another one is refused where
                `plan.conflicts_with` says so.
            version: of CARLA, '0.9.16'; decides the numbers of the tags.

        Raises:
            LaneSegError: another process writes there, the folder holds something else, the plan
                or the version is another, or frames of the manifest have lost their files.
        """
        folder = Path(folder)
        classes = classes_text(version)
        folder.mkdir(parents=True, exist_ok=True)
        lock = locked(folder)
        try:
            check_contents(folder)
            check_version(folder, version)
            check_plan(folder, plan)
            recording = cls(folder, plan.layers, version, lock)
            try:
                recording._mend()
                if not (folder / CLASSES).exists():
                    write_text(folder / CLASSES, classes)
                write_plan(folder / PLAN, plan)
            except BaseException:
                recording._manifest.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return recording

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another process write."""
        self._manifest.close()
        with contextlib.suppress(OSError):
            os.close(self._lock)

    @property
    def records(self) -> list[Record]:
        """The lines of the manifest in the order of writing."""
        return self._manifest.records

    def written(self, drive: Drive) -> list[Record]:
        """Return the lines of a drive in the order of writing."""
        return [
            record
            for record in self.records
            if str(record['name']).rpartition('_')[0] == drive.prefix
        ]

    def add(
        self,
        name: str,
        split: str,
        images: Mapping[str, NDArray[np.uint8]],
        facts: Mapping[str, object],
    ) -> None:
        """Write a frame: its files first, then its line.

        Args:
            name: of the files, without suffix; `Drive.frame_name`.
            split: 'train', 'val' or 'test'.
            images: one for each layer of the plan, all of one size: 'rgb' and 'depth' (H, W, 3)
                uint8 BGR, all others (H, W) uint8.
            facts: what else the line holds; numbers, texts, lists and mappings.

        Raises:
            LaneSegError: the frame exists already, or an image is missing or of another shape.
            DiskFullError: there is no room. What was written of the frame is gone again.
        """
        self._check(name, split, images)
        paths = {layer: self.folder / layer / split / f'{name}.png' for layer in self._layers}
        size = 0
        try:
            for layer, path in paths.items():
                data = _png(images[layer], layer)
                with atomic_path(path) as temporary:
                    temporary.write_bytes(data)
                size += len(data)
            self._manifest.append({'name': name, 'split': split, **facts})
        except BaseException as error:
            if name not in self._manifest:  # Ctrl-C may come when all is done
                for path in paths.values():
                    path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in _FULL:
                raise DiskFullError(
                    f'{self.folder}: expected room for another frame, found none '
                    f'({error.strerror}); the {len(self._manifest)} frames before are '
                    'whole: make room and run the same command again'
                ) from error
            raise
        self._bytes.append(size)

    @property
    def bytes_per_frame(self) -> float | None:
        """Mean size of a frame, all layers together; None before the first."""
        return sum(self._bytes) / len(self._bytes) if self._bytes else None

    def _check(self, name: str, split: str, images: Mapping[str, NDArray[np.uint8]]) -> None:
        if name in self._manifest:
            raise LaneSegError(f'{self.folder}: expected a new frame, found {name} already there')
        if not _FRAME_NAME.fullmatch(name) or split not in SPLITS:
            raise LaneSegError(
                f'expected a name of letters, digits and _ . - and a split out of '
                f'{", ".join(SPLITS)}, found {name!r} and {split!r}'
            )
        if set(images) != set(self._layers):
            raise LaneSegError(
                f'{name}: expected the layers {", ".join(self._layers)}, found {", ".join(images)}'
            )
        size = images[self._layers[0]].shape[:2]
        for layer, image in images.items():
            shape = (*size, 3) if layer in _COLOUR_LAYERS else size
            if image.dtype != np.uint8 or image.shape != shape:
                raise LaneSegError(
                    f'{name}: expected uint8 of shape {shape} as {layer}, '
                    f'found {image.dtype} of shape {image.shape}'
                )

    def _mend(self) -> None:
        """Make files and manifest agree after an interruption."""
        self._cut_lines_without_files()
        listed = {
            Path(layer, str(record['split']), f'{record["name"]}.png')
            for record in self.records
            for layer in self._layers
        }
        lost = [name for name in listed if not (self.folder / name).is_file()]
        if lost:
            raise LaneSegError(
                f'{self.folder}: expected the files of each frame of {MANIFEST}, found '
                f'{len(lost)} of {len(listed)} missing, for example {min(lost)}; copy the '
                f'recording again, or delete the lines of these frames from {MANIFEST}'
            )
        self._clear([path for path in _files_of(self.folder) if path not in listed])
        for record in self.records[-_WEIGHED:]:
            name = Path(str(record['split']), f'{record["name"]}.png')
            files = [self.folder / layer / name for layer in self._layers]
            self._bytes.append(sum(file.stat().st_size for file in files))

    def _cut_lines_without_files(self) -> None:
        """Cut the last line if the power went before the names of its files were on the disk."""
        records = self.records
        if not records:
            return
        name = f'{records[-1]["name"]}.png'
        folders = [self.folder / layer / str(records[-1]['split']) for layer in self._layers]
        if not all((folder / name).is_file() for folder in folders):
            self._manifest.drop_last()

    def _clear(self, unlisted: list[Path]) -> None:
        """Remove what an interruption has left; put aside what it cannot have left."""
        pictures = [path for path in unlisted if not path.name.startswith('.')]
        if len({path.stem for path in pictures}) > 1:
            aside = _new_folder(self.folder)
            LOG.warning(
                '%d files have no line in %s, more than an interrupted frame has: put into %s',
                len(pictures), MANIFEST, aside,
            )  # fmt: skip
            for path in pictures:
                (aside / path.parent).mkdir(parents=True, exist_ok=True)
                (self.folder / path).rename(aside / path)
        for path in unlisted:
            (self.folder / path).unlink(missing_ok=True)


def _files_of(folder: Path) -> list[Path]:
    """All files of all layers, those of other plans too, relative to the folder."""
    return [
        path.relative_to(folder)
        for layer in ('rgb', 'seg', 'label', 'lanes', 'area', 'depth')
        for split in SPLITS
        for path in sorted((folder / layer / split).glob('*'))
        if path.is_file()
    ]


def _new_folder(folder: Path) -> Path:
    for number in range(1, 10_000):
        aside = folder / f'{_UNLISTED}-{number}'
        with contextlib.suppress(FileExistsError):
            aside.mkdir()
            return aside
    raise LaneSegError(f'{folder}: expected room for another {_UNLISTED}-N folder, found none')


def _png(image: NDArray[np.uint8], layer: str) -> bytes:
    options = _PHOTO if layer in _COLOUR_LAYERS else _FLAT
    done, data = cv2.imencode('.png', np.ascontiguousarray(image), options)
    if not done:
        raise LaneSegError(f'OpenCV {cv2.__version__} cannot code {layer} as PNG')
    return data.tobytes()
