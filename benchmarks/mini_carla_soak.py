"""Many ticks of mini_carla with two cameras and traffic: does it ever stall, does memory grow?

Run it as: python benchmarks/mini_carla_soak.py [--traffic-manager] [--ticks N] [--json]
Server and client are processes of their own; the client is the real `carla` package. Exit code 1:
a tick took longer than 10 s, or one of the two grew by more than 5 MB in 10,000 ticks.

With --traffic-manager the client can deadlock by itself (CARLA issue 9172). Such a client is
killed, counted, and followed by a fresh one: it is no stall of the server, which answers another
client meanwhile. `gdb`, where it is installed, says where the client waits.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import msgpack  # type: ignore[import-not-found, import-untyped]
import numpy as np
from harness import RESULTS
from mini_carla_soak_client import CARS, IMAGE_SIZE

from lane_seg.files import write_text
from lane_seg.machine import machine_info
from lane_seg.timing import TimingSummary, summarize

CLIENT = Path(__file__).with_name('mini_carla_soak_client.py')
MOST_STALL_S = 10.0
MOST_GROWTH_MB = 5.0
# Ticks until images of all sizes were made, caches are full and the allocator has its arenas.
WARM_UP_TICKS = 2000
FEWEST_TICKS_TO_FIT = 4000
FRESH_CLIENTS = 20
POLL_S = 1.0
HANGS_AFTER_S = 30.0
_READY = re.compile(r'ready: .* port (\d+), streams on (\d+), ')
_DEADLOCK = re.compile(r'TrafficManagerLocal::(SynchronousTick|Run)\b')
_FRAMES_OF_STACK = re.compile(r'^#\d+ .*?\b(carla::[\w:]+)', re.MULTILINE)


@dataclass
class Watch:
    """What was seen of a run.

    Attributes:
        ticks: ticks done, all clients together.
        latencies_ms: from the call of `tick()` to having both images, per tick.
        memory: {'server': ..., 'client': ...}, each [(tick, MB), ...], while that client ran that
            did the most ticks, counted from its first.
        stalls: one sentence for each stall of the server.
        deadlocks: the tick and the stack of each deadlock inside the client.
    """

    ticks: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    memory: dict[str, list[tuple[int, float]]] = field(
        default_factory=lambda: {'server': [], 'client': []}
    )
    stalls: list[str] = field(default_factory=list)
    deadlocks: list[dict[str, object]] = field(default_factory=list)


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a process by its id on the way out, whatever happened."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def resident_mb(pid: int) -> float:
    """Memory of a process, 1e6 bytes; NaN when it is gone."""
    try:
        status = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    except OSError:
        return math.nan
    found = re.search(r'^VmRSS:\s+(\d+) kB', status, re.MULTILINE)
    return math.nan if found is None else int(found[1]) * 1024 / 1e6


def growth_mb(samples: list[tuple[int, float]]) -> float | None:
    """Slope of a straight line through (tick, MB) after warm-up, MB per 10,000 ticks.

    None where the run was too short to tell growth from warming up.
    """
    kept = np.array([pair for pair in samples if pair[0] > WARM_UP_TICKS], np.float64)
    if len(kept) < 10 or np.ptp(kept[:, 0]) < FEWEST_TICKS_TO_FIT:
        return None
    return float(np.polyfit(kept[:, 0], kept[:, 1], 1)[0] * 1e4)


def server_answers(port: int) -> bool:
    """Say whether the server answers another client, by the protocol itself, within 10 s."""
    request = msgpack.packb([0, 1, 'get_episode_info', [[False]]])
    try:
        with socket.create_connection(('127.0.0.1', port), timeout=MOST_STALL_S) as connection:
            connection.sendall(request)
            return bool(connection.recv(1 << 12))
    except OSError:
        return False


def stack_of(pid: int) -> str:
    """All threads of a process, by gdb; empty where there is none or it may not look."""
    gdb = shutil.which('gdb')
    if gdb is None:
        return ''
    words = [gdb, '-p', str(pid), '-batch', '-ex', 'thread apply all bt 12']
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(words, capture_output=True, text=True, timeout=120).stdout
    return ''


def run_client(watch: Watch, server: subprocess.Popen[str], words: list[str], rows: Path) -> bool:
    """Run one client until it has done its ticks or hangs; returns whether it ended well."""
    first = watch.ticks
    memory: dict[str, list[tuple[int, float]]] = {'server': [], 'client': []}
    with (
        rows.open('w', encoding='utf-8') as out,
        rows.open(encoding='utf-8') as read,
        ended(
            subprocess.Popen([sys.executable, str(CLIENT), *words], stdout=out, text=True)
        ) as client,
    ):
        moved, begun_line = time.monotonic(), ''
        while True:
            code = client.poll()  # before reading: what it wrote last must not be missed
            *lines, begun_line = (begun_line + read.read()).split('\n')
            if lines:
                moved = time.monotonic()
            watch.latencies_ms += [float(line) for line in lines]
            watch.ticks += len(lines)
            if code is not None:
                break
            for name, process in (('server', server), ('client', client)):
                memory[name].append((watch.ticks - first, resident_mb(process.pid)))
            if time.monotonic() - moved > HANGS_AFTER_S:
                judge(watch, client.pid, int(words[0]))
                client.kill()
                break
            time.sleep(POLL_S)
    if memory['client'][-1:] > watch.memory['client'][-1:]:
        watch.memory = memory
    if code not in (None, 0):
        watch.stalls.append(f'the client ended with code {code} after {watch.ticks} ticks')
    return code == 0


def judge(watch: Watch, pid: int, port: int) -> None:
    """Note who is to blame that there is no next tick: the client by itself, or the server."""
    stack = stack_of(pid)
    waits = sorted(set(_DEADLOCK.findall(stack)))
    if server_answers(port) and (waits == ['Run', 'SynchronousTick'] or not stack):
        found = _FRAMES_OF_STACK.findall(stack)
        watch.deadlocks.append({'tick': watch.ticks, 'carla frames': sorted(set(found))})
        print(f'tick {watch.ticks}: the traffic manager deadlocked, {waits}', flush=True)
    else:
        watch.stalls.append(f'no tick after {watch.ticks}; stack of the client:\n{stack}')
        print(watch.stalls[-1], flush=True)


def soak(args: argparse.Namespace, folder: Path) -> Watch:
    """Run the server and as many clients as it takes."""
    watch = Watch()
    words = [sys.executable, '-m', 'carla_bridge.command', 'serve', '--port', '0']
    words += ['--map', args.map, '--tick-log', str(folder / 'ticks.csv')]
    with ended(subprocess.Popen(words, stdout=subprocess.PIPE, text=True)) as server:
        assert server.stdout is not None
        ready = _READY.match(server.stdout.readline())
        if ready is None:
            raise SystemExit('the server did not start; its own words stand above')
        for _ in range(FRESH_CLIENTS):
            with socket.create_server(('127.0.0.1', 0)) as probe:
                manager = str(probe.getsockname()[1]) if args.traffic_manager else '0'
            client = [ready[1], str(args.ticks - watch.ticks), manager]
            done = run_client(watch, server, client, folder / 'latencies')
            print(f'{watch.ticks} ticks', flush=True)
            if done or watch.stalls or watch.ticks >= args.ticks:
                break
    return watch


def thinned(samples: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most some fifty of the samples, evenly."""
    return [(tick, round(mb, 1)) for tick, mb in samples[:: 1 + len(samples) // 50]]


def server_timing(tick_log: Path) -> TimingSummary:
    """What a tick takes inside the server, from the file of `--tick-log`."""
    milliseconds = np.loadtxt(tick_log, np.float64, delimiter=',', skiprows=1, usecols=(2, 3, 4))
    return summarize(milliseconds.reshape(-1, 3).sum(axis=1).tolist())


def verdict(slowest_ms: float, stalls: list[str], growth: dict[str, float | None]) -> list[str]:
    """What is wrong, in words; nothing if all is well."""
    wrong = [stall.split(';')[0] for stall in stalls]
    if slowest_ms > 1e3 * MOST_STALL_S:
        wrong.append(f'a tick took {slowest_ms / 1e3:.1f} s, expected at most {MOST_STALL_S:g} s')
    for name, slope in growth.items():
        if slope is not None and slope > MOST_GROWTH_MB:
            wrong.append(
                f'the {name} grows by {slope:.1f} MB in 10,000 ticks, expected at most '
                f'{MOST_GROWTH_MB:g}'
            )
    return wrong


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--ticks', type=int, default=20_000, help='(default: 20000)')
    parser.add_argument('--map', default='Town_ring', metavar='NAME', help='(default: Town_ring)')
    parser.add_argument(
        '--traffic-manager', action='store_true', help='drives the cars; otherwise the script does'
    )
    parser.add_argument(
        '--json',
        nargs='?',
        type=Path,
        const=RESULTS,
        metavar='FILE',
        help='also write the numbers, without FILE into benchmarks/results/',
    )
    args = parser.parse_args()
    name = 'mini_carla_soak' + ('_traffic_manager' if args.traffic_manager else '')
    machine = machine_info()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='mini_carla_soak_') as folder:
        watch = soak(args, Path(folder))
        inside = server_timing(Path(folder) / 'ticks.csv')
    seconds = time.monotonic() - began
    timing = summarize(watch.latencies_ms)
    growth = {process: growth_mb(samples) for process, samples in watch.memory.items()}
    wrong = verdict(timing.max_ms, watch.stalls, growth)
    for what, times in (('tick to both images', timing), ('of that in the server', inside)):
        print(
            f'{what:22} {times.count} ticks: median {times.median_ms:.1f} ms, '
            f'p99 {times.p99_ms:.1f} ms, slowest {times.max_ms:.0f} ms'
        )
    for process, samples in watch.memory.items():
        slope = growth[process]
        said = 'too short a run to say' if slope is None else f'{slope:+.2f} MB in 10,000 ticks'
        print(f'{process:22} {samples[-1][1]:.0f} MB at the end, {said}')
    print(
        f'{watch.ticks} ticks in {seconds:.0f} s, {len(watch.deadlocks)} deadlocks in the client'
    )
    print(machine)
    print('\n'.join(wrong) or 'no stall, no growth')
    if args.json is not None:
        path = args.json / f'{name}.json' if args.json.is_dir() else args.json
        content = {
            'benchmark': name,
            'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'settings': {
                'ticks': args.ticks, 'map': args.map, 'cars': CARS, 'cameras': 'rgb and semantic',
                'image': '{}x{}'.format(*IMAGE_SIZE), 'warm-up ticks': WARM_UP_TICKS,
                'carla': version('carla'),
            },
            'machine': dataclasses.asdict(machine),
            'ticks': watch.ticks,
            'seconds': round(seconds),
            'tick to both images': dataclasses.asdict(timing),
            'in the server': dataclasses.asdict(inside),
            'growth in MB per 10,000 ticks': growth,
            'MB at the end': {process: pairs[-1][1] for process, pairs in watch.memory.items()},
            'memory': {process: thinned(pairs) for process, pairs in watch.memory.items()},
            'stalls': watch.stalls,
            'deadlocks': watch.deadlocks,
            'wrong': wrong,
        }  # fmt: skip
        write_text(path, json.dumps(content, indent=2) + '\n')
        print(f'wrote {path}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
