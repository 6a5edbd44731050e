"""Write a recording of another tool as one of ours.

Nothing of the input is changed. The conversion can be ended at any time and goes on where it was;
frames keep their names, so that they are found again in what they were made of.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from carla_bridge.existing.bags import BagSource, bags_at
from carla_bridge.existing.coding import KINDS, Coding, coding_of
from carla_bridge.existing.folders import FolderSource
from carla_bridge.existing.frame_splits import splits_of_frames
from carla_bridge.existing.frames import FramePair
from carla_bridge.recording.plan_parts import SplitPlan
from carla_bridge.recording.recording import Recording
from lane_seg.carla_tags import tags_of
from lane_seg.errors import ImageError, LaneSegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from carla_bridge.existing.frames import FrameSource

__all__ = ['ConvertOptions', 'ConvertSummary', 'convert']

# Semantic pictures that are looked at to find out how they are coded.
_SAMPLES: Final = 16
# Pictures of a standing camera correlate with 0.99 and more, those of a moving one a second apart
# with 0.9 and less (lane_seg_train.data_tools.likeness, measured on CARLA drives).
_NEAR: Final = 0.98
_THUMB_PX: Final = 64
_MOST_BROKEN: Final = 0.5


@dataclass(frozen=True)
class ConvertOptions:
    """What to convert, and how.

    Attributes:
        input: a folder of pictures, a .bag file, a folder of them, or a rosbag2 folder.
        output: folder of the new recording; made, or gone on with.
        kind: 'auto', 'tags', 'palette' or 'bag'.
        version: of CARLA; None finds out.
        rgb: glob pattern of pictures below `input`, or of their topic; None finds out.
        seg: the same of semantic pictures.
        split: shares of the splits; its squares and metres mean nothing here.
        block: frames in a row that belong to one split.
        gap: frames between two splits that belong to none.
        seed: of the splits.
        skip_near_duplicates: leave out frames that look like the one before.
    """

    input: Path
    output: Path
    kind: str = 'auto'
    version: str | None = None
    rgb: str | None = None
    seg: str | None = None
    split: SplitPlan = SplitPlan()
    block: int = 50
    gap: int = 6
    seed: int = 0
    skip_near_duplicates: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ('auto', 'bag', *KINDS):
            raise LaneSegError(
                f'--kind: expected one of auto, bag, {", ".join(KINDS)}, found {self.kind!r}'
            )
        if self.version is not None:
            tags_of(self.version)
        if self.block < 1 or not 0 <= self.gap < self.block:
            raise LaneSegError(
                f'expected a block of 1 or more frames and a gap shorter than it, '
                f'found {self.block} and {self.gap}'
            )


@dataclass
class ConvertSummary:
    """What a conversion did.

    Attributes:
        evidence: how the semantic pictures are coded, and why we think so.
        version: of CARLA.
        counts: {split: frames that the recording has now}.
        new: frames that this run has written.
        in_gaps: frames left out between splits.
        duplicates: frames left out as near-duplicates.
        notes: what else was left out, and why.
    """

    evidence: str
    version: str
    counts: Counter[str] = field(default_factory=Counter)
    new: int = 0
    in_gaps: int = 0
    duplicates: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _ConvertPlan:
    """What the recording keeps of a conversion, to go on with the same one only."""

    content: Mapping[str, object]
    layers: tuple[str, ...] = ('rgb', 'seg')

    def plain(self) -> dict[str, object]:
        return dict(self.content)

    def conflicts_with(self, before: Mapping[str, object]) -> list[str]:
        if 'existing' not in before:
            return ['expected a conversion of the same input, found a plan of `collect`']
        return [
            f'{key}: expected {before.get(key)} as before, found {value}'
            for key, value in self.content.items()
            if before.get(key) != value
        ]


def convert(
    options: ConvertOptions, on_frame: Callable[[int, int], None] = lambda done, total: None
) -> ConvertSummary:
    """Convert a recording of another tool, or go on with it.

    Args:
        options: what to convert.
        on_frame: called with the number of frames that were looked at and of all of them.

    Raises:
        LaneSegError: input or output cannot be used, or the evidence is not clear.
        DiskFullError: there is no room; the same call goes on.
    """
    _check_folders(options)
    source = _opened(options)
    kind = options.kind if options.kind in KINDS else None
    coding = coding_of(_samples(source), kind=kind, version=options.version)
    splits = splits_of_frames(
        [frame.group for frame in source.frames],
        options.split.fractions,
        block=options.block,
        gap=options.gap,
        seed=options.seed,
    )
    split_of = {
        frame.name: split
        for frame, split in zip(source.frames, splits, strict=True)
        if split is not None
    }
    summary = ConvertSummary(coding.evidence, coding.version, notes=source.notes)
    summary.in_gaps = len(source.frames) - len(split_of)
    plan = _plan(options, source, coding)
    with Recording.open(options.output, plan, coding.version) as recording:
        _write(options, source, coding, split_of, recording, summary, on_frame)
        summary.counts.update(str(record['split']) for record in recording.records)
    return summary


def _write(
    options: ConvertOptions,
    source: FrameSource,
    coding: Coding,
    split_of: Mapping[str, str],
    recording: Recording,
    summary: ConvertSummary,
    on_frame: Callable[[int, int], None],
) -> None:
    """Write the frames that are not there yet."""
    there = {str(record['name']) for record in recording.records}
    # To know near-duplicates, frames that were written by an earlier run are looked at as well.
    wanted = split_of.keys() if options.skip_near_duplicates else split_of.keys() - there
    thumbs: dict[str, NDArray[np.float32]] = {}
    broken: list[ImageError] = []
    for done, pair in enumerate(source.pairs(wanted), start=1):
        on_frame(done, len(wanted))
        if isinstance(pair, FramePair) and pair.image.shape[:2] != pair.semantic.shape[:2]:
            pair = ImageError(
                f'{pair.frame.name}: expected both pictures of one size, found '
                f'{pair.image.shape[:2]} and {pair.semantic.shape[:2]}',
                cause='size',
            )
        if isinstance(pair, ImageError):
            broken.append(pair)
            continue
        name, group = pair.frame.name, pair.frame.group
        if options.skip_near_duplicates:
            thumb = _thumb(pair.image)
            if name not in there and group in thumbs and _alike(thumbs[group], thumb):
                summary.duplicates += 1
                continue
            thumbs[group] = thumb
        if name in there:
            continue
        images = {'rgb': pair.image, 'seg': coding.tags(pair.semantic, name)}
        recording.add(name, split_of[name], images, _facts(pair, coding))
        summary.new += 1
    if len(broken) > _MOST_BROKEN * max(1, len(wanted)):
        raise LaneSegError(
            f'expected pictures that can be read, found {len(broken)} of {len(wanted)} that '
            f'cannot: {broken[0]}'
        )
    summary.notes += [f'left out: {error}' for error in broken]


def _check_folders(options: ConvertOptions) -> None:
    """Refuse an input that is not there, and an output that would become input."""
    if not options.input.exists():
        raise LaneSegError(f'expected a recording at {options.input}, found nothing')
    inside, output = options.input.resolve(), options.output.resolve()
    if output == inside or inside in output.parents:
        raise LaneSegError(
            f'expected --output outside of the input, found {options.output} within '
            f'{options.input}; name another folder'
        )


def _opened(options: ConvertOptions) -> FrameSource:
    if bags := bags_at(options.input):
        return BagSource(bags, rgb=options.rgb, seg=options.seg)
    if options.kind == 'bag' or options.input.is_file():
        raise LaneSegError(
            f'expected a .bag file, a folder of them, or a rosbag2 folder with metadata.yaml, '
            f'found {options.input}, which is none'
        )
    return FolderSource(options.input, rgb=options.rgb, seg=options.seg)


def _samples(source: FrameSource) -> list[NDArray[np.uint8]]:
    """Read some semantic pictures, from all over the recording."""
    places = np.linspace(0, len(source.frames) - 1, min(_SAMPLES, len(source.frames)))
    samples: list[NDArray[np.uint8]] = []
    errors: list[ImageError] = []
    for place in places:
        try:
            samples.append(source.semantic(source.frames[round(place)]))
        except ImageError as error:
            errors.append(error)
    if not samples:
        raise errors[0]
    return samples


def _plan(options: ConvertOptions, source: FrameSource, coding: Coding) -> _ConvertPlan:
    names = '\n'.join(frame.name for frame in source.frames)
    return _ConvertPlan(
        {
            'existing': str(options.input.resolve()),
            'kind': coding.kind,
            'frames': len(source.frames),
            'names_sha256': hashlib.sha256(names.encode()).hexdigest(),
            'split': dataclasses.asdict(options.split),
            'block': options.block,
            'gap': options.gap,
            'seed': options.seed,
            'skip_near_duplicates': options.skip_near_duplicates,
        }
    )


def _facts(pair: FramePair, coding: Coding) -> dict[str, object]:
    height, width = pair.image.shape[:2]
    size = {'width': width, 'height': height}
    return {**pair.frame.facts, **size, 'kind': coding.kind, 'version': coding.version}


def _thumb(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A tiny grey picture of mean 0 and length 1."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def _alike(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Whether two tiny pictures correlate as those of a standing camera do."""
    return float(first @ second) > _NEAR
