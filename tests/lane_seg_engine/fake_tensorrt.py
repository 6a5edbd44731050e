"""The Python API of TensorRT as its documentation lists it for a version; it builds nothing.

For what cannot be run here: which calls go to which version. Each object has what that version
documents and nothing else, so a call that does not exist there is an AttributeError, and what was
asked for is recorded. Enumerations have the documented numbers only where they matter (1 << flag).
"""

from __future__ import annotations

import enum
import json
from types import ModuleType

from lane_seg.plans.libraries import Library

PLAN, CACHE, SCALES = b'a plan', b'a timing cache', b'scales'


class FakeTensorrt(ModuleType):
    """The module of one version.

    Args:
        version: '8.5.2', '8.6.1', '10.3.0', or '11.1.0'.
        dla_cores: of the machine.
        refuses: what the parser says; '' if it takes the graph.
        fails: what the builder logs before it gives up; '' if it builds.
    """

    def __init__(
        self, version: str, *, dla_cores: int = 0, refuses: str = '', fails: str = ''
    ) -> None:
        super().__init__('tensorrt')
        self.__version__ = version
        self.numbers = tuple(int(part) for part in version.split('.'))
        self.made: dict[str, object] = {}
        self.dla_cores, self.refuses, self.fails = dla_cores, refuses, fails
        major, minor = self.numbers[:2]
        flags = ['DEBUG', 'GPU_FALLBACK', 'REFIT', 'DISABLE_TIMING_CACHE', 'TF32']
        if major <= 10:
            flags += ['INT8', 'FP16']
        if (major, minor) >= (8, 6):
            flags.append('VERSION_COMPATIBLE')
            self.HardwareCompatibilityLevel = enum.Enum(
                'HardwareCompatibilityLevel', ['NONE', 'AMPERE_PLUS']
            )
        self.BuilderFlag = enum.Enum('BuilderFlag', flags)
        creation = {} if major >= 11 else {'EXPLICIT_BATCH': 0}
        if major >= 10:
            creation['STRONGLY_TYPED'] = 1 if major < 11 else 0
        self.NetworkDefinitionCreationFlag = enum.IntEnum('CreationFlag', creation)
        self.MemoryPoolType = enum.Enum('MemoryPoolType', ['WORKSPACE', 'DLA_MANAGED_SRAM'])
        self.ProfilingVerbosity = enum.Enum('Verbosity', ['LAYER_NAMES_ONLY', 'DETAILED', 'NONE'])
        self.DeviceType = enum.Enum('DeviceType', ['GPU', 'DLA'])
        self.ILogger = _logger_class()
        self.Logger = self.ILogger
        if major >= 10:
            self.IProgressMonitor = type('IProgressMonitor', (), {'__init__': lambda self: None})
        if major <= 10:
            self.IInt8EntropyCalibrator2 = type(
                'IInt8EntropyCalibrator2', (), {'__init__': lambda self: None}
            )
        self.LayerInformationFormat = enum.Enum('LayerInformationFormat', ['ONELINE', 'JSON'])
        self.Runtime = lambda logger: _Runtime()
        self.Builder = lambda logger: _Builder(self, logger)
        self.OnnxParser = lambda network, logger: _Parser(self, logger)


def library_of(api: FakeTensorrt) -> Library:
    return Library('tensorrt', api.__version__, api)


def _logger_class() -> type:
    class ILogger:
        Severity = enum.IntEnum(
            'Severity', {'INTERNAL_ERROR': 0, 'ERROR': 1, 'WARNING': 2, 'INFO': 3, 'VERBOSE': 4}
        )
        ERROR = Severity.ERROR

        def __init__(self, severity: object = None) -> None:
            pass

    return ILogger


