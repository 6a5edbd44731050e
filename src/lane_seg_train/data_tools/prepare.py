"""Write the pairs of data sets at the size of the network, as plain PNGs with a manifest."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path, write_text
from lane_seg_train.augment import augment
from lane_seg_train.data_tools.chosen_sets import TRAIN, ChosenSet, file_name
from lane_seg_train.data_tools.manifest import (
    MANIFEST,
    NOTES,
    Entry,
    Notes,
    read_entries,
    write_manifest,
)
from lane_seg_train.data_tools.parallel import mapped
from lane_seg_train.datasets import resized

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg_train.config import AugmentConfig, TrainConfig
    from lane_seg_train.datasets import LaneData, Pair

__all__ = ['IMAGES', 'LABELS', 'Prepared', 'prepare']

IMAGES, LABELS = 'images', 'labels'
SETTINGS = 'prepare.json'
RENDERED = 'rendered'
# Keys of a data set that say which pairs to take, or how to use them, and not what they hold.
_SELECTION = (
    'include', 'first', 'before', 'part', 'blocks', 'exclude', 'foreground', 'foreground_share',
    'limit', 'strict', 'repeat', 'licence', 'scene_seeds',
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """What a preparation did.

    Attributes:
        written: pairs that were written now.
        kept: pairs that an earlier start had written.
    """

    written: int
    kept: int


@dataclass(frozen=True)
class _Making:
    """What every process needs to know."""

    sets: list[LaneData]
    augmentation: AugmentConfig
    output: Path


@dataclass(frozen=True)
class _Job:
    """A pair, and what is to be made of it."""

    index: int
    pair: Pair
    entries: list[Entry]


def prepare(
    opened: Sequence[tuple[ChosenSet, LaneData]],
    config: TrainConfig,
    output: Path,
    *,
    augmented: int = 0,
    seed: int = 0,
    force: bool = False,
    workers: int = 0,
) -> Prepared:
    """Write pairs to `<output>/<train or val>/<set>/{images,labels}/<name>.png`.

    Labels hold target ids. A preparation that was stopped goes on where it was; files that are
    complete are never written again, and none of the data sets is touched.

    Args:
        opened: the data sets.
        config: the recipe.
        output: empty or absent, or the folder of an earlier preparation with the same settings.
        augmented: augmented copies of each training pair, `<name>_a0.png` and so on.
        seed: of their chance.
        force: delete what an earlier preparation wrote there and start anew.
        workers: processes; 0 takes one for each core.

    Raises:
        LaneSegError: a pair cannot be read, two pairs would get one name, or `output` holds
            something else.
    """
    if augmented < 0:
        raise LaneSegError(f'--augmented: expected 0 or more, found {augmented}')
    jobs = [
        _Job(index, pair, _entries(chosen, pair, data, augmented, seed))
        for index, (chosen, data) in enumerate(opened)
        for pair in data.pairs
    ]
    planned = [entry for job in jobs for entry in job.entries]
    _check_names(planned)
    done = _begin(output, _settings(opened, config, augmented, seed), planned, force=force)
    open_jobs = [
        dataclasses.replace(job, entries=left)
        for job in jobs
        if (left := [entry for entry in job.entries if entry.image not in done])
    ]
    making = _Making([data for _, data in opened], config.augment, output)
    written = 0
    with Notes(output) as notes:
        results = mapped(
            _make, making, open_jobs, text=f'preparing {len(open_jobs)} pairs', workers=workers
        )
        for entries in results:
            for entry in entries:
                notes.add(entry)
                written += 1
    write_manifest(output, planned)
    return Prepared(written, len(planned) - written)


def _entries(
    chosen: ChosenSet, pair: Pair, data: LaneData, augmented: int, seed: int
) -> list[Entry]:
    """What is to be made of a pair."""
    folder = f'{chosen.part}/{file_name(chosen.config.name)}'
    # Some formats have folders in their names.
    name = pair.name.replace('/', '__')
    stamp = _stamp(pair, data)
    copies = range(augmented) if chosen.part == TRAIN else ()
    return [
        Entry(
            image=f'{folder}/{IMAGES}/{name}{end}.png',
            label=f'{folder}/{LABELS}/{name}{end}.png',
            set=chosen.key,
            name=pair.name,
            source_image=str(pair.image),
            source_label=str(pair.label),
            source_stamp=stamp,
            augmented=copy,
            # Of the name, so that leaving out one pair does not change the others.
            seed=() if copy is None else (seed, zlib.crc32(pair.name.encode()), copy),
        )
        for copy, end in ((None, ''), *((copy, f'_a{copy}') for copy in copies))
    ]


def _stamp(pair: Pair, data: LaneData) -> str:
    if not data.reader.has_files:
        return RENDERED
    stats = [path.stat() for path in (pair.image, pair.label)]
    return ' '.join(f'{stat.st_size}@{stat.st_mtime_ns}' for stat in stats)


def _check_names(planned: Sequence[Entry]) -> None:
    # Without regard to capitals: some file systems have none.
    counts = Counter(entry.image.casefold() for entry in planned)
    twice = [entry for entry in planned if counts[entry.image.casefold()] > 1]
    if twice:
        raise LaneSegError(
            f'expected a name of its own for each written pair, found {twice[0].image} for '
            f'{twice[0].name} and {twice[1].name}; rename one of them, or leave it out with '
            '"exclude"'
        )


def _settings(
    opened: Sequence[tuple[ChosenSet, LaneData]], config: TrainConfig, augmented: int, seed: int
) -> dict[str, object]:
    """All that the written files depend on, besides the data itself."""
    settings = {
        'height': config.height,
        'width': config.width,
        'classes': config.classes,
        'sets': {
            chosen.key: {
                str(key): value
                for key, value in dataclasses.asdict(chosen.config).items()
                if key not in _SELECTION
            }
            for chosen, _ in opened
        },
        'augmented': augmented,
        'seed': seed if augmented else 0,
        'augment': dataclasses.asdict(config.augment) if augmented else {},
    }
    return dict(json.loads(json.dumps(settings)))


def _begin(
    output: Path, settings: dict[str, object], planned: Sequence[Entry], *, force: bool
) -> set[str]:
    """Make the folder ready; return the images in it that are complete and right."""
    path = output / SETTINGS
    if not path.exists():
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise LaneSegError(
                f'{output}: expected an empty folder or one of an earlier preparation, found '
                'something else; choose another --output'
            )
        write_text(path, json.dumps(settings, indent=2) + '\n')
        return set()
    earlier = {**read_entries(output / MANIFEST), **read_entries(output / NOTES)}
    if force:
        _clear(output, earlier)
        write_text(path, json.dumps(settings, indent=2) + '\n')
        return set()
    mend = 'add --force to make all of it again, or choose another --output'
    try:
        before = json.loads(path.read_text(encoding='utf-8'))
        differing = [key for key in settings if before.get(key) != settings[key]]
    except (ValueError, AttributeError) as error:
        raise LaneSegError(f'{path}: expected settings, found: {error}; {mend}') from error
    if differing:
        raise LaneSegError(
            f'{output}: expected a preparation with the same settings, found one with '
            f'another value of {", ".join(differing)}; {mend}'
        )
    now = {entry.image: entry for entry in planned}
    stale = [image for image, entry in earlier.items() if now.get(image) != entry]
    if stale:
        raise LaneSegError(
            f'{output}: expected files of the data as it is now, found {len(stale)} whose source '
            f'has changed or is gone, for example {stale[0]}; {mend}'
        )
    return {
        image
        for image, entry in earlier.items()
        if (output / entry.image).is_file() and (output / entry.label).is_file()
    }


def _clear(output: Path, earlier: dict[str, Entry]) -> None:
    """Delete what an earlier preparation wrote, and nothing else."""
    for name in (MANIFEST, NOTES):
        (output / name).unlink(missing_ok=True)
    for entry in earlier.values():
        for name in (entry.image, entry.label):
            path = (output / name).resolve()
            if path.is_relative_to(output.resolve()):
                path.unlink(missing_ok=True)


def _make(making: _Making, job: _Job) -> list[Entry]:
    """Read a pair and write what is to be made of it."""
    data = making.sets[job.index]
    original = resized(*data.read(job.pair), data.size)
    for entry in job.entries:
        image, target = original
        if entry.augmented is not None:
            rng = np.random.default_rng(entry.seed)
            image, target = augment(image, target, making.augmentation, rng)
        # The label first: an image without one would stop training.
        _write_png(making.output / entry.label, target)
        _write_png(making.output / entry.image, image)
    return job.entries


def _write_png(path: Path, array: NDArray[np.uint8]) -> None:
    encoded = cv2.imencode('.png', array)[1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
