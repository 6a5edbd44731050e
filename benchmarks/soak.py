"""The node for an hour: does it grow, does it drop?

    python benchmarks/soak.py --json
    python benchmarks/soak.py --minutes 5 --size 640x360
    python benchmarks/soak.py --minutes 20 --waiting 4

Camera, node and listener are three processes, as in node_latency.py. The node's memory is read
once a second; growth is the difference of the medians of the first and the last minute after the
warm-up, and the slope of a straight line is told as well. Whenever the whole machine stands still
for longer than a frame (benchmarks/stalls.py), the node takes the newest of the images that have
piled up: those that it passed over are told apart from other losses. Exit code 1: it grew by more
than --most-growth, or a frame was lost that no stall explains.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from harness import RESULTS
from node_latency import HERE, environment_of_a_run, periods_ns, start, stop_later
from rich.console import Console
from stalls import LATE_MS, Stall, StallWatch, count_explained

from lane_seg.files import write_text
from lane_seg.machine import machine_info
from lane_seg.timing import summarize
from lane_seg_ros.shared_memory import remove_dead_segments

WARM_UP_S = 120.0
PATIENCE_S = 60.0


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, default=60.0)
    parser.add_argument('--size', default='1280x720', metavar='WxH')
    parser.add_argument('--rate', type=float, default=30.0)
    parser.add_argument('--model', default='default')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--waiting', type=int, default=1, help='max_waiting_images of the node (default: 1)'
    )
    parser.add_argument('--most-growth', type=float, default=1.0, metavar='MB')
    parser.add_argument('--json', nargs='?', type=Path, const=RESULTS, metavar='FILE')
    args = parser.parse_args()
    # Ends the three processes, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = machine_info()
    seconds = args.minutes * 60.0
    warm_up_s = min(WARM_UP_S, seconds / 4)
    found, memory_mb, stall_watch = run(args, seconds, warm_up_s)
    stalls = stall_watch.stop()
    half = min(60, len(memory_mb) // 2)
    growth_mb = statistics.median(memory_mb[-half:]) - statistics.median(memory_mb[:half])
    slope = float(np.polyfit(np.arange(len(memory_mb)) / 3600.0, memory_mb, 1)[0])
    latency = summarize(found['latency_ms'])
    lost = found['sent'] - found['received']
    at_stalls = count_explained(found['missing'], stalls, periods_ns(args.rate))
    result = {
        'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'settings': {
            'minutes': args.minutes,
            'size': args.size,
            'rate_hz': args.rate,
            'model': args.model,
            'engine threads': args.threads,
            'max_waiting_images': args.waiting,
            'warm_up_s': warm_up_s,
        },
        'machine': dataclasses.asdict(machine),
        'sent': found['sent'],
        'received': found['received'],
        'lost': lost,
        'lost_at_stalls': at_stalls,
        'stalls_of_the_machine': summary_of(stalls, stall_watch),
        'node_counts': found['node_counts'],
        'latency_ms': dataclasses.asdict(latency),
        'memory_mb_after_warm_up': statistics.median(memory_mb[:half]),
        'growth_mb': growth_mb,
        'slope_mb_per_hour': slope,
        # A leak is a slope, what others do to the machine is a step.
        'memory_mb_each_minute': [
            statistics.median(memory_mb[at : at + 60]) for at in range(0, len(memory_mb), 60)
        ],
    }
    console = Console()
    console.print(
        f'{found["sent"]} frames, {lost} without a mask, {at_stalls} of these at one of '
        f'{len(stalls)} stalls of the machine\nlatency p50 {latency.median_ms:.1f} ms, '
        f'p99 {latency.p99_ms:.1f} ms\nmemory {result["memory_mb_after_warm_up"]:.1f} MB, '
        f'{growth_mb:+.2f} MB from the first minute to the last, {slope:+.2f} MB an hour by a '
        f'straight line\n{machine.cpu}, {machine.cores_usable} cores, load {machine.load_1m:.1f}'
    )
    if args.json is not None:
        path = args.json / 'soak.json' if args.json.is_dir() else args.json
        write_text(path, json.dumps(result, indent=2) + '\n')
    return int(lost > at_stalls or growth_mb > args.most_growth)


def summary_of(stalls: list[Stall], watch: StallWatch) -> dict[str, object]:
    """How often and for how long nothing ran."""
    lengths_ms = [(one.end_ns - one.begin_ns) / 1e6 for one in stalls]
    return {
        'longer_than_ms': LATE_MS,
        'count': len(stalls),
        'longest_ms': max(lengths_ms, default=0.0),
        'total_ms': sum(lengths_ms),
        'cores': len(watch.processes),
        'seen_at': 'real-time priority' if watch.real_time else 'normal priority',
    }


def run(
    args: argparse.Namespace, seconds: float, warm_up_s: float
) -> tuple[dict[str, Any], list[float], StallWatch]:
    """Start the three processes; return what the listener found, the node's memory, the watch."""
    environment = environment_of_a_run()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='soak')))
        stack.callback(remove_dead_segments)
        stall_watch = stack.enter_context(StallWatch())
        result = folder / 'result.json'
        node = start(
            ['-m', 'lane_seg_ros.lane_seg_node', '--ros-args', '-p', f'model:={args.model}']
            + ['-p', f'threads:={args.threads}']
            + ['-p', f'max_waiting_images:={args.waiting}'],
            environment,
            folder / 'node.log',
        )
        stop_later(stack, node)
        ends = str(HERE / 'latency_ends.py')
        listener = start(
            [ends, 'listen', str(result), str(warm_up_s), str(seconds - warm_up_s)],
            environment,
            folder / 'listener.log',
        )
        stop_later(stack, listener)
        stop_later(
            stack,
            start(
                [ends, 'camera', args.size, str(args.rate), 'raw'], environment, folder / 'c.log'
            ),
        )
        memory_mb: list[float] = []
        done = threading.Event()
        watcher = threading.Thread(
            target=watch, args=(node.pid, warm_up_s, done, memory_mb), daemon=True
        )
        watcher.start()
        code = listener.wait(seconds + PATIENCE_S)
        done.set()
        watcher.join()
        if code or node.poll() is not None:
            logs = ''.join(path.read_text(errors='replace') for path in folder.glob('*.log'))
            raise SystemExit(
                f'the listener ended with {code}, the node with {node.poll()}: {logs}'
            )
        return json.loads(result.read_text(encoding='utf-8')), memory_mb, stall_watch


def watch(process: int, warm_up_s: float, done: threading.Event, memory_mb: list[float]) -> None:
    """Read the memory of a process once a second, after a warm-up."""
    began_s = time.monotonic()
    while not done.wait(1.0):
        if time.monotonic() - began_s > warm_up_s:
            text = Path(f'/proc/{process}/status').read_text(encoding='ascii')
            memory_mb.append(int(text.partition('VmRSS:')[2].split()[0]) / 1024.0)


if __name__ == '__main__':
    sys.exit(main())