class _Builder:
    def __init__(self, api: FakeTensorrt, logger: object) -> None:
        self.api, self.logger = api, logger
        self.num_DLA_cores = api.dla_cores

    def create_network(self, flags: int = 0) -> _Network:
        self.api.made['network flags'] = flags
        return _Network()

    def create_builder_config(self) -> _Config:
        self.api.made['config'] = config = _Config(self.api)
        self.api.made['builds'] = int(self.api.made.get('builds', 0)) + 1
        return config

    def build_serialized_network(self, network: _Network, config: _Config) -> bytes | None:
        severity = self.api.ILogger.Severity
        self.logger.log(severity.WARNING, 'a warning')
        self.logger.log(severity.WARNING, 'a warning')
        self.logger.log(severity.INFO, 'a remark')
        monitor = getattr(config, 'progress_monitor', None)
        if monitor is not None:
            monitor.phase_start('all', None, 2)
            monitor.phase_start('half', 'all', 4)
            for step in range(4):
                if not monitor.step_complete('half', step):
                    return None
            monitor.phase_finish('half')
            monitor.step_complete('all', 0)
            monitor.phase_finish('all')
        calibrator = getattr(config, 'int8_calibrator', None)
        if isinstance(calibrator, getattr(self.api, 'IInt8EntropyCalibrator2', ())):
            cache = calibrator.read_calibration_cache()
            while cache is None and calibrator.get_batch(['image']) is not None:
                pass
            if cache is None:
                calibrator.write_calibration_cache(memoryview(SCALES))
        if self.api.fails:
            self.logger.log(severity.ERROR, self.api.fails)
            return None
        return PLAN


class _Runtime:
    def deserialize_cuda_engine(self, plan: bytes) -> _Engine | None:
        return _Engine() if plan == PLAN else None


class _Engine:
    def create_engine_inspector(self) -> _Inspector:
        return _Inspector()


class _Inspector:
    def get_engine_information(self, layer_format: enum.Enum) -> str:
        rows = [
            {'Name': name, 'ParameterType': 'Convolution', 'Weights': {'Type': kind, 'Count': 8}}
            for name, kind in (('stem', 'Int8'), ('head', 'Float'))
        ]
        return json.dumps({'Layers': rows})


class _Network:
    num_inputs = num_outputs = 1
    num_layers = 7

    def get_input(self, index: int) -> _Tensor:
        return _Tensor('image', (1, 16, 32, 3))

    def get_output(self, index: int) -> _Tensor:
        return _Tensor('mask', (1, 16, 32))


class _Tensor:
    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape, self.dtype = name, shape, 'DataType.UINT8'


class _Parser:
    def __init__(self, api: FakeTensorrt, logger: object) -> None:
        self.refuses = api.refuses
        self.num_errors = int(bool(api.refuses))

    def parse(self, graph: bytes) -> bool:
        return not self.refuses

    def get_error(self, index: int) -> _ParserError:
        return _ParserError(self.refuses)


class _ParserError:
    def __init__(self, text: str) -> None:
        self.text = text

    def desc(self) -> str:
        return self.text


class _Config:
    """Only what the version has may be set."""

    def __init__(self, api: FakeTensorrt) -> None:
        known = {'profiling_verbosity', 'default_device_type', 'DLA_core'}
        if api.numbers >= (8, 6):
            known |= {'builder_optimization_level', 'hardware_compatibility_level'}
        if api.numbers >= (10,):
            known.add('progress_monitor')
        if api.numbers < (11,):
            known.add('int8_calibrator')
        own = {'known': known, 'flags': set(), 'pools': {}, 'caches': [], 'cache': None}
        self.__dict__.update(own)
        self.__dict__.update(dict.fromkeys(known))
        self.__dict__['flags'] = {api.BuilderFlag.TF32}

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.known:
            raise AttributeError(name)
        self.__dict__[name] = value

    def set_flag(self, flag: enum.Enum) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: enum.Enum) -> None:
        self.flags.discard(flag)

    def set_memory_pool_limit(self, pool: enum.Enum, size: int) -> None:
        self.pools[pool.name] = size

    def create_timing_cache(self, data: bytes) -> bytes:
        self.caches.append(data)
        return data

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
        if cache not in (b'', CACHE) and not ignore_mismatch:
            return False
        self.__dict__['cache'] = cache
        return True

    def get_timing_cache(self) -> _Cache:
        return _Cache()


class _Cache:
    def serialize(self) -> bytes:
        return CACHE
