"""From a bundle's ONNX graph to a plan and its key, written whole or not at all."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.files import atomic_path, sha256_of
from lane_seg.plans.key import PlanRecord, key_of, plan_name, read_record, write_record
from lane_seg_engine.builder import build_plan, is_strongly_typed, parse
from lane_seg_engine.plan_layers import layers_of_plan, precisions_of_convolutions
from lane_seg_engine.prepare import check_signature, load_graph, prepare_graph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import tensorrt

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.gpu import Gpu
    from lane_seg.plans.key import PlanKey
    from lane_seg.plans.libraries import Library
    from lane_seg.plans.options import BuildOptions
    from lane_seg_engine.build_progress import OnProgress
    from lane_seg_engine.builder import BuiltPlan
    from lane_seg_engine.plan_layers import Layer
    from lane_seg_engine.prepare import PreparedGraph

__all__ = ['EngineFile', 'engine_from_onnx', 'graph_for_engine']


@dataclass(frozen=True)
class EngineFile:
    """A plan on disk.

    Attributes:
        path: the plan; its key lies beside it.
        record: what the key file says.
        layers: as far as they can be told here; empty for a plan that was there already.
        is_new: it was built now.
    """

    path: Path
    record: PlanRecord
    layers: tuple[Layer, ...]
    is_new: bool


def graph_for_engine(
    bundle: ModelBundle, library: Library, precision: str, options: BuildOptions
) -> PreparedGraph:
    """Read, check and convert the bundle's graph for a build; see `prepare_graph`."""
    return prepare_graph(
        load_graph(bundle),
        name=str(bundle.onnx_path),
        precision=precision,
        float_type=options.float_type,
        generation=library.generation,
        strongly_typed=is_strongly_typed(library, options),
    )


def engine_from_onnx(
    bundle: ModelBundle,
    library: Library,
    precision: str,
    options: BuildOptions,
    *,
    gpu: Gpu | None,
    graph: PreparedGraph | None = None,
    output: Path | None = None,
    images: Sequence[Path] = (),
    timing_cache: Path | None = None,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> EngineFile:
    """Build the plan of a bundle, unless the same one is there.

    Args:
        bundle: the verified model.
        library: from `open_library`.
        precision: 'int8', 'fp16' or 'fp32'.
        options: checked by `check_options`.
        gpu: of this machine; TensorRT-RTX builds without one.
        graph: from `graph_for_engine`, if it is at hand.
        output: folder of the plan; None: the bundle's.
        images: to find scales with, where `options.calibration` says so.
        timing_cache: file that is read if it is there, and written.
        force: build in any case.
        on_progress: see `build_plan`.

    Raises:
        EngineError: the graph or the options are refused, the folder cannot be written to, or
            the build fails; what was there before stays.
    """
    key = key_of(
        onnx_sha256=bundle.onnx_sha256,
        flavour=library.flavour,
        version=library.version,
        precision=precision,
        options=options,
        gpu=gpu,
    )
    path = (output or bundle.directory) / plan_name(key)
    if not force and (record := _same(path, key)) is not None:
        return EngineFile(path, record, (), is_new=False)
    _check_writable(path.parent)
    graph = graph or graph_for_engine(bundle, library, precision, options)
    check_signature(parse(library, graph.data, options), bundle)
    start = time.monotonic()
    calibrator = None
    if options.calibration is not None:
        calibrator = _calibrated(bundle, graph, library, options, images, on_progress)
    cache = None
    if timing_cache is not None and timing_cache.is_file():
        cache = timing_cache.read_bytes()
    built = build_plan(
        library,
        graph.data,
        precision,
        options,
        calibrator=calibrator,
        timing_cache=cache,
        on_progress=on_progress,
    )
    seconds = time.monotonic() - start
    layers = _layers(built.plan, library)
    _write(path, built.plan)
    record = PlanRecord(
        key=key,
        plan_sha256=sha256_of(path),
        plan_bytes=len(built.plan),
        built=_about(bundle, graph, built, layers, seconds, gpu),
    )
    write_record(path, record)
    if timing_cache is not None and built.timing_cache is not None:
        _write(timing_cache, built.timing_cache)
    return EngineFile(path, record, layers, is_new=True)


def _check_writable(folder: Path) -> None:
    """Refuse before minutes of building what would fail after them."""
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise EngineError(
            f'{folder}: expected a folder that the plan can be written to, found one that this '
            'user may not write to; copy the bundle to a folder of yours and build there '
            '(--model DIR)'
        )


def _same(path: Path, key: PlanKey) -> PlanRecord | None:
    """The record of the plan that is there, if it is whole and of this key."""
    try:
        record = read_record(path)
    except EngineError:
        return None
    return record if record.key == key else None


def _calibrated(
    bundle: ModelBundle,
    graph: PreparedGraph,
    library: Library,
    options: BuildOptions,
    images: Sequence[Path],
    on_progress: OnProgress | None,
) -> tensorrt.IInt8EntropyCalibrator2:
    """Find the scales by a build of their own; returns a calibrator that holds them."""
    import onnx

    from lane_seg_engine.calibrator import float_input, make_calibrator

    def tell(fed: int) -> None:
        if on_progress is not None:
            on_progress(fed / len(images), 'calibrating')

    model = onnx.load_from_string(graph.data)
    float_input(model)
    calibrator = make_calibrator(library, bundle, images, on_image=tell)
    build_plan(library, model.SerializeToString(), 'int8', options, calibrator=calibrator)
    if not calibrator.cache:
        raise EngineError(
            f'expected scales out of {len(images)} calibration images, found that '
            f'{library.flavour} {library.version} gave none; quantize with `lane-seg quantize`'
        )
    return make_calibrator(library, bundle, images, cache=calibrator.cache)


def _layers(plan: bytes, library: Library) -> tuple[Layer, ...]:
    """The layers of a plan that was just built; none where the library cannot tell."""
    try:
        return tuple(layers_of_plan(plan, library))
    except EngineError:
        return ()


def _about(
    bundle: ModelBundle,
    graph: PreparedGraph,
    built: BuiltPlan,
    layers: Sequence[Layer],
    seconds: float,
    gpu: Gpu | None,
) -> dict[str, object]:
    """What the key file tells people."""
    return {
        'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'seconds': round(seconds, 2),
        'model': f'{bundle.name} {bundle.version}',
        'input': [bundle.height, bundle.width],
        'on_gpu': None if gpu is None else gpu.name,
        'driver_cuda': None if gpu is None else gpu.driver,
        'graph': list(graph.notes),
        'convolutions': precisions_of_convolutions(layers),
        'warnings': list(built.warnings),
    }


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
