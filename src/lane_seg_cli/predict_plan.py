"""Which file `lane-seg predict` makes of which, decided and checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lane_seg.errors import LaneSegError
from lane_seg.sources import ImageSource, VideoSource, open_source

__all__ = ['ImageJob', 'Plan', 'VideoJob', 'plan']


@dataclass(frozen=True)
class ImageJob:
    """One image.

    Attributes:
        source: the image.
        name: of the image, relative to the input that was named.
        mask: the PNG to write.
        overlay: the JPEG to write, None if it is not wanted.
        confidence: the PNG to write, None if it is not wanted.
    """

    source: Path
    name: str
    mask: Path
    overlay: Path | None
    confidence: Path | None

    @property
    def targets(self) -> tuple[Path, ...]:
        """All files to write."""
        paths = (self.mask, self.overlay, self.confidence)
        return tuple(path for path in paths if path is not None)


@dataclass(frozen=True)
class VideoJob:
    """One video.

    Attributes:
        video: the opened video.
        overlay: the MP4 to write.
    """

    video: VideoSource
    overlay: Path

    @property
    def source(self) -> Path:
        """The video's file."""
        return self.video.path

    @property
    def targets(self) -> tuple[Path, ...]:
        """All files to write."""
        return (self.overlay,)


Job = ImageJob | VideoJob


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: in the order of the inputs.
        errors: one for each input that cannot be used at all.
    """

    jobs: tuple[Job, ...]
    errors: tuple[LaneSegError, ...]


def plan(inputs: Sequence[Path], output: Path, *, overlay: bool, confidence: bool) -> Plan:
    """Decide what is written where.

    Image X.jpg becomes X.png, X_overlay.jpg and X_confidence.png; sub-folders are kept. Video
    Y.avi becomes Y.mp4.
    What lies in `output` is no input: a second run must not make masks of masks.

    Args:
        inputs: images, folders, videos.
        output: folder of the results.
        overlay: whether images get overlays as well.
        confidence: whether images get pictures of the confidence as well.

    Raises:
        LaneSegError: two inputs would write the same file, or one would be overwritten.
    """
    if output.exists() and not output.is_dir():
        raise LaneSegError(f'--output {output}: expected a folder, found a file; choose another')
    jobs: list[Job] = []
    errors: list[LaneSegError] = []
    for path in inputs:
        try:
            jobs += _jobs(path, output, overlay=overlay, confidence=confidence)
        except LaneSegError as error:
            errors.append(error)
    return Plan(_without_clashes(jobs), tuple(errors))


def _without_clashes(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Drop inputs that were named twice; refuse what would overwrite a result or an input."""
    sources = {job.source: job.source.resolve() for job in jobs}
    inputs = set(sources.values())
    made_from: dict[Path, Path] = {}
    kept: dict[tuple[Path, tuple[Path, ...]], Job] = {}
    for job in jobs:
        for target in job.targets:
            other = made_from.setdefault(target, job.source)
            if sources[other] != sources[job.source]:
                raise LaneSegError(
                    f'expected inputs with names of their own, found that {other} and '
                    f'{job.source} would both be written to {target}; rename one, or predict '
                    'them into two folders'
                )
            if target.resolve() in inputs:
                raise LaneSegError(
                    f'expected --output to keep the inputs whole, found that the result of '
                    f'{job.source} would overwrite the input {target}; choose another --output'
                )
        kept[sources[job.source], job.targets] = job
    return tuple(kept.values())


def _jobs(path: Path, output: Path, *, overlay: bool, confidence: bool) -> list[Job]:
    source = open_source(path)
    if isinstance(source, VideoSource):
        return [VideoJob(source, output / f'{source.path.stem}.mp4')]
    files = _without_results(source, output)
    if not files:
        raise LaneSegError(
            f'{path}: expected images, found only what lies in --output {output}; '
            'choose another --output'
        )
    jobs: list[Job] = []
    for file in files:
        mask = (output / file).with_suffix('.png')
        jobs.append(
            ImageJob(
                source=source.root / file,
                name=file.as_posix(),
                mask=mask,
                overlay=mask.with_name(f'{file.stem}_overlay.jpg') if overlay else None,
                confidence=mask.with_name(f'{file.stem}_confidence.png') if confidence else None,
            )
        )
    return jobs


def _without_results(source: ImageSource, output: Path) -> list[Path]:
    """Leave out what lies in the output folder, if that is a folder below the input's."""
    root, results = source.root.resolve(), output.resolve()
    if root not in results.parents:
        return list(source.files)
    inside = results.relative_to(root)
    return [file for file in source.files if inside not in file.parents]
