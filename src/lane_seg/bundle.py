"""The model bundle models/<name>/: found by name or path, its graph verified on load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from lane_seg.errors import BundleError
from lane_seg.files import sha256_of
from lane_seg.fit import FITS, Fit
from lane_seg.postprocess import UNLABELED_ID
from lane_seg.share import share_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ['ClassInfo', 'ModelBundle', 'find_bundle']

SCHEMA = 1
PRECISIONS = ('int8', 'fp16', 'fp32')
SPEC_NAME = 'model.yaml'
ONNX_NAME = 'model.onnx'
GRAPH_SUFFIX = '.onnx'


@dataclass(frozen=True)
class ClassInfo:
    """One class of the mask.

    Attributes:
        id: value in the mask, 0..254.
        name: for example 'lane_marking'.
        colour_bgr: colour in overlays, 0..255 each; black means "not drawn".
    """

    id: int
    name: str
    colour_bgr: tuple[int, int, int]


@dataclass(frozen=True)
class ModelBundle:
    """What `model.yaml` says about a model; the graphs it names were verified.

    Attributes:
        directory: the bundle's folder.
        name: the model's name.
        version: the model's version.
        height: input height in pixels.
        width: input width in pixels.
        fit: how a camera image is laid into the input: 'stretch', 'crop' or 'letterbox'.
        classes: in the order of their ids.
        unlabeled_id: mask value of pixels that the model does not see.
        precision: 'int8', 'fp16' or 'fp32'.
        onnx_path: the graph: uint8 BGR (1, height, width, 3) in, uint8 (1, height, width) out.
        onnx_sha256: its sha256, 64 hexadecimal digits.
        confidence: the graph has a second output 'confidence', uint8 (1, height, width).
    """

    directory: Path
    name: str
    version: str
    height: int
    width: int
    fit: Fit
    classes: tuple[ClassInfo, ...]
    unlabeled_id: int
    precision: str
    onnx_path: Path
    onnx_sha256: str
    confidence: bool

    @classmethod
    def load(cls, name_or_path: str | Path) -> ModelBundle:
        """Load and verify a bundle.

        Args:
            name_or_path: a folder, or the name of a model that is shipped or installed.

        Raises:
            BundleError: not found, a file missing or altered, or a field missing or wrong. The
                message names the file, what was expected, what was found, and how to mend it.
        """
        directory = find_bundle(name_or_path)
        spec_path = directory / SPEC_NAME
        hint = _restore_hint(directory, SPEC_NAME)
        if not spec_path.is_file():
            raise BundleError(f'expected {spec_path}, found no such file; {hint}')
        try:
            spec = yaml.safe_load(spec_path.read_text(encoding='utf-8'))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BundleError(f'{spec_path}: expected YAML, found: {error}; {hint}') from error
        reader = _Reader(spec, spec_path, hint)
        schema = reader.integer('schema')
        if schema != SCHEMA:
            raise BundleError(
                f'{spec_path}: expected schema {SCHEMA}, found {schema}; '
                'the bundle was written by another version of lane_seg_ros: install that version '
                'or export the model again with `lane-seg export`'
            )
        reader.text('input.colour_order', allowed=('bgr',))
        unlabeled_id = reader.integer('unlabeled_id')
        if unlabeled_id != UNLABELED_ID:
            raise reader.error('unlabeled_id', str(UNLABELED_ID), unlabeled_id)
        hashes = _verify_files(directory, reader)
        return cls(
            directory=directory,
            name=reader.text('name'),
            version=reader.text('version'),
            height=reader.integer('input.height', least=1),
            width=reader.integer('input.width', least=1),
            fit=cast('Fit', reader.text('input.fit', allowed=FITS)),
            classes=_classes(reader),
            unlabeled_id=unlabeled_id,
            precision=reader.text('precision', allowed=PRECISIONS),
            onnx_path=directory / ONNX_NAME,
            onnx_sha256=hashes[ONNX_NAME],
            # Bundles that are older than this field do not have it.
            confidence=reader.flag('confidence', default=False),
        )

    def class_id(self, name: str) -> int:
        """Return the mask value of a class.

        Raises:
            BundleError: the model has no such class.
        """
        for info in self.classes:
            if info.name == name:
                return info.id
        known = ', '.join(info.name for info in self.classes)
        raise BundleError(f'model {self.name}: expected a class out of {known}, found {name!r}')


def find_bundle(name_or_path: str | Path) -> Path:
    """Find a bundle's folder.

    A path that exists wins. A bare name is looked up in `models/` of all share folders.

    Raises:
        BundleError: not found; the message lists where it was looked for.
    """
    given = Path(name_or_path).expanduser()
    places = [given]
    if len(given.parts) == 1:
        places += [folder / 'models' / given.name for folder in share_folders()]
    for place in places:
        if place.is_dir():
            return place.resolve()
    raise BundleError(
        f'expected a model bundle {str(name_or_path)!r} (a folder with {SPEC_NAME} and '
        f'{ONNX_NAME}), found none at: {", ".join(str(place) for place in places)}; '
        'give the path of a bundle, or "default" for the shipped one'
    )


def _verify_files(directory: Path, reader: _Reader) -> dict[str, str]:
    listed = reader.value('files')
    if not isinstance(listed, dict) or ONNX_NAME not in listed:
        raise reader.error('files', f'a mapping that holds {ONNX_NAME}', listed)
    hashes = {}
    for name, entry in listed.items():
        if not isinstance(name, str) or (directory / name).parent != directory:
            raise reader.error('files', 'plain file names', name)
        expected = _Reader(entry, reader.path, reader.hint, f'files[{name}].').text('sha256')
        path = directory / name
        if path.suffix != GRAPH_SUFFIX:
            continue  # a card or a recipe that somebody edited must not stop a car
        hint = _restore_hint(directory, name)
        if not path.is_file():
            raise BundleError(
                f'expected {path} with sha256 {expected}, found no such file; {hint}'
            )
        found = sha256_of(path)
        if found != expected:
            raise BundleError(
                f'{path} was altered: expected sha256 {expected}, found {found}; {hint}'
            )
        hashes[name] = found
    return hashes


def _restore_hint(directory: Path, name: str) -> str:
    if any((parent / '.git').exists() for parent in directory.parents):
        return f'restore it with: git -C "{directory}" checkout -- {name}'
    return (
        'restore it with: python3 -m pip install --force-reinstall --no-deps lane_seg_ros '
        '(a shipped model), or write the bundle again with `lane-seg export`'
    )


def _classes(reader: _Reader) -> tuple[ClassInfo, ...]:
    rows = reader.value('classes')
    if not isinstance(rows, list) or not rows:
        raise reader.error('classes', 'a list of classes', rows)
    classes = []
    for index, row in enumerate(rows):
        item = _Reader(row, reader.path, reader.hint, f'classes[{index}].')
        colour = item.value('colour')
        if (
            not isinstance(colour, list)
            or len(colour) != 3
            or not all(type(level) is int and 0 <= level <= 255 for level in colour)
        ):
            raise item.error('colour', '[blue, green, red], each 0..255', colour)
        classes.append(
            ClassInfo(item.integer('id'), item.text('name'), (colour[0], colour[1], colour[2]))
        )
    ids = [info.id for info in classes]
    if ids != list(range(len(ids))) or len(ids) > UNLABELED_ID:
        raise reader.error('classes', f'ids 0, 1, 2, ... below {UNLABELED_ID}', ids)
    return tuple(classes)


class _Reader:
    """Typed look-ups in `model.yaml` that name the field when it is missing or wrong."""

    def __init__(self, spec: object, path: Path, hint: str, prefix: str = '') -> None:
        self.spec = spec
        self.path = path
        self.hint = hint
        self.prefix = prefix

    def error(self, key: str, expected: str, found: object) -> BundleError:
        return BundleError(
            f'{self.path}: expected {expected} in {self.prefix}{key}, found {found!r}; {self.hint}'
        )

    def value(self, key: str) -> object:
        place: object = self.spec
        for part in key.split('.'):
            if not isinstance(place, dict) or part not in place:
                raise BundleError(
                    f'{self.path}: expected the field {self.prefix}{key}, found none; {self.hint}'
                )
            place = place[part]
        return place

    def text(self, key: str, *, allowed: Sequence[str] = ()) -> str:
        found = self.value(key)
        if not isinstance(found, str) or not found:
            raise self.error(key, 'text', found)
        if allowed and found not in allowed:
            raise self.error(key, ' or '.join(allowed), found)
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        if isinstance(self.spec, dict) and key not in self.spec:
            return default
        found = self.value(key)
        if not isinstance(found, bool):
            raise self.error(key, 'true or false', found)
        return found

    def integer(self, key: str, *, least: int = 0) -> int:
        found = self.value(key)
        if not isinstance(found, int) or isinstance(found, bool) or found < least:
            raise self.error(key, f'a whole number >= {least}', found)
        return found
