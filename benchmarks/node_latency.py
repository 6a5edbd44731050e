"""Latency of the node over real topics, beside a node written the plain way.

    python benchmarks/node_latency.py --json
    python benchmarks/node_latency.py --seconds 300 --sizes 1280x720 --contenders ours

Camera, node and listener are three processes. Overhead is everything but inference: from the
camera's stamp to the receipt of the mask, less what the node says inference took for that frame.
Contenders take turns, each several times, so that whatever else the machine does meanwhile it does
to all of them. `ours` runs with what lane_seg_node brings along on all three sides (16 MB of
shared memory, malloc settings); `plain` is benchmarks/plain_node.py (typed messages, conversions
as cv_bridge makes them, overlay always drawn) with the defaults of ROS 2 on all three sides.
`relay` is benchmarks/relay_node.py, which does nothing with an image but answer: the floor that
Python and middleware set on this machine at this time. Of images that got no mask it is told how
many came when the whole machine stood still (benchmarks/stalls.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from harness import RESULTS
from rich.console import Console
from rich.table import Table
from stalls import StallWatch, count_explained

from lane_seg.files import write_text
from lane_seg.machine import machine_info
from lane_seg.timing import TimingSummary, summarize
from lane_seg_ros.shared_memory import remove_dead_segments

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
WARM_UP_S = 3.0
PATIENCE_S = 60.0
CONTENDERS = ('ours', 'plain', 'relay')


@dataclass(frozen=True)
class Run:
    """What one run gave.

    Attributes:
        contender: who.
        size: of the camera's images, as WIDTHxHEIGHT.
        transport: raw or compressed.
        sent: images of the measured time.
        received: masks for them.
        lost_at_stalls: images without a mask whose stamp lies within two periods of a stall.
        stalls: how often the whole machine stood still.
        overhead_ms: of each mask.
        latency_ms: of each mask, inference included.
        inference_ms: of each mask.
        stages_ms: {stage: median} as the node tells it, the warm-up included.
        node_counts: {'frames_received', 'frames_dropped.<cause>', ...} as the node tells it, of
            the measured time to a second.
    """

    contender: str
    size: str
    transport: str
    sent: int
    received: int
    lost_at_stalls: int
    stalls: int
    overhead_ms: list[float]
    latency_ms: list[float]
    inference_ms: list[float]
    stages_ms: dict[str, float]
    node_counts: dict[str, int]


def main() -> int:
    """Run all contenders in turn, print the table, write JSON."""
    args = parse()
    machine = machine_info()
    runs: list[Run] = []
    console = Console()
    for turn in range(args.turns):
        for size, transport in args.cases:
            order = args.contenders if turn % 2 == 0 else args.contenders[::-1]
            for contender in order:
                if transport == 'compressed' and contender != 'ours':
                    continue
                with console.status(f'turn {turn + 1}: {contender}, {size} {transport}'):
                    runs.append(run(contender, size, transport, args))
                last = runs[-1]
                overhead = summarize(last.overhead_ms)
                console.print(
                    f'turn {turn + 1}  {contender:6} {size:10} {transport:11} '
                    f'{last.received}/{last.sent}  overhead p50 {overhead.median_ms:.2f} ms'
                )
    rows = [row for case in args.cases for row in rows_of(case, runs, args.contenders)]
    console.print(table_of(rows, args))
    if args.json is not None:
        path = args.json / 'node_latency.json' if args.json.is_dir() else args.json
        content = {
            'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'settings': {
                'seconds a run': args.seconds,
                'turns': args.turns,
                'rate_hz': args.rate,
                'engine threads': args.threads,
            },
            'machine': dataclasses.asdict(machine),
            'rows': rows,
        }
        write_text(path, json.dumps(content, indent=2) + '\n')
        console.print(f'written to {path}')
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seconds', type=float, default=20.0, help='of a run (default: 20)')
    parser.add_argument('--turns', type=int, default=3, help='of each contender (default: 3)')
    parser.add_argument('--rate', type=float, default=30.0, help='images per second (default: 30)')
    parser.add_argument('--threads', type=int, default=1, help='of the engine (default: 1)')
    parser.add_argument('--model', default='default', help='bundle (default: default)')
    parser.add_argument(
        '--sizes',
        nargs='+',
        default=['640x360', '1280x720', '1920x1080', '1280x720/compressed'],
        metavar='WxH[/compressed]',
    )
    parser.add_argument('--contenders', nargs='+', default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument('--json', nargs='?', type=Path, const=RESULTS, metavar='FILE')
    args = parser.parse_args()
    args.cases = [(size.partition('/')[0], size.partition('/')[2] or 'raw') for size in args.sizes]
    return args


def environment_of_a_run() -> dict[str, str]:
    """This source tree, and a domain of its own on this machine."""
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join((str(ROOT / 'src'), str(HERE))),
        'ROS_DOMAIN_ID': str(1 + os.getpid() % 100),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }


def run(contender: str, size: str, transport: str, args: argparse.Namespace) -> Run:
    """Start the three processes, measure, end them."""
    environment = environment_of_a_run()
    if contender == 'plain':
        environment['LANE_SEG_NO_MIDDLEWARE_TUNING'] = '1'
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='node_latency')))
        stack.callback(remove_dead_segments)
        watch = stack.enter_context(StallWatch())
        result = folder / 'result.json'
        node_words = {
            'ours': ['-m', 'lane_seg_ros.lane_seg_node', '--ros-args']
            + ['-p', f'model:={args.model}', '-p', f'threads:={args.threads}']
            + ['-p', f'image_transport:={transport}'],
            'plain': [str(HERE / 'plain_node.py'), args.model, str(args.threads)],
            'relay': [str(HERE / 'relay_node.py')],
        }
        stop_later(stack, start(node_words[contender], environment, folder / 'node.log'))
        listener = start(
            [str(HERE / 'latency_ends.py'), 'listen', str(result)]
            + [str(WARM_UP_S), str(args.seconds)],
            environment,
            folder / 'listener.log',
        )
        stop_later(stack, listener)
        camera = start(
            [str(HERE / 'latency_ends.py'), 'camera', size, str(args.rate), transport],
            environment,
            folder / 'camera.log',
        )
        stop_later(stack, camera)
        code = listener.wait(args.seconds + WARM_UP_S + PATIENCE_S)
        if code:
            logs = ''.join(path.read_text(errors='replace') for path in folder.glob('*.log'))
            raise SystemExit(f'{contender} {size}: the listener ended with {code}:\n{logs}')
        found = json.loads(result.read_text(encoding='utf-8'))
        stalls = watch.stop()
    missing = found.pop('missing')
    explained = count_explained(missing, stalls, periods_ns(args.rate))
    return Run(contender, size, transport, lost_at_stalls=explained, stalls=len(stalls), **found)


def periods_ns(rate_hz: float) -> int:
    """How long before and after a stall an image may be lost by it: two periods of the camera."""
    return round(2e9 / rate_hz)


def start(words: Sequence[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process of ours."""
    with log.open('wb') as output:
        return subprocess.Popen(
            [sys.executable, *words], stdout=output, stderr=subprocess.STDOUT, env=environment
        )


