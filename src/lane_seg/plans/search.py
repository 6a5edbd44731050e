"""Find the plan that fits this machine among those beside a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.plans.key import PLAN_SUFFIX, build_command, key_differences, read_record
from lane_seg.plans.options import PRECISIONS

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.gpu import Gpu
    from lane_seg.plans.libraries import Library

__all__ = ['find_plan']


def find_plan(
    bundle: ModelBundle,
    library: Library,
    gpu: Gpu,
    *,
    folder: Path | None = None,
    precision: str | None = None,
) -> Path:
    """Return the plan of a bundle that runs here.

    Among several that fit, int8 comes before fp16 and fp32, and the newest file first.

    Args:
        bundle: the verified model.
        library: that is to run it.
        gpu: of this machine.
        folder: where to look; None: in the bundle's.
        precision: take only this one.

    Raises:
        EngineError: none fits; the message says of each what differs, and the command that
            builds one.
    """
    place = folder or bundle.directory
    reasons, fitting = [], []
    for path in sorted(place.glob(f'*{PLAN_SUFFIX}')):
        try:
            key = read_record(path).key
        except EngineError as error:
            reasons.append(str(error))
            continue
        if precision not in (None, key.precision):
            continue
        differences = key_differences(
            key,
            onnx_sha256=bundle.onnx_sha256,
            flavour=library.flavour,
            version=library.version,
            gpu=gpu,
        )
        if differences:
            command = build_command(key, str(bundle.directory))
            reasons.append(f'{path.name}: {"; ".join(differences)}; build it again: {command}')
        else:
            fitting.append((PRECISIONS.index(key.precision), -path.stat().st_mtime_ns, path))
    if fitting:
        return min(fitting)[2]
    found = '\n  '.join(['', *reasons]) if reasons else ' none'
    raise EngineError(
        f'expected a plan in {place} for {library.flavour} {library.version} on {gpu.name}, '
        f'found:{found}\n'
        f'build one: lane-seg build-engine --model "{bundle.directory}" '
        f'--flavour {library.flavour}' + (f' --precision {precision}' if precision else '')
    )
