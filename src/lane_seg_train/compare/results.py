"""What was measured, as rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lane_seg_train.comparison.results import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg.machine import MachineInfo
    from lane_seg_train.compare.executed import FloatLayer
    from lane_seg_train.compare.layers import Layer

__all__ = ['Check', 'Comparison', 'Row', 'cells_of', 'known_columns', 'ms_text']


@dataclass(frozen=True)
class Check:
    """One figure against its limit.

    Attributes:
        what: is looked at.
        found: its value, in words.
        wanted: its limit, in words; '' if there is none.
        holds: whether it is within; None if there is no limit.
    """

    what: str
    found: str
    wanted: str = ''
    holds: bool | None = None


@dataclass(frozen=True)
class Row:
    """One contender; what could not be measured is NaN.

    Attributes:
        label: engine and precision, such as 'openvino int8'.
        engine: that really ran.
        version: of its library.
        precision: of the file.
        source: the file that has to be on the machine that runs it.
        file_mb: its size, 1e6 bytes.
        threads: CPU threads that the engine says it uses.
        executed: in what precision its convolutions ran, in words; '' if the engine does not
            tell.
        convolutions: that were executed.
        int8_convolutions: of these, in 8 bits.
        other_types: precisions of the others, such as ('f32',).
        missing: convolutions that the file has in int8 and that ran in float.
        excluded: convolutions that the file leaves in float, or that this engine cannot run in
            int8 as the file has them.
        float_share: share of the layers' time in float, 0..1.
        open_ms: time of loading the model.
        p50_ms: median time of a frame.
        p95_ms: its 95th percentile.
        p99_ms: its 99th percentile.
        max_ms: the longest.
        frames_per_s: one after the other.
        frames: number of frames that were timed.
        peak_mb: most memory that its process held, 1e6 bytes, on the CPU.
        library_mb: memory before the model was loaded, its libraries included.
        model_mb: the difference of the two.
        agreement: share of pixels like the reference's, 0..1.
        parity: share of pixels like those of int8 imitated in PyTorch, 0..1.
        lane_iou: IoU that the recipe monitors, 0..1.
        miou: mean over the sets of their mean IoU, 0..1.
        by_set: {set: {'miou' or name of a label set: IoU 0..1}}.
        error: why it dropped out; '' if it did not.
    """

    label: str
    engine: str
    precision: str
    source: str
    version: str = ''
    file_mb: float = math.nan
    threads: int = 0
    executed: str = ''
    convolutions: int = 0
    int8_convolutions: int = 0
    other_types: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    float_share: float = math.nan
    open_ms: float = math.nan
    p50_ms: float = math.nan
    p95_ms: float = math.nan
    p99_ms: float = math.nan
    max_ms: float = math.nan
    frames_per_s: float = math.nan
    frames: int = 0
    peak_mb: float = math.nan
    library_mb: float = math.nan
    model_mb: float = math.nan
    agreement: float = math.nan
    parity: float = math.nan
    lane_iou: float = math.nan
    miou: float = math.nan
    by_set: dict[str, dict[str, float]] = field(default_factory=dict)
    error: str = ''

    @property
    def is_int8(self) -> bool:
        """Whether it is quantized."""
        return self.precision == 'int8'

    @property
    def ran(self) -> str:
        """What really ran, in words."""
        if self.error:
            return 'dropped out'
        return f'{self.engine} {self.version}' + (f', {self.executed}' if self.executed else '')


@dataclass(frozen=True)
class Comparison:
    """All of it.

    Attributes:
        name: of the int8 model.
        rows: in the order of the contenders.
        reference: label of whom the others are compared with.
        shown: label of the int8 contender whose masks stand beside those of the reference.
        skipped: {engine: why it took no part}.
        lane_score: what `lane_iou` is, as '<set>/<class>'; '' without labels.
        images: {set: number of images} that the masks were compared on.
        checks: what was asked for, and whether it holds.
        layers: {label: layers that were executed}.
        float_layers: {label: what the int8 file leaves in float}.
        settings: {what: value} in words.
        machine: on which this ran; its load is that of the start.
        time: UTC, ISO 8601.
    """

    name: str
    rows: tuple[Row, ...]
    reference: str
    shown: str
    skipped: dict[str, str]
    lane_score: str
    images: dict[str, int]
    checks: tuple[Check, ...]
    layers: dict[str, list[Layer]]
    float_layers: dict[str, list[FloatLayer]]
    settings: dict[str, str]
    machine: MachineInfo
    time: str


COLUMNS = (
    Column('file_mb', 'file MB', '', best='low'),
    Column('p50_ms', 'p50 ms', '', best='low'),
    Column('p95_ms', 'p95 ms', '', best='low'),
    Column('p99_ms', 'p99 ms', '', best='low'),
    Column('frames_per_s', 'frames/s', '', best='high'),
    Column('peak_mb', 'peak MB', '.0f', best='low'),
    Column('model_mb', 'model MB', '.0f', best='low'),
    Column('lane_iou', 'lane IoU %', '.2f', scale=100.0, best='high'),
    Column('miou', 'mIoU %', '.2f', scale=100.0, best='high'),
    Column('agreement', 'agreement %', '.2f', scale=100.0),
    Column('parity', 'like torch int8 %', '.3f', scale=100.0),
    Column('float_share', 'float time %', '.0f', scale=100.0),
)


def known_columns(rows: Sequence[Row]) -> list[Column]:
    """Columns that at least one row has a value for."""
    return [
        column
        for column in COLUMNS
        if any(math.isfinite(getattr(row, column.key)) for row in rows)
    ]


def cells_of(row: Row, columns: Sequence[Column]) -> list[str]:
    """What stands in the columns; nothing of a contender that dropped out."""
    if row.error:
        return [''] * len(columns)
    # A column reads any row that has what its key names.
    return [column.text(row) for column in columns]  # type: ignore[arg-type]


def ms_text(value_ms: float) -> str:
    """A time for the eye: three digits that matter, and no exponent."""
    digits = 0 if value_ms >= 100 else 1 if value_ms >= 10 else 2
    return f'{value_ms:.{digits}f} ms'
