"""Pictures and semantic pictures in folders, paired by name or by the number in it.

Which file is which is told by words in names of folders and files: `rgb/0001.png` with
`seg/0001.png`, `CameraRGB/7.png` with `CameraSeg/7.png`, `town_rgb_12.png` with
`town_semantic_12.png`. Where names say nothing, two glob patterns do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from carla_bridge.existing.frames import ExistingFrame, FramePair, usable
from lane_seg.errors import ImageError, LaneSegError
from lane_seg.sources import IMAGE_SUFFIXES, image_from_file, natural_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['FolderSource']

# fmt: off
_RGB_WORDS: Final = frozenset(('rgb', 'image', 'images', 'img', 'imgs', 'color', 'colour'))
_SEG_WORDS: Final = frozenset((
    'seg', 'semantic', 'semantics', 'segmentation', 'label', 'labels', 'mask', 'masks', 'gt',
    'tag', 'tags', 'cityscapes',
))
_KIND_WORDS: Final = _RGB_WORDS | _SEG_WORDS
_SPLIT_WORDS: Final = frozenset((
    'train', 'training', 'val', 'valid', 'validation', 'test', 'testing',
))
# fmt: on
_WORD: Final = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+')
_PNG_START, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'

# A file, its folders without the words that say what it is, and its name without them.
_Key = tuple[tuple[str, ...], str]


class FolderSource:
    """Pairs of files below a folder.

    Args:
        root: the folder.
        rgb: glob pattern of pictures, relative to it; None goes by words in names.
        seg: the same of semantic pictures.

    Raises:
        LaneSegError: no pictures of one kind, no pairs, or two files for one place of a pair.
    """

    def __init__(self, root: Path, *, rgb: str | None = None, seg: str | None = None) -> None:
        self.notes: list[str] = []
        self._root = root
        images, labels = _files(root, rgb, seg)
        pairs = _paired(root, images, labels)
        for what, other, files, index in (
            ('pictures', 'semantic picture', images, 0),
            ('semantic pictures', 'picture', labels, 1),
        ):
            used = {pair[index] for pair in pairs.values()}
            if alone := [path for path in files.values() if path not in used]:
                self.notes.append(
                    f'{len(alone)} {what} have no {other} and were left out, for example '
                    f'{alone[0]}'
                )
        groups = _groups(pairs)
        names = _unique_names(pairs)
        self._files: dict[str, tuple[Path, Path]] = {}
        self.frames: list[ExistingFrame] = []
        for key in sorted(pairs, key=lambda key: _place(groups[key], key[1])):
            self._files[names[key]] = pairs[key]
            facts: dict[str, object] = {
                'source': str(pairs[key][0]),
                'semantic_source': str(pairs[key][1]),
            }
            group = '/'.join(groups[key])
            self.frames.append(ExistingFrame(names[key], group, {**facts, 'group': group}))

    def semantic(self, frame: ExistingFrame) -> NDArray[np.uint8]:
        """Read the semantic picture of one frame.

        Raises:
            ImageError: it is no whole PNG.
        """
        return _label_from_file(self._root / self._files[frame.name][1])

    def pairs(self, wanted: Collection[str]) -> Iterator[FramePair | ImageError]:
        """Read frames in the order of `frames`."""
        for frame in self.frames:
            if frame.name not in wanted:
                continue
            image, label = (self._root / path for path in self._files[frame.name])
            try:
                yield FramePair(frame, image_from_file(image), _label_from_file(label))
            except ImageError as error:
                yield error


def _files(
    root: Path, rgb: str | None, seg: str | None
) -> tuple[dict[_Key, Path], dict[_Key, Path]]:
    """Find pictures and semantic pictures, each by its key."""
    if rgb is not None and seg is not None:
        return _by_glob(root, rgb, 'rgb'), _by_glob(root, seg, 'seg')
    if rgb is not None or seg is not None:
        raise LaneSegError('expected both --rgb and --seg, or neither, found one of them')
    found: dict[str, dict[_Key, Path]] = {'rgb': {}, 'seg': {}}
    silent = 0
    for path in _images_below(root):
        kind = _kind(path)
        silent += kind is None
        if kind is not None:
            _put(found[kind], _key(path), path)
    for kind, words in (('rgb', _RGB_WORDS), ('seg', _SEG_WORDS)):
        if not found[kind]:
            other = len(found['seg' if kind == 'rgb' else 'rgb'])
            raise LaneSegError(
                f'{root}: expected files that a word in their name or folder marks as {kind} '
                f'({", ".join(sorted(words))}), found none, {other} of the other kind and '
                f'{silent} that no word marks; name both: --rgb PATTERN --seg PATTERN'
            )
    return found['rgb'], found['seg']


def _by_glob(root: Path, pattern: str, option: str) -> dict[_Key, Path]:
    """Files of a pattern; the folders in front of its first wildcard are no part of their keys."""
    parts = PurePath(pattern).parts
    if PurePath(pattern).is_absolute() or '..' in parts:
        raise LaneSegError(f'--{option}: expected a pattern below {root}, found {pattern!r}')
    fixed = 0
    while fixed < len(parts) - 1 and not any(mark in parts[fixed] for mark in '*?['):
        fixed += 1
    files: dict[_Key, Path] = {}
    for path in sorted(root.glob(pattern)):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            inside = path.relative_to(root)
            _put(files, _key(PurePath(*inside.parts[fixed:])), inside)
    if not files:
        raise LaneSegError(f'--{option}: expected pictures of {pattern!r} in {root}, found none')
    return files


def _images_below(root: Path) -> list[Path]:
    return sorted(
        path.relative_to(root)
        for path in root.rglob('*')
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith('.') for part in path.relative_to(root).parts)
    )


def _put(files: dict[_Key, Path], key: _Key, path: Path) -> None:
    if key in files:
        raise LaneSegError(
            f'expected one file of a kind for each frame, found {files[key]} and {path}; name '
            'what belongs together: --rgb PATTERN --seg PATTERN'
        )
    files[key] = path


def _words(text: str) -> list[str]:
    """Words of a name: 'CameraSeg_front12' has camera, seg, front, 12."""
    return [word.lower() for word in _WORD.findall(text)]


def _kind(path: PurePath) -> str | None:
    """What a file is, by the last word that says so, its own name before its folders."""
    for part in reversed((*path.parts[:-1], path.stem)):
        words = set(_words(part))
        # semantic_image and label_rgb are semantic pictures: that word says more.
        if words & _SEG_WORDS:
            return 'seg'
        if words & _RGB_WORDS:
            return 'rgb'
    return None


def _key(path: PurePath) -> _Key:
    """What a picture and its semantic picture have in common."""

    def rest(part: str) -> str:
        without = _WORD.sub(lambda word: '' if word[0].lower() in _KIND_WORDS else word[0], part)
        return re.sub(r'[_\s]+', '_', without).strip('_.- ')

    folders = tuple(filter(None, (rest(part) for part in path.parts[:-1])))
    return folders, rest(path.stem)


def _paired(
    root: Path, images: dict[_Key, Path], labels: dict[_Key, Path]
) -> dict[_Key, tuple[Path, Path]]:
    """Pair by name, or else by the last number in the name."""
    common = [key for key in images if key in labels]
    if common:
        return {key: (images[key], labels[key]) for key in common}
    numbered = [_by_number(files) for files in (images, labels)]
    pairs = {
        key: (numbered[0][key], numbered[1][key]) for key in numbered[0] if key in numbered[1]
    }
    if not pairs:
        raise LaneSegError(
            f'{root}: expected pairs by name or number, found {len(images)} pictures such as '
            f'{next(iter(images.values()))} and {len(labels)} semantic pictures such as '
            f'{next(iter(labels.values()))}, and no two of them with the same; rename one kind'
        )
    return pairs


def _by_number(files: dict[_Key, Path]) -> dict[_Key, Path]:
    """Files by the last number in their names; those whose number is not the only one go."""
    numbers = {path: re.findall(r'[0-9]+', path.stem)[-1:] for path in files.values()}
    counts = Counter(int(number[0]) for number in numbers.values() if number)
    return {
        ((), str(int(number[0]))): path
        for path, number in numbers.items()
        if number and counts[int(number[0])] == 1
    }


def _groups(pairs: dict[_Key, tuple[Path, Path]]) -> dict[_Key, tuple[str, ...]]:
    """Drives: the folders of a frame.

    Folders called train, val or test are no drives: somebody has dealt the frames of a drive out
    to them, and neighbours have to come together again before they are dealt out anew. Only where
    they hold files of the same names they are drives after all.
    """
    without = {
        key: tuple(part for part in key[0] if part.lower() not in _SPLIT_WORDS) for key in pairs
    }  # fmt: skip
    places = {(folders, key[1]) for key, folders in without.items()}
    return without if len(places) == len(pairs) else {key: key[0] for key in pairs}


def _place(folders: tuple[str, ...], name: str) -> tuple[object, object]:
    """Key for sorting: frames of a drive stand together, in natural order."""
    return natural_order(Path(*folders)), natural_order(Path(name))


def _unique_names(pairs: dict[_Key, tuple[Path, Path]]) -> dict[_Key, str]:
    """Names for the new recording: folders and name, each once."""
    names: dict[_Key, str] = {}
    taken: set[str] = set()
    for key, (image, _) in pairs.items():
        wanted = name = usable('_'.join((*key[0], image.stem)))
        number = 1
        while name in taken:
            number += 1
            name = f'{wanted}_{number}'
        taken.add(name)
        names[key] = name
    return names


def _label_from_file(path: Path) -> NDArray[np.uint8]:
    """Read tags or colours without changing what the file holds.

    Returns:
        (H, W) uint8, or (H, W, 3) uint8 BGR.

    Raises:
        ImageError: no PNG, or not a whole one, or 16 bits deep.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f'{path}: cannot be read: {error.strerror}', cause='type') from error
    if not data.startswith(_PNG_START):
        raise ImageError(
            f'{path}: expected semantic pictures as PNG, found another type; JPEG blends tags and '
            'colours of neighbouring classes: record or export them as PNG',
            cause='encoding',
        )
    # OpenCV decodes what there is and says nothing.
    if _PNG_END not in data[-64:]:
        raise ImageError(
            f'{path}: expected a whole PNG, found one that was cut short', cause='truncated'
        )
    label = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if label is None or label.dtype != np.uint8:
        raise ImageError(
            f'{path}: expected a PNG of 8 bits, found {"none" if label is None else label.dtype}',
            cause='encoding',
        )
    if label.ndim == 3:
        label = np.ascontiguousarray(label[..., :3])
    return np.asarray(label, np.uint8)
