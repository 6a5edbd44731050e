"""Who takes part: each model in each engine that can run it here."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError, LaneSegError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lane_seg.bundle import ModelBundle

__all__ = ['ENGINES', 'TENSORRT', 'TORCH', 'Contender', 'Field', 'find_contenders']

TORCH, TENSORRT = 'torch', 'tensorrt'
ENGINES = (TORCH, 'onnxruntime', 'openvino', TENSORRT)
INT8 = 'int8'
# In the label of a plan in int8 of a float file, or the other way round.
OF_ANOTHER = ' of '


@dataclass(frozen=True)
class Contender:
    """One model in one engine.

    Attributes:
        label: engine and precision, such as 'openvino int8'.
        engine: one of ENGINES.
        precision: that the file was made in: 'int8', 'fp16' or 'fp32'.
        model: what is opened: checkpoint, folder of the bundle, or a plan in that folder.
        file: what has to be on the machine that runs it: graph, plan or checkpoint.
        bundle: that it comes from; None of a checkpoint.
    """

    label: str
    engine: str
    precision: str
    model: str
    file: Path
    bundle: ModelBundle | None = None

    @property
    def is_int8(self) -> bool:
        """Whether it is quantized."""
        return self.precision == INT8


@dataclass(frozen=True)
class Field:
    """All that take part.

    Attributes:
        contenders: float before int8 within each engine, the reference of agreement first.
        skipped: {engine, or engine with precision: why it takes no part}.
    """

    contenders: tuple[Contender, ...]
    skipped: dict[str, str]

    @property
    def reference(self) -> Contender:
        """What the others have to agree with: PyTorch in float, else the first float one."""
        return next(one for one in self.contenders if not one.is_int8)


def find_contenders(
    int8: ModelBundle,
    floating: ModelBundle | None,
    checkpoints: Sequence[Path],
    engines: Sequence[str] = (),
) -> Field:
    """Find out who can take part.

    Args:
        int8: the quantized model.
        floating: the same network in float.
        checkpoints: of the same network, one in float, one quantized, or none.
        engines: out of ENGINES; none: all that can run, the others are skipped with the reason.

    Raises:
        LaneSegError: an engine that was named cannot run, the models are not of one network, or
            there is nothing to compare.
    """
    if int8.precision != INT8:
        raise LaneSegError(
            f'--int8: expected an int8 bundle, found {int8.precision} in {int8.directory}; '
            '`lane-seg quantize` and `lane-seg export` make one'
        )
    if floating is not None:
        _check_same(int8, floating.directory, floating)
        if floating.precision == INT8:
            raise LaneSegError(
                f'--float: expected a bundle in float, found int8 in {floating.directory}; '
                '`lane-seg export` of a checkpoint in float makes one'
            )
    bundles = [bundle for bundle in (floating, int8) if bundle is not None]
    contenders: list[Contender] = []
    skipped: dict[str, str] = {}
    for engine in dict.fromkeys(engines or ENGINES):
        reasons: dict[str, str] = {}
        if engine == TORCH:
            found = _of_torch(int8, checkpoints)
            if not found:
                reasons[engine] = 'expected a checkpoint to run, found none; give --checkpoint'
        else:
            found = []
            for bundle in bundles:
                try:
                    found += _of_plans(bundle) if engine == TENSORRT else [_of(engine, bundle)]
                except EngineError as error:
                    reasons[f'{engine} {bundle.precision}'] = str(error)
            found.sort(key=lambda one: (one.is_int8, OF_ANOTHER in one.label))
        if reasons and engines:
            raise EngineError('\n'.join(f'{name}: {why}' for name, why in reasons.items()))
        contenders += found
        if not found and len(set(reasons.values())) == 1:
            reasons = {engine: next(iter(reasons.values()))}
        skipped |= reasons
    for kind, of_kind in (('int8', True), ('float', False)):
        if not any(one.is_int8 == of_kind for one in contenders):
            raise LaneSegError(
                f'expected at least one {kind} model that can run, found none among: '
                f'{", ".join(one.label for one in contenders) or "nothing"}; name models with '
                '--float and --checkpoint, and engines that run them'
            )
    return Field(tuple(contenders), skipped)


def _of_torch(int8: ModelBundle, checkpoints: Sequence[Path]) -> list[Contender]:
    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.checkpoint_engine import CheckpointModel

    found: dict[str, Contender] = {}
    for path in checkpoints:
        model = CheckpointModel.of(Checkpoint.load(path))
        _check_same(int8, path, model)
        precision = model.precision
        if precision in found:
            raise LaneSegError(
                f'--checkpoint: expected one in float and one quantized, found two of {precision}'
            )
        label = f'{TORCH} {precision}'
        found[precision] = Contender(label, TORCH, precision, str(path), path)
    return sorted(found.values(), key=lambda one: one.is_int8)


def _of(engine: str, bundle: ModelBundle) -> Contender:
    if importlib.util.find_spec(engine) is None:
        raise EngineError(
            f'expected the Python package {engine}, found none; install it: '
            f'python3 -m pip install {engine}'
        )
    return Contender(
        label=f'{engine} {bundle.precision}',
        engine=engine,
        precision=bundle.precision,
        model=str(bundle.directory),
        file=bundle.onnx_path,
        bundle=bundle,
    )


def _of_plans(bundle: ModelBundle) -> list[Contender]:
    """Every plan of a bundle that runs here, the newest one of each precision.

    Raises:
        EngineError: there is none.
    """
    from lane_seg.engines.tensorrt import plan_for_this_machine
    from lane_seg.plans.options import PRECISIONS

    plan_for_this_machine(bundle)
    found = []
    for precision in reversed(PRECISIONS):  # fp32 first: it may become the reference
        try:
            _, plan = plan_for_this_machine(bundle, precision)
        except EngineError:  # that one was not built; nobody has to
            continue
        label = f'{TENSORRT} {precision}'
        if (precision == INT8) != (bundle.precision == INT8):
            label += f'{OF_ANOTHER}{bundle.precision} file'
        found.append(Contender(label, TENSORRT, precision, str(plan), plan, bundle))
    return found


def _check_same(int8: ModelBundle, place: object, other: object) -> None:
    """Refuse what has other classes or another size: it is not the same network."""

    def facts(model: object) -> str:
        names = ', '.join(info.name for info in model.classes)  # type: ignore[attr-defined]
        return f'{model.width}x{model.height} with classes {names}'  # type: ignore[attr-defined]

    if facts(int8) != facts(other):
        raise LaneSegError(
            f'{place}: expected the same network as {int8.directory}, {facts(int8)}, found '
            f'{facts(other)}; compare a model with its own float original'
        )
