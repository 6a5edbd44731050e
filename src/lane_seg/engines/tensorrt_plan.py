"""A plan on the GPU: read back, compared with the bundle, ready to be run.

Every call here exists in TensorRT 8.5 already and still in 11 (the Python bindings in NVIDIA's
repository, python/src/infer/pyCore.cpp at 8.5.1, 8.5.3, 8.6.1, 10.3.0 and its state of November
2026), so the older API of bindings by number, which ended with TensorRT 10, is not needed. What
only some versions have is set where it is there. TensorRT-RTX was compared with its package
1.7.1.116 itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lane_seg.confidence import CONFIDENCE_NAME
from lane_seg.errors import EngineError
from lane_seg.files import atomic_path
from lane_seg.plans.key import build_command, read_record
from lane_seg.plans.messages import messages_of

if TYPE_CHECKING:
    from pathlib import Path

    import tensorrt

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.libraries import Library

__all__ = ['CACHE_SUFFIX', 'TensorRtPlan']

CACHE_SUFFIX = '.cache'
_MASK = 'mask'

_log = logging.getLogger(__name__)


class TensorRtPlan:
    """Runtime, engine and execution context of a plan.

    Use it where the GPU's context is current.

    Args:
        path: the plan, from `find_plan`.
        bundle: the model that it was built from.
        library: that is to run it.

    Attributes:
        input: name of the image tensor.
        outputs: names of the output tensors, the mask first; each of them is uint8 (1, height,
            width).
        has_own_graph: the library itself records and launches a CUDA graph (TensorRT-RTX).

    Raises:
        EngineError: plan or library do not work, or their tensors are not the bundle's.
    """

    def __init__(self, path: Path, bundle: ModelBundle, library: Library) -> None:
        record = read_record(path)
        self._library = library
        self._log = messages_of(library)
        self._log.clear()
        self._name = f'{library.flavour} {library.version}'
        self._mend = f'build it again: {build_command(record.key, str(bundle.directory))} --force'
        self._cache: tensorrt.IRuntimeCache = None
        self._cache_path = path.with_name(path.name + CACHE_SUFFIX)
        self._cached = b''
        self.has_own_graph = False
        self._runtime: tensorrt.Runtime = None
        self._engine: tensorrt.ICudaEngine = None
        self._context: tensorrt.IExecutionContext = None
        try:
            self._read_plan(path, record.key.options)
            self.input, self.outputs = self._tensors(path, bundle)
            self._make_context()
        except BaseException:
            self.close()
            raise

    def set_address(self, name: str, address: int) -> None:
        """Say where on the GPU a tensor lies."""
        if not self._context.set_tensor_address(name, address):
            raise self._failed(f'to take the address of {name}', 'a refusal', self._mend)

    def enqueue(self, stream: int) -> None:
        """Queue one inference on a stream, by its handle."""
        if not self._context.execute_async_v3(stream):
            raise self._failed('to queue an inference', 'a refusal', 'start this process again')

    def save_cache(self) -> None:
        """Keep the code that TensorRT-RTX has made for this GPU, for a quicker start next time.

        A folder that cannot be written is no error: the code is then made anew at each start.
        """
        if self._cache is None:
            return
        memory = self._cache.serialize()
        data = b'' if memory is None else bytes(memory)
        if not data or data == self._cached:
            return
        try:
            with atomic_path(self._cache_path) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            _log.info('%s is not kept: %s', self._cache_path, error)
        self._cached = data

    def close(self) -> None:
        """Free the context, then the engine, then the runtime."""
        # Each is freed by its last reference.
        self._context = self._cache = None
        self._engine = None
        self._runtime = None

    # No local variable holds engine or runtime: the traceback of an error would keep it alive.

    def _read_plan(self, path: Path, options: dict[str, object]) -> None:
        try:
            self._runtime = self._library.api.Runtime(self._log.logger)
        except TypeError as error:  # what a constructor that gives nothing looks like from Python
            raise self._failed(
                'a runtime', str(error),
                'see with `nvidia-smi` whether the driver works and is new enough for it',
            ) from error  # fmt: skip
        if options.get('version_compatible'):
            # Such plans carry code of the version that built them; the hash says they are ours.
            self._runtime.engine_host_code_allowed = True
        if options.get('dla_core') is not None:
            self._runtime.DLA_core = options['dla_core']
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            do = f'where that names the driver, update it, else {self._mend}'
            raise self._failed(f'to read {path} back', 'nothing', do)

    def _make_context(self) -> None:
        if self._library.flavour == 'rtx':
            self._context = self._make_compiling_context()
        else:
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise self._failed(
                'an execution context', 'none, as when GPU memory is short',
                'see with `nvidia-smi` (on a Jetson: `tegrastats`) what else uses the memory, or '
                f'{self._mend} --workspace MIB',
            )  # fmt: skip

    def _make_compiling_context(self) -> tensorrt.IExecutionContext:
        """Make the context of TensorRT-RTX, which compiles now, for this GPU.

        NVIDIA's sample apiUsage and the library's own help: a runtime cache keeps what was
        compiled, and `deserialize` refuses one of another GPU, driver or version. Recording a
        stream oneself needs plans that were built for that (release notes of 1.2,
        kREQUIRE_USER_ALLOCATION); the library's own recording does not.
        """
        config = self._engine.create_runtime_config()
        strategies = getattr(self._library.api, 'CudaGraphStrategy', None)  # from 1.2 on
        if strategies is not None:
            config.cuda_graph_strategy = strategies.WHOLE_GRAPH_CAPTURE
            self.has_own_graph = True
        self._cache = config.create_runtime_cache()
        self._read_cache()
        config.set_runtime_cache(self._cache)
        return self._engine.create_execution_context(config)

    def _read_cache(self) -> None:
        assert self._cache is not None  # just made
        try:
            data = self._cache_path.read_bytes()
        except OSError:
            return  # there is none yet
        if self._cache.deserialize(data):
            self._cached = data
        else:
            _log.info('%s is of another GPU or driver: it is made anew', self._cache_path)

    def _tensors(self, path: Path, bundle: ModelBundle) -> tuple[str, tuple[str, ...]]:
        """Compare the plan's tensors with the bundle's contract; returns their names."""
        names = [
            self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)
        ]
        found = {name: self._signature(name) for name in names}
        inputs = [name for name in names if found[name][0] == 'INPUT']
        outputs = [name for name in names if found[name][0] == 'OUTPUT']
        frame = (1, bundle.height, bundle.width)
        as_linear_bytes = ('UINT8', 'DEVICE', 'LINEAR')
        wanted = dict.fromkeys(inputs, ('INPUT', (*frame, 3), *as_linear_bytes))
        wanted |= dict.fromkeys(outputs, ('OUTPUT', frame, *as_linear_bytes))
        if len(inputs) != 1 or not outputs or found != wanted:
            raise EngineError(
                f'{path}: expected one input {(*frame, 3)} and outputs {frame}, all '
                f'{" ".join(as_linear_bytes)}, found {found}; {self._mend}'
            )
        if bundle.confidence and CONFIDENCE_NAME not in outputs:
            raise EngineError(
                f'{path}: expected the output {CONFIDENCE_NAME}, which model.yaml names, found '
                f'{outputs}; {self._mend}'
            )
        # The order of tensors is the library's; the mask is called that in every bundle.
        outputs.sort(key=lambda name: name != _MASK)
        return inputs[0], tuple(outputs)

    def _signature(self, name: str) -> tuple[str, tuple[int, ...], str, str, str]:
        return (
            self._engine.get_tensor_mode(name).name,
            tuple(self._engine.get_tensor_shape(name)),
            self._engine.get_tensor_dtype(name).name,
            self._engine.get_tensor_location(name).name,
            self._engine.get_tensor_format(name).name,
        )

    def _failed(self, expected: str, found: str, do: str) -> EngineError:
        return EngineError(
            f'{self._name}: expected {expected}, found: {self._log.errors() or found}; {do}'
        )
