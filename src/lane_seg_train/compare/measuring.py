"""Measure all contenders: layers first, then time and memory in turn, then masks."""

from __future__ import annotations

import dataclasses
import math
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from lane_seg.machine import machine_info
from lane_seg_train.compare.accuracy import SeenFrame, run_over
from lane_seg_train.compare.executed import executed, float_layers
from lane_seg_train.compare.frames import timed_tensors
from lane_seg_train.compare.int8_graph import read_int8_graph
from lane_seg_train.compare.layers import Layer
from lane_seg_train.compare.process import Worker, WorkerError
from lane_seg_train.compare.profiling import PROFILED
from lane_seg_train.compare.results import Comparison, Row
from lane_seg_train.compare.rounds import LEAD_IN, WINDOW, time_in_turn, windows
from lane_seg_train.compare.steps import steps
from lane_seg_train.compare.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg_train.compare.accuracy import Accuracy
    from lane_seg_train.compare.contenders import Contender, Field
    from lane_seg_train.compare.executed import FloatLayer
    from lane_seg_train.compare.frames import FrameSet
    from lane_seg_train.compare.rounds import Latency
    from lane_seg_train.compare.verdict import Limits

__all__ = ['Settings', 'compare']

PROFILED_FRAMES, BEFORE_PROFILE = 20, 5


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        threads: CPU threads of every contender.
        frames: number of frames that are timed, of each.
        warmup: number of frames before these.
        monitor: score that matters most, '<set>/<class>'; '' without labels.
    """

    threads: int
    frames: int = 200
    warmup: int = 20
    monitor: str = ''


def compare(
    field: Field,
    sets: Sequence[FrameSet],
    bundle: ModelBundle,
    settings: Settings,
    limits: Limits,
    *,
    say: Callable[[str], None],
) -> tuple[Comparison, list[SeenFrame]]:
    """Measure all contenders; one that fails is noted and the others go on.

    Args:
        field: who.
        sets: images for masks, and some of them for the time.
        bundle: the int8 model.
        settings: how.
        limits: what the verdict asks for.
        say: is called with a line when something happens.

    Returns:
        The comparison, and the images as the reference and the first int8 contender saw them.
    """
    return _Session(field, sets, bundle, settings, say).run(limits)


class _Session:
    """Everything that is found out of each contender, by its label."""

    def __init__(
        self,
        field: Field,
        sets: Sequence[FrameSet],
        bundle: ModelBundle,
        settings: Settings,
        say: Callable[[str], None],
    ) -> None:
        self.field = field
        self.sets = sets
        self.bundle = bundle
        self.settings = settings
        self.say = say
        self.rows = {
            one.label: Row(
                label=one.label,
                engine=one.engine,
                precision=one.precision,
                source=str(one.file),
                file_mb=one.file.stat().st_size / 1e6,
            )
            for one in field.contenders
        }
        self.layers: dict[str, list[Layer]] = {}
        self.float_layers: dict[str, list[FloatLayer]] = {}

    def run(self, limits: Limits) -> tuple[Comparison, list[SeenFrame]]:
        tensors = timed_tensors(self.sets, self.bundle)
        with steps('layers', len(self.field.contenders)) as done:
            for contender in self.field.contenders:
                self._profile(contender, tensors[0])
                done()
        machine = machine_info()
        with ExitStack() as stack:
            workers = self._open(stack, tensors)
            for label, latency in self._time(workers).items():
                self._note(label, **dataclasses.asdict(latency))
            for label in self._labels(workers):
                self._read_memory(label, workers[label])
            found, seen = self._masks({name: workers[name] for name in self._labels(workers)})
        for label, accuracy in found.items():
            self._note_accuracy(label, accuracy)
        rows = tuple(self.rows.values())
        reference = self.field.reference.label
        return Comparison(
            name=f'{self.bundle.name} {self.bundle.version}',
            rows=rows,
            reference=reference,
            shown=self._shown(),
            skipped=self.field.skipped,
            lane_score=self.settings.monitor,
            images={frames.name: len(frames.names) for frames in self.sets},
            checks=verdict(rows, reference, limits),
            layers=self.layers,
            float_layers=self.float_layers,
            settings=_words(self.settings, reference),
            machine=machine,
            time=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        ), seen

    def _alive(self) -> Iterator[Contender]:
        return (one for one in self.field.contenders if not self.rows[one.label].error)

    def _labels(self, workers: dict[str, Worker]) -> list[str]:
        return [label for label in workers if not self.rows[label].error]

    def _note(self, label: str, **values: object) -> None:
        self.rows[label] = dataclasses.replace(self.rows[label], **values)  # type: ignore[arg-type]

    def _fail(self, label: str, error: WorkerError) -> None:
        self._note(label, error=str(error))
        self.say(f'{label} drops out: {error}')

    def _profile(self, contender: Contender, tensor: NDArray[np.uint8]) -> None:
        if contender.engine not in PROFILED:
            return
        try:
            with Worker(contender.label) as worker:
                answer, _ = worker.ask(
                    'profile',
                    tensor.tobytes(),
                    shape=tensor.shape,
                    frames=PROFILED_FRAMES,
                    before=BEFORE_PROFILE,
                    **self._model_of(contender),
                )
        except WorkerError as error:
            self._fail(contender.label, error)
            return
        layers = [Layer.of(plain) for plain in answer['layers']]
        self.layers[contender.label] = layers
        graph = None
        if contender.is_int8 and contender.bundle is not None:
            graph = read_int8_graph(contender.bundle.onnx_path)
            self.float_layers[contender.label] = float_layers(layers, graph)
        ran = executed(layers, contender.engine, graph)
        is_told = contender.bundle is not None
        self._note(
            contender.label,
            executed=ran.text if is_told or not contender.is_int8 else 'imitated in f32',
            convolutions=ran.convolutions,
            int8_convolutions=ran.int8,
            other_types=ran.other_types,
            missing=ran.missing,
            excluded=ran.excluded,
            float_share=ran.float_share if is_told else math.nan,
        )

    def _model_of(self, contender: Contender) -> dict[str, Any]:
        threads = self.settings.threads
        return {'engine': contender.engine, 'model': contender.model, 'threads': threads}

    def _open(self, stack: ExitStack, tensors: NDArray[np.uint8]) -> dict[str, Worker]:
        workers = {}
        for contender in list(self._alive()):
            worker = stack.enter_context(Worker(contender.label))
            try:
                worker.ask('tensors', tensors.tobytes(), shape=tensors.shape)
                answer, _ = worker.ask('open', **self._model_of(contender))
            except WorkerError as error:
                self._fail(contender.label, error)
                continue
            workers[contender.label] = worker
            self._note(
                contender.label,
                engine=answer['name'],
                version=answer['version'],
                threads=answer['threads'],
                open_ms=answer['open_ms'],
                library_mb=answer['library_mb'],
            )
        return workers

    def _time(self, workers: dict[str, Worker]) -> dict[str, Latency]:
        count = len(workers) * len(windows(self.settings.frames))
        with steps(f'timing {len(workers)} contenders in turn', count) as done:
            return time_in_turn(
                workers,
                frames=self.settings.frames,
                warmup=self.settings.warmup,
                failed=self._fail,
                done=done,
            )

    def _read_memory(self, label: str, worker: Worker) -> None:
        try:
            peak_mb = worker.ask('memory')[0]['peak_mb']
        except WorkerError as error:
            self._fail(label, error)
            return
        self._note(label, peak_mb=peak_mb, model_mb=peak_mb - self.rows[label].library_mb)

    def _masks(self, workers: dict[str, Worker]) -> tuple[dict[str, Accuracy], list[SeenFrame]]:
        count = sum(len(frames.names) for frames in self.sets)
        with steps(f'masks of {count} images by {len(workers)} contenders', count) as done:
            return run_over(
                self.sets,
                workers,
                self.bundle,
                reference=self.field.reference.label,
                shown=self._shown(),
                imitation=self._imitation(),
                failed=self._fail,
                done=done,
            )

    def _shown(self) -> str:
        """The int8 contender that a car would run first."""
        order = ('tensorrt', 'openvino', 'onnxruntime', 'torch')
        int8 = [one for one in self.field.contenders if one.is_int8]
        alive = [one for one in int8 if not self.rows[one.label].error] or int8
        return min(alive, key=lambda one: order.index(one.engine)).label

    def _imitation(self) -> str:
        """The network that imitates int8 in PyTorch, if one takes part."""
        int8 = [one for one in self.field.contenders if one.is_int8]
        return next((one.label for one in int8 if one.engine == 'torch'), '')

    def _note_accuracy(self, label: str, accuracy: Accuracy) -> None:
        data, _, name = self.settings.monitor.partition('/')
        means = [values['miou'] for values in accuracy.by_set.values()]
        self._note(
            label,
            agreement=accuracy.agreement,
            parity=accuracy.parity,
            by_set=accuracy.by_set,
            lane_iou=accuracy.by_set.get(data, {}).get(name, math.nan),
            miou=sum(means) / len(means) if means else math.nan,
        )


def _words(settings: Settings, reference: str) -> dict[str, str]:
    """How it was measured."""
    return {
        'time of a frame': (
            f'tensor to class ids in the engine, batch 1; {settings.frames} frames of each in '
            f'windows of about {WINDOW}, in another order every round, one contender computing '
            f'at a time; {settings.warmup} frames to warm up, then {LEAD_IN} before each window '
            'do not count'
        ),
        'threads': f'{settings.threads} for every contender',
        'memory': (
            'peak of the process on the CPU, from opening the model to the last timed frame; '
            'model: beyond what the process held before'
        ),
        'file': 'what has to be on the machine that runs it: graph, plan or checkpoint',
        'layers': (
            f'median of {PROFILED_FRAMES} frames in a process of its own with the profiler on: '
            'shares count, sums are longer than the time of a frame'
        ),
        'agreement': f"pixels with the class that {reference} gives, at the model's size",
    }
