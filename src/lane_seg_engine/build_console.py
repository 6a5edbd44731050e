"""What `lane-seg build-engine` shows: the graph, the build's progress, the engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lane_seg_engine.plan_layers import CONVOLUTIONS, precisions_of_convolutions

if TYPE_CHECKING:
    import onnx
    from rich.console import Console
    from typing_extensions import Self

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.gpu import Gpu
    from lane_seg.plans.libraries import Library
    from lane_seg_engine.engine_from_onnx import EngineFile
    from lane_seg_engine.prepare import PreparedGraph

__all__ = ['BuildBar', 'report_engine', 'report_graph', 'report_rules']

_LINE_EVERY_S = 10.0
_MIB = 1 << 20


def report_rules(
    console: Console, bundle: ModelBundle, model: onnx.ModelProto, precision: str, missing: str
) -> None:
    """What --dry-run can say without any library: whether the graph keeps the rules."""
    from lane_seg_engine.graph_rules import convolutions, require_legal

    require_legal(model, name=str(bundle.onnx_path))
    rows = convolutions(model)
    count = sum(row.int8 for row in rows)
    console.print(f'model        {bundle.name} {bundle.version}, {precision}')
    console.print(f'graph        keeps the rules; {count} of {len(rows)} convolutions in int8')
    console.print(f'parser       not run: {missing}')


def report_graph(
    console: Console,
    bundle: ModelBundle,
    graph: PreparedGraph,
    precision: str,
    library: Library,
    gpu: Gpu | None,
) -> None:
    """Say what is to be built, of what, with what."""
    name = 'TensorRT-RTX' if library.flavour == 'rtx' else 'TensorRT'
    where = 'no GPU here' if gpu is None else f'{gpu.name} ({gpu.compute_capability})'
    count = sum(row.int8 for row in graph.convolutions)
    console.print(
        f'model        {bundle.name} {bundle.version}, {bundle.width}x{bundle.height}, '
        f'{bundle.onnx_path}\n'
        f'library      {name} {library.version}, {where}\n'
        f'precision    {precision}\n'
        f'graph        keeps the rules; {count} of {len(graph.convolutions)} convolutions ask '
        'for int8',
    )
    for note in graph.notes:
        console.print(f'             {note}')
    if precision == 'int8':
        for row in graph.convolutions:
            if count and not row.int8:
                console.print(f'in float     {row.node}: {row.reason}')


def report_engine(console: Console, engine: EngineFile) -> None:
    """Say what was built: convolutions that did not become int8 are named."""
    if not engine.is_new:
        console.print(f'plan         {engine.path} is there already; --force builds it again')
        return
    record = engine.record
    warnings = record.built['warnings']
    for warning in warnings if isinstance(warnings, list) else []:
        console.print(f'warning      {warning}')
    counts = precisions_of_convolutions(engine.layers)
    if counts:
        text = ', '.join(f'{count} in {name}' for name, count in sorted(counts.items()))
        console.print(f'convolutions {text}')
    if record.key.precision == 'int8':
        for layer in engine.layers:
            if layer.kind in CONVOLUTIONS and layer.precision != 'int8':
                console.print(f'not int8     {layer.name}: {layer.precision}')
    console.print(
        f'plan         {engine.path}, {record.plan_bytes / _MIB:.1f} MiB, built in '
        f'{record.built["seconds"]} s'
    )


class BuildBar:
    """A bar on stderr in a terminal, else a line now and then. The library's threads report."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._bar = Progress(
            # Phases are named after tensors, whose names may hold what rich takes for markup.
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            TextColumn('{task.percentage:>3.0f} %'),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task('building', total=1.0)
        self._bar.start()
        self._last_line_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, part: float, phase: str) -> None:
        """Show how much is done (0..1), and which phase is running."""
        self._bar.update(self._task, completed=part, description=phase)
        if self._bar.disable and time.monotonic() - self._last_line_s >= _LINE_EVERY_S:
            self._last_line_s = time.monotonic()
            self._console.print(f'{part:4.0%} {phase}', markup=False, highlight=False)
