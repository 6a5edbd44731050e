"""`lane-seg device-report`: one file that says how the model runs on this device."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg import __version__
from lane_seg_cli.engine_arguments import add_bundle_argument, add_engine_arguments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from lane_seg_cli.benchmark import Report
    from lane_seg_cli.device_facts import DeviceFacts

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Measure the model on this device and write a JSON file for us: board, system, versions,\n'
    'power mode, clocks, temperatures and power under load, the engine that really runs, p50 and\n'
    'p99 of each stage. It holds no name of host or user, no serial number, no address.'
)
EPILOG = """examples:
  lane-seg device-report
  lane-seg device-report --engine tensorrt --frames 3000 --output orin_nx_25w.json
  lane-seg device-report --doctor               with what `lane-seg doctor` finds now

Let the device be as it will be in the vehicle: power mode, clocks, cover, other programs. Send the
file with what it says nothing about: camera, cooling, supply."""

_FORMAT = 1
_OUTPUT = Path('device_report.json')
_SAMPLE_S = 0.5
_DOCTOR_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_bundle_argument(parser)
    add_engine_arguments(parser)
    parser.add_argument(
        '--frames', type=int, default=1000, metavar='N', help='frames to time (default: 1000)'
    )
    parser.add_argument(
        '--output',
        type=Path,
        default=_OUTPUT,
        metavar='FILE',
        help=f'where to write (default: {_OUTPUT})',
    )
    parser.add_argument(
        '--doctor',
        action='store_true',
        help=f'look at the running cameras for {_DOCTOR_S:g} s as well (needs ROS 2)',
    )


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        LaneSegError: bundle or engine cannot be had, or --doctor without ROS 2.
    """
    from lane_seg.files import write_text
    from lane_seg_cli.benchmark import measure
    from lane_seg_cli.device_facts import device_facts

    steps = 3 if args.doctor else 2
    print(f'1/{steps} looking at this device', flush=True)
    facts = device_facts()
    print(f'2/{steps} timing {args.frames} frames of model {args.model}', flush=True)
    with _warnings() as warnings, _health_samples() as samples:
        benchmark = measure(
            args.model,
            args.engine,
            threads=args.threads,
            frames=args.frames,
            on_frame=_Steps(args.frames),
        )
    content: dict[str, object] = {
        'format': _FORMAT,
        'lane_seg_ros': __version__,
        'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'device': dataclasses.asdict(facts),
        'benchmark': dataclasses.asdict(benchmark),
        'engine_warnings': warnings,
        'host_health': _health_summary(samples),
    }
    if args.doctor:
        print(f'3/{steps} looking at the cameras for {_DOCTOR_S:g} s', flush=True)
        content['doctor'] = _doctor()
    write_text(args.output, json.dumps(_nameless(content), indent=2) + '\n')
    print('\n'.join([*_lines(facts, benchmark), *map(_nameless_text, warnings)]))
    print(f'written: {args.output}')
    return 0


class _Steps:
    """Says how far the measurement is, ten times in all: a bar would take part in it."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    def __call__(self, number: int) -> None:
        tenths = number * 10 // self._frames
        if tenths > (number - 1) * 10 // self._frames:
            print(f'      {number} of {self._frames}', flush=True)


class _Keeper(logging.Handler):
    """Keeps the text of each record."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.texts.append(record.getMessage())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the engines warn of in the block: why TensorRT does not run, for example."""
    logger, keeper = logging.getLogger('lane_seg'), _Keeper(logging.WARNING)
    logger.addHandler(keeper)
    try:
        yield keeper.texts
    finally:
        logger.removeHandler(keeper)


@contextmanager
def _health_samples() -> Iterator[list[dict[str, str]]]:
    """Temperatures and power while the block runs: afterwards they are others."""
    from lane_seg_ros.host_health import host_health

    samples: list[dict[str, str]] = []
    done = threading.Event()

    def sample() -> None:
        samples.append(host_health())
        while not done.wait(_SAMPLE_S):
            samples.append(host_health())

    thread = threading.Thread(target=sample, name='host health', daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def _health_summary(samples: Sequence[dict[str, str]]) -> dict[str, object]:
    """{name: {'first', 'mean', 'largest'} of a number, or the last text}."""
    values: dict[str, list[str]] = {}
    for one in samples:
        for name, value in one.items():
            values.setdefault(name, []).append(value)
    return {name: _summary(found) for name, found in values.items()}


def _summary(values: list[str]) -> object:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return values[-1]
    mean = sum(numbers) / len(numbers)
    return {'first': numbers[0], 'mean': round(mean, 2), 'largest': max(numbers)}


def _doctor() -> dict[str, object]:
    """Codes and counts of findings alone: their texts name topics, processes and folders."""
    from lane_seg_ros.ros_installation import require_ros

    require_ros()
    from lane_seg_ros.doctor.checks import findings_of
    from lane_seg_ros.doctor.graph import Wanted, observe

    findings = findings_of(observe(Wanted(seconds=_DOCTOR_S)))
    return {
        'seconds': _DOCTOR_S,
        'findings': dict(Counter(f'{found.severity} {found.code}' for found in findings)),
    }


def _nameless(value: object) -> object:
    """The same with `without_names` applied to each string."""
    if isinstance(value, dict):
        return {key: _nameless(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_nameless(inside) for inside in value]
    return _nameless_text(value) if isinstance(value, str) else value


def _nameless_text(text: str) -> str:
    from lane_seg_cli.device_facts import without_names

    return without_names(text)


def _lines(facts: DeviceFacts, benchmark: Report) -> list[str]:
    """The short text for the terminal."""
    total, inference = benchmark.stages['total'], benchmark.stages['inference']
    system = ', '.join(filter(None, (facts.l4t, facts.operating_system)))
    return [
        f'device     {facts.board or benchmark.machine.cpu}; {system}',
        f'model      {benchmark.model} {benchmark.model_version}, sha256 '
        f'{benchmark.model_sha256[:12]}, on {benchmark.engine} {benchmark.engine_version}',
        f'inference  p50 {inference.median_ms:.2f} ms, p99 {inference.p99_ms:.2f} ms',
        f'frame      p50 {total.median_ms:.2f} ms, p99 {total.p99_ms:.2f} ms '
        f'({benchmark.width}x{benchmark.height})',
    ]
