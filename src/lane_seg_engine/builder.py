"""From an ONNX graph to a plan, with the Python API of TensorRT 8.5 to 11 and TensorRT-RTX.

What differs between the versions is asked of the API itself, not of the version, where it can be:
networks are strongly typed where that exists (from TensorRT 9 on; always in 11 and in
TensorRT-RTX) and precision flags are set only where they do not (they are gone in 11).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.plans.messages import messages_of
from lane_seg.plans.options import COMPATIBILITY
from lane_seg_engine.build_progress import BuildProgress, interruptible, monitor_of

if TYPE_CHECKING:
    import tensorrt

    from lane_seg.plans.libraries import Library
    from lane_seg.plans.options import BuildOptions
    from lane_seg_engine.build_progress import OnProgress

__all__ = ['BuiltPlan', 'ParsedGraph', 'build_plan', 'is_strongly_typed', 'parse']

_MIB = 1 << 20
_MESSAGES = 6


@dataclass(frozen=True)
class BuiltPlan:
    """What a build gives.

    Attributes:
        plan: the serialized engine.
        timing_cache: to be kept for the next build; None where the library has none.
        warnings: what the library warned of, without repetitions.
    """

    plan: bytes
    timing_cache: bytes | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ParsedGraph:
    """A graph that the library's own parser took.

    Attributes:
        inputs: (name, type, shape) each.
        outputs: likewise.
        layers: number of layers before anything is fused.
        warnings: what the parser warned of.
        parts: the library's objects, which must outlive the network: builder, network, parser.
    """

    inputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    layers: int
    warnings: tuple[str, ...]
    parts: tuple[tensorrt.Builder, tensorrt.INetworkDefinition, tensorrt.OnnxParser] = field(
        repr=False
    )


def is_strongly_typed(library: Library, options: BuildOptions) -> bool:
    """Tell whether the network will compute in the types that its graph states.

    A calibrator and, up to TensorRT 10, the deep-learning accelerator need weak typing, where
    TensorRT chooses among the precisions that flags allow.
    """
    if library.generation >= 11:
        return True
    weak = options.calibration is not None or options.dla_core is not None
    return not weak and hasattr(library.api.NetworkDefinitionCreationFlag, 'STRONGLY_TYPED')


def parse(library: Library, graph: bytes, options: BuildOptions) -> ParsedGraph:
    """Read a graph with the library's parser.

    Args:
        library: from `open_library`.
        graph: the serialized ONNX model.
        options: those of the build.

    Raises:
        EngineError: the parser refused it, or the library does not work here.
    """
    api = library.api
    log = messages_of(library)
    log.clear()
    try:
        builder = api.Builder(log.logger)
    except TypeError as error:  # what a constructor that gives nothing looks like from Python
        raise EngineError(
            f'expected a builder of {library.flavour} {library.version}, found: '
            f'{log.errors() or error}; it needs a GPU and its driver: see `nvidia-smi`'
        ) from error
    flags, known = 0, api.NetworkDefinitionCreationFlag
    if library.generation < 10 and hasattr(known, 'EXPLICIT_BATCH'):
        flags |= 1 << int(known.EXPLICIT_BATCH)
    if library.generation < 11 and is_strongly_typed(library, options):
        flags |= 1 << int(known.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = api.OnnxParser(network, log.logger)
    if not parser.parse(graph):
        errors = [_reason(parser.get_error(index)) for index in range(parser.num_errors)]
        found = '; '.join(list(dict.fromkeys(errors))[:_MESSAGES]) or log.errors()
        raise EngineError(
            f'{library.flavour} {library.version} cannot read the graph: {found}; export the '
            'model again with `lane-seg export`'
        )
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    return ParsedGraph(
        inputs=tuple(_signature(item) for item in inputs),
        outputs=tuple(_signature(item) for item in outputs),
        layers=network.num_layers,
        warnings=log.warnings(),
        parts=(builder, network, parser),
    )


def build_plan(
    library: Library,
    graph: bytes,
    precision: str,
    options: BuildOptions,
    *,
    calibrator: object = None,
    timing_cache: bytes | None = None,
    on_progress: OnProgress | None = None,
) -> BuiltPlan:
    """Build a plan. Takes from a second (TensorRT-RTX) to many minutes (a Jetson).

    Ctrl-C ends the build at the library's next step.

    Args:
        library: from `open_library`.
        graph: the serialized ONNX model, in the types that `precision` asks for where the
            network is strongly typed.
        precision: 'int8', 'fp16' or 'fp32'.
        options: checked by `check_options`.
        calibrator: an IInt8EntropyCalibrator2, where the graph holds no scales.
        timing_cache: of an earlier build on the same GPU.
        on_progress: called with the part that is done (0..1) and the phase's name, from any
            thread; only where the library tells (from TensorRT 10 on).

    Raises:
        EngineError: the library refused something; its own words are in the message.
        KeyboardInterrupt: Ctrl-C.
    """
    api = library.api
    parsed = parse(library, graph, options)
    builder, network, _ = parsed.parts
    log = messages_of(library)
    config = builder.create_builder_config()
    _configure(library, builder, config, precision, options)
    if calibrator is not None:
        config.int8_calibrator = calibrator
    cache = None
    if library.flavour == 'tensorrt':  # TensorRT-RTX has the calls, but they do nothing
        cache = config.create_timing_cache(timing_cache or b'')
        if not config.set_timing_cache(cache, False):
            # Of another GPU or version: begin a new one.
            cache = config.create_timing_cache(b'')
            config.set_timing_cache(cache, False)
    state = BuildProgress(on_progress)
    monitor = None
    if hasattr(api, 'IProgressMonitor') and hasattr(config, 'progress_monitor'):
        monitor = monitor_of(api, state)
        config.progress_monitor = monitor
    with interruptible(state):
        memory = builder.build_serialized_network(network, config)
    if state.cancelled:
        raise KeyboardInterrupt
    if memory is None:
        raise EngineError(
            f'{library.flavour} {library.version} built no plan: '
            f'{log.errors() or "it gave no reason"}; where it lacked memory, try --workspace MIB'
        )
    return BuiltPlan(
        plan=bytes(memory),
        timing_cache=None if cache is None else bytes(config.get_timing_cache().serialize()),
        warnings=tuple(dict.fromkeys((*parsed.warnings, *log.warnings()))),
    )


def _configure(
    library: Library,
    builder: tensorrt.Builder,
    config: tensorrt.IBuilderConfig,
    precision: str,
    options: BuildOptions,
) -> None:
    api, flag = library.api, library.api.BuilderFlag
    # The inspector can then tell each layer's precision.
    config.profiling_verbosity = api.ProfilingVerbosity.DETAILED
    wanted: list[str] = []
    if not is_strongly_typed(library, options):
        if precision == 'int8':
            wanted.append('INT8')
        if 'fp16' in (precision, options.float_type):
            wanted.append('FP16')
    if options.version_compatible:
        wanted.append('VERSION_COMPATIBLE')
    if options.dla_core is not None:
        if builder.num_DLA_cores <= options.dla_core:
            raise EngineError(
                f'expected a machine with DLA core {options.dla_core}, found '
                f'{builder.num_DLA_cores} cores; '
                'leave out --dla-core'
            )
        config.default_device_type = api.DeviceType.DLA
        config.DLA_core = options.dla_core
        wanted.append('GPU_FALLBACK')
    for name in wanted:
        config.set_flag(getattr(flag, name))
    if not options.tf32:
        config.clear_flag(flag.TF32)
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    if options.optimization_level is not None and hasattr(config, 'builder_optimization_level'):
        config.builder_optimization_level = options.optimization_level
    if options.hardware_compatibility != 'none':
        level = COMPATIBILITY[options.hardware_compatibility]
        config.hardware_compatibility_level = getattr(api.HardwareCompatibilityLevel, level)
    if options.targets:
        config.num_compute_capabilities = len(options.targets)
        for index, target in enumerate(options.targets):
            member = f'SM{target.replace(".", "")}'
            if not hasattr(api.ComputeCapability, member):
                known = ', '.join(
                    f'{name[2:-1]}.{name[-1]}'
                    for name in api.ComputeCapability.__members__
                    if name.startswith('SM')
                )
                raise EngineError(f'expected --target out of {known}, found {target}')
            config.set_compute_capability(getattr(api.ComputeCapability, member), index)


def _reason(error: tensorrt.ParserError) -> str:
    """What the parser says, with the operator that it is about where the version tells it."""
    operator = error.node_operator() if hasattr(error, 'node_operator') else ''
    text = str(error.desc())
    if text == 'false':  # the check that failed, as source code: an operator that it lacks
        text = 'not supported'
    return f'{operator}: {text}' if operator else text


def _signature(tensor: tensorrt.ITensor) -> tuple[str, str, tuple[int, ...]]:
    name, dtype = str(tensor.name), str(tensor.dtype)
    shape = tuple(int(size) for size in tensor.shape)
    return name, dtype.split('.')[-1].lower(), shape
