"""Time each layer of a contender, with the settings of its engine and the profiler on.

Profiling costs time itself, so it never runs in the process that is timed.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lane_seg.bundle import ModelBundle
from lane_seg.engines.graph import cpu_graph
from lane_seg.errors import EngineError
from lane_seg_train.compare.layers import Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

__all__ = ['PROFILED', 'profiled']

# Engines that tell their layers.
PROFILED = ('torch', 'onnxruntime', 'openvino')

# What OpenVINO says of each layer of its executed graph.
_INFO = ('layerType', 'runtimePrecision', 'originalLayersNames')
# Types as OpenVINO calls them -> as we do; others stay.
_OPENVINO_TYPES = {'i8': 's8'}
_ONNX_TYPES = {
    'uint8': 'u8', 'int8': 's8', 'float': 'f32', 'float16': 'f16', 'bfloat16': 'bf16',
}  # fmt: skip
# ONNX Runtime appends these to the names of nodes that it has moved to another layout.
_MOVED = re.compile(r'(_nchwc)?(_token_\d+)?_kernel_time$')


def profiled(
    engine: str,
    model: str,
    threads: int,
    tensor: NDArray[np.uint8],
    *,
    frames: int,
    before: int,
) -> list[Layer]:
    """Run a model with its profiler on.

    Args:
        engine: one of PROFILED.
        model: checkpoint, or folder of a bundle.
        threads: CPU threads.
        tensor: (height, width, 3) uint8 BGR.
        frames: number of frames that count; the time of a layer is its median.
        before: number of frames that do not count.

    Returns:
        Layers that were executed, in their order.

    Raises:
        LaneSegError: the engine tells no layers, or the model cannot be opened.
    """
    if engine == 'torch':
        return _torch_layers(model, threads, tensor, frames, before)
    if engine not in PROFILED:
        raise EngineError(f'expected an engine out of {", ".join(PROFILED)}, found {engine}')
    bundle = ModelBundle.load(model)
    profile = _openvino_layers if engine == 'openvino' else _onnxruntime_layers
    return profile(bundle, threads, tensor, frames, before)


def _openvino_layers(
    bundle: ModelBundle, threads: int, tensor: NDArray[np.uint8], frames: int, before: int
) -> list[Layer]:
    from lane_seg.engines.openvino import compile_settings
    from lane_seg.engines.openvino_library import load_openvino

    openvino = load_openvino()
    core = openvino.Core()
    settings = {**compile_settings(threads), 'PERF_COUNT': True}
    compiled = core.compile_model(core.read_model(model=cpu_graph(bundle)), 'CPU', settings)
    request = compiled.create_infer_request()
    times_ms: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(-before, frames):
        request.infer([tensor[None]])
        for item in request.get_profiling_info() if number >= 0 else ():
            if item.status == openvino.ProfilingInfo.Status.EXECUTED:
                times_ms[item.node_name].append(item.real_time.total_seconds() * 1e3)
    layers = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        name = node.get_friendly_name()
        if name not in times_ms:
            continue
        info = {key: node.get_rt_info()[key].astype(str) for key in _INFO}
        precision = info['runtimePrecision']
        sources = info['originalLayersNames'].split(',')
        layers.append(
            Layer(
                name=name,
                kind=info['layerType'],
                precision=_OPENVINO_TYPES.get(precision, precision),
                ms=_middle(times_ms[name]),
                operators=tuple(source for source in sources if source),
            )
        )
    return layers


def _onnxruntime_layers(
    bundle: ModelBundle, threads: int, tensor: NDArray[np.uint8], frames: int, before: int
) -> list[Layer]:
    import onnxruntime

    from lane_seg.engines.onnxruntime import session_options

    options = session_options(threads)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / 'profile')
        session = onnxruntime.InferenceSession(
            cpu_graph(bundle), options, providers=['CPUExecutionProvider']
        )
        name = session.get_inputs()[0].name
        for _ in range(before + frames):
            session.run(None, {name: tensor[None]})
        path = Path(session.end_profiling())
        events: list[dict[str, Any]] = json.loads(path.read_text(encoding='utf-8'))
    return _layers_of_events(events, before)


def _layers_of_events(events: list[dict[str, Any]], before: int) -> list[Layer]:
    """Layers out of the trace that ONNX Runtime writes: one event for each node and frame."""
    nodes: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.get('cat') == 'Node' and event['name'].endswith('_kernel_time'):
            nodes.setdefault(event['name'], []).append(event)
    layers = []
    for name, found in nodes.items():
        arguments = found[0]['args']
        inputs = [kind for item in arguments.get('input_type_shape', ()) for kind in item]
        precision = inputs[0] if inputs else ''
        plain = _MOVED.sub('', name)
        layers.append(
            Layer(
                name=plain,
                kind=arguments['op_name'],
                precision=_ONNX_TYPES.get(precision, precision),
                ms=_middle([event['dur'] / 1e3 for event in found[before:]]),
                operators=(plain,),
            )
        )
    return layers


def _torch_layers(
    model: str, threads: int, tensor: NDArray[np.uint8], frames: int, before: int
) -> list[Layer]:
    """Time the modules that have no modules of their own, and what is left between them."""
    import torch

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.onnx_from_checkpoint import DeployedNet

    torch.set_num_threads(threads)
    checkpoint = Checkpoint.load(model)
    net = DeployedNet(checkpoint.net, len(checkpoint.classes)).eval()
    leaves = {name: one for name, one in net.named_modules() if not list(one.children())}
    times_ms: dict[str, list[float]] = {}
    for name, module in leaves.items():
        _time_module(module, times_ms.setdefault(name, []))
    image = torch.from_numpy(np.ascontiguousarray(tensor))[None]
    rest_ms: list[float] = []
    with torch.inference_mode():
        for _ in range(before + frames):
            for values in times_ms.values():
                values.append(0.0)
            start_s = time.perf_counter()
            net(image)
            passed_ms = (time.perf_counter() - start_s) * 1e3
            rest_ms.append(passed_ms - sum(values[-1] for values in times_ms.values()))
    layers = [
        Layer(name, type(leaves[name]).__name__, 'f32', _middle(values[before:]))
        for name, values in times_ms.items()
        if any(values)
    ]
    return [*layers, Layer('between the modules', 'functions', 'f32', _middle(rest_ms[before:]))]


def _time_module(module: nn.Module, times_ms: list[float]) -> None:
    """Add the time of each call of a module to the last entry."""
    start_s = [0.0]

    def begin(_module: nn.Module, _inputs: object) -> None:
        start_s[0] = time.perf_counter()

    def end(_module: nn.Module, _inputs: object, _output: object) -> None:
        times_ms[-1] += (time.perf_counter() - start_s[0]) * 1e3

    module.register_forward_pre_hook(begin)
    module.register_forward_hook(end)


def _middle(times_ms: list[float]) -> float:
    """The median: a frame that something else disturbed does not count."""
    return float(np.median(times_ms))
