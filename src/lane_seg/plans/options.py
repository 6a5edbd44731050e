"""How a plan is to be built, and which options go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from lane_seg.plans.libraries import Library

__all__ = ['COMPATIBILITY', 'FLOAT_TYPES', 'PRECISIONS', 'BuildOptions', 'check_options']

PRECISIONS = ('int8', 'fp16', 'fp32')
FLOAT_TYPES = ('fp32', 'fp16')
# Name here -> member of HardwareCompatibilityLevel.
COMPATIBILITY = {
    'none': 'NONE',
    'ampere+': 'AMPERE_PLUS',
    'same_capability': 'SAME_COMPUTE_CAPABILITY',
}


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build.

    Attributes:
        float_type: type of what is not int8 in an int8 engine.
        tf32: fp32 may be computed with TF32's 10 bits of mantissa.
        workspace_mib: limit of scratch memory in MiB; None: the library's own.
        optimization_level: 0 (fast build) to 5 (fast engine); None: the library's own.
        dla_core: build for this core of the deep-learning accelerator (Jetson); None: GPU.
        version_compatible: later versions of TensorRT may run the plan.
        hardware_compatibility: on which other GPUs it may run: one of COMPATIBILITY.
        targets: compute capabilities that it is built for, such as '8.6' (TensorRT-RTX).
        calibration: sha256 over the calibration images; None: scales stand in the graph.
    """

    float_type: str = 'fp32'
    tf32: bool = False
    workspace_mib: int | None = None
    optimization_level: int | None = None
    dla_core: int | None = None
    version_compatible: bool = False
    hardware_compatibility: str = 'none'
    targets: tuple[str, ...] = ()
    calibration: str | None = None

    def for_key(self) -> dict[str, object]:
        """Return the options as a plan's key holds them."""
        values: dict[str, object] = dict(vars(self))
        values['targets'] = list(self.targets)
        return values


def check_options(
    options: BuildOptions, library: Library, precision: str, *, quantized: bool
) -> None:
    """Refuse what the library cannot do, or what would be built in vain.

    Args:
        options: all of them.
        library: that is to build.
        precision: 'int8', 'fp16' or 'fp32'.
        quantized: the graph holds Q/DQ nodes.

    Raises:
        EngineError: names the options and says what to do instead.
    """
    name = f'{"TensorRT-RTX" if library.flavour == "rtx" else "TensorRT"} {library.version}'
    if precision == 'int8':
        _check_int8(options, library, name, quantized=quantized)
    elif options.calibration is not None:
        raise EngineError(
            f'expected --calibration-images with --precision int8 only, found {precision}'
        )
    elif options.float_type != 'fp32':
        raise EngineError(
            f'expected --float-type with --precision int8 only, found {precision}; it is the type '
            'of what is not int8'
        )
    if options.dla_core is not None:
        _check_dla(options, library, precision, name, quantized=quantized)
    if options.targets and library.flavour != 'rtx':
        raise EngineError(
            f'expected --target with TensorRT-RTX, found {name}, which builds for the GPU of this '
            'machine; leave it out, or use --flavour rtx'
        )
    compatible = options.hardware_compatibility
    if compatible != 'none' and library.flavour == 'rtx':
        raise EngineError(
            f'expected --hardware-compatibility with TensorRT, found {name}, whose plans run on '
            'compute capability 8.0 and later anyway; use --target for others'
        )
    levels = getattr(library.api, 'HardwareCompatibilityLevel', None)
    if compatible != 'none' and not hasattr(levels, COMPATIBILITY[compatible]):
        raise EngineError(
            f'expected a TensorRT with hardware compatibility {compatible}, found {name}; leave '
            'the option out'
        )
    if options.version_compatible and not hasattr(library.api.BuilderFlag, 'VERSION_COMPATIBLE'):
        raise EngineError(
            f'expected TensorRT 8.6 or later for --version-compatible, found {name}; leave it out'
        )


def _check_int8(options: BuildOptions, library: Library, name: str, *, quantized: bool) -> None:
    if quantized and options.calibration is not None:
        raise EngineError(
            'expected a model in float for --calibration-images, found one with its scales in '
            'the graph, which are better; leave the option out'
        )
    if not quantized and options.calibration is None:
        raise EngineError(
            'expected a quantized model for --precision int8, found one in float; quantize it '
            'with `lane-seg quantize`, or give --precision fp16'
        )
    if options.calibration is not None and not hasattr(library.api, 'IInt8EntropyCalibrator2'):
        raise EngineError(
            f'expected TensorRT 10 or earlier for --calibration-images, found {name}, which has '
            'no calibrator any more; quantize the model with `lane-seg quantize`'
        )


def _check_dla(
    options: BuildOptions, library: Library, precision: str, name: str, *, quantized: bool
) -> None:
    if library.flavour == 'rtx':
        raise EngineError(
            f'expected TensorRT on a Jetson for --dla-core, found {name}; use --flavour tensorrt'
        )
    if precision == 'fp32':
        raise EngineError(
            'expected --precision fp16 or int8 for --dla-core, found fp32, which the accelerator '
            'cannot compute'
        )
    if precision == 'int8' and quantized and library.generation <= 10:
        raise EngineError(
            f'expected a model without Q/DQ for --dla-core in int8, found one with: the '
            f'accelerator cannot take them in {name}, and every layer would run on the GPU; use '
            '--precision fp16, or a model in float with --calibration-images'
        )