def stop_later(stack: ExitStack, process: subprocess.Popen[bytes]) -> None:
    """End a process when the stack unwinds."""

    def stop() -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        time.sleep(0.2)  # the next run's participants must not meet this one's

    stack.callback(stop)


def rows_of(
    case: tuple[str, str], runs: Sequence[Run], contenders: Sequence[str]
) -> list[dict[str, object]]:
    """Sum the runs of one size up, contender by contender."""
    size, transport = case
    rows: list[dict[str, object]] = []
    reference: TimingSummary | None = None
    for contender in contenders:
        own = [r for r in runs if (r.contender, r.size, r.transport) == (contender, *case)]
        if not own:
            continue
        overhead = summarize([value for r in own for value in r.overhead_ms])
        latency = summarize([value for r in own for value in r.latency_ms])
        inference = summarize([value for r in own for value in r.inference_ms])
        reference = reference or overhead
        rows.append(
            {
                'size': size,
                'transport': transport,
                'contender': contender,
                'overhead_ratio_to_first': overhead.median_ms / reference.median_ms,
                'sent': sum(r.sent for r in own),
                'received': sum(r.received for r in own),
                'lost_at_stalls': sum(r.lost_at_stalls for r in own),
                'stalls_of_the_machine': sum(r.stalls for r in own),
                'overhead_ms': dataclasses.asdict(overhead),
                'latency_ms': dataclasses.asdict(latency),
                'inference_ms': dataclasses.asdict(inference),
                'stages_ms_of_the_last_run': own[-1].stages_ms,
                'node_counts_of_each_run': [r.node_counts for r in own],
                'overhead_p50_ms_of_each_run': [
                    statistics.median(r.overhead_ms) if r.overhead_ms else None for r in own
                ],
            }
        )
    return rows


def table_of(rows: Sequence[dict[str, object]], args: argparse.Namespace) -> Table:
    """What a person looks at; ratios first."""
    table = Table(title=f'node latency, {args.rate:g} Hz, {args.turns} x {args.seconds:g} s each')
    for column in (
        'images',
        'contender',
        'overhead',
        'p50 ms',
        'p99 ms',
        'inference',
        'lost (at stalls)',
    ):
        table.add_column(column)
    for row in rows:
        overhead, inference = row['overhead_ms'], row['inference_ms']
        assert isinstance(overhead, dict) and isinstance(inference, dict)
        sent, received = row['sent'], row['received']
        assert isinstance(sent, int) and isinstance(received, int)
        table.add_row(
            f'{row["size"]} {row["transport"]}',
            str(row['contender']),
            f'{row["overhead_ratio_to_first"]:.2f}x',
            f'{overhead["median_ms"]:.2f}',
            f'{overhead["p99_ms"]:.2f}',
            f'p50 {inference["median_ms"]:.1f} ms',
            f'{sent - received} ({row["lost_at_stalls"]}) of {sent}',
        )
    return table


if __name__ == '__main__':
    sys.exit(main())
