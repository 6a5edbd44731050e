"""One run of the demo: start camera and node, warm up, measure, film, draw."""

from __future__ import annotations

import argparse
import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lane_seg.bundle import ModelBundle
from lane_seg.files import atomic_path
from lane_seg.machine import machine_info
from lane_seg.video_writer import new_video
from lane_seg_ros.camera_frames import SCENE
from lane_seg_ros.demo.pictures import LabelScore, OverlayVideo, draw_triptych, video_size
from lane_seg_ros.demo.processes import DemoError, NodeProcess
from lane_seg_ros.demo.report import (
    Conditions,
    Model,
    NodeCounts,
    Report,
    frames_of_window,
    json_of,
    latency_of,
    versions,
)
from lane_seg_ros.demo.recorder import Recorder, Window

__all__ = ['DemoSession']

_WARM_UP_S = 1.0
# A cold start loads libraries and compiles the model; a slow machine takes its time.
_START_TIMEOUT_S = 90.0
_DIAGNOSTICS_PERIOD_S = 0.2
_SETTLE_TIMEOUT_S = 5.0
_PORTRAIT_S = 1.0
_PORTRAIT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class DemoSession:
    """One run; the methods are its stages in their order."""

    args: argparse.Namespace
    bundle: ModelBundle
    domain_id: int
    console: Console

    def run(self, folder: Path, interrupted: threading.Event) -> Report:
        """Start the nodes, measure, write the files; whatever happens, nothing keeps running.

        Args:
            folder: for logs; it exists, and is removed by the caller.
            interrupted: the caller sets it to end the demo early.

        Raises:
            KeyboardInterrupt: `interrupted` was set; nothing was written.
            DemoError: a node died, or no mask arrived.
        """
        load_before = os.getloadavg()[0]
        output: Path = self.args.output
        with ExitStack() as stack:
            # The files appear together at the very end, or not at all.
            video_path, frame_path, report_path = (
                stack.enter_context(atomic_path(output / name))
                for name in ('overlay.mp4', 'frame.png', 'report.json')
            )
            # Before the recorder, whose threads a fork should not meet.
            nodes = self._start_nodes(stack, folder)

            def check() -> None:
                if interrupted.is_set():
                    raise KeyboardInterrupt
                for node in nodes:
                    node.check()

            with Recorder(domain_id=self.domain_id, check=check) as recorder:
                self._warm_up(recorder, nodes)
                report = self._measure(recorder, video_path, load_before=load_before)
                self._draw_frame(recorder, frame_path, report)
            check()
            report_path.write_text(json_of(report), encoding='utf-8')
        return report

    def _start_nodes(self, stack: ExitStack, folder: Path) -> tuple[NodeProcess, NodeProcess]:
        """The node and its camera; both are stopped when the stack unwinds."""
        args = self.args
        height, width = args.size
        node = NodeProcess(
            'lane_seg_ros.lane_seg_node',
            {
                'model': str(self.bundle.directory.resolve()),
                'engine': args.engine,
                'threads': args.threads,
                'diagnostics_period_s': _DIAGNOSTICS_PERIOD_S,
            },
            log=folder / 'node.log',
        )
        stack.callback(node.stop)
        camera = NodeProcess(
            'lane_seg_ros.camera_player',
            {
                'input': args.input,
                'rate_hz': args.rate,
                'height': height,
                'width': width,
                'seed': args.seed,
                'loop': True,
                'wait_for_subscribers': 1,
            },
            log=folder / 'camera.log',
        )
        stack.callback(camera.stop)
        return node, camera

    def _warm_up(self, recorder: Recorder, nodes: tuple[NodeProcess, ...]) -> None:
        """Wait for masks and overlays, then let everything settle."""
        received = recorder.received

        def complete() -> bool:
            return bool(
                received.latency_ms
                and received.overlay_stamps_ns
                and received.camera_stamps_ns
                and received.counts is not None
            )

        with self.console.status(f'starting camera and node (ROS_DOMAIN_ID={self.domain_id}) ...'):
            if not recorder.listen(complete, timeout_s=_START_TIMEOUT_S):
                tails = '\n'.join(node.tail() for node in nodes)
                raise DemoError(
                    f'no mask arrived within {_START_TIMEOUT_S:.0f} s, though camera and node are '
                    'running: is UDP multicast on the loopback interface blocked? They said:\n'
                    f'{tails}'
                )
            recorder.listen(lambda: False, timeout_s=_WARM_UP_S)

    def _measure(self, recorder: Recorder, video_path: Path, *, load_before: float) -> Report:
        """Listen for as long as asked for and sum up what arrived."""
        args, bundle, received = self.args, self.bundle, recorder.received
        height, width = received.size_hw
        film_hw = video_size(height, width)
        score = LabelScore(bundle.classes, unlabeled_id=bundle.unlabeled_id)
        with new_video(video_path, fps=args.rate, size_hw=film_hw) as writer:
            video = OverlayVideo(writer, rate_hz=args.rate, size_hw=film_hw)
            before, masks_before = _counts(recorder), received.masks_at_counts
            start_ns = time.time_ns()
            window = Window(start_ns, start_ns + round(args.seconds * 1e9))
            with recorder.recording(window, video=video, score=score):
                self._listen_with_progress(recorder, window)
                # Masks under way still arrive, and the node's next report counts them.
                settled_ns = window.end_ns + round(_DIAGNOSTICS_PERIOD_S * 1e9)
                recorder.listen(
                    lambda: received.counts_ns > settled_ns, timeout_s=_SETTLE_TIMEOUT_S
                )
            after, masks_after = _counts(recorder), received.masks_at_counts

        latencies = [ms for stamp, ms in received.latency_ms.items() if stamp in window]
        if not latencies:
            raise DemoError('no mask arrived in the measured time: the machine is overloaded')
        frames = frames_of_window(
            camera=sum(stamp in window for stamp in received.camera_stamps_ns),
            masks=len(latencies),
            overlays=sum(stamp in window for stamp in received.overlay_stamps_ns),
            before=before,
            after=after,
            masks_received_between=masks_after - masks_before,
        )
        return Report(
            conditions=Conditions(
                input=args.input if args.input == SCENE else Path(args.input).name,
                seed=args.seed,
                height=height,
                width=width,
                rate_hz=args.rate,
                seconds=args.seconds,
                warm_up_s=_WARM_UP_S,
                ros_domain_id=self.domain_id,
                load_average_before=load_before,
            ),
            model=Model(
                name=bundle.name,
                version=bundle.version,
                precision=bundle.precision,
                height=bundle.height,
                width=bundle.width,
                onnx_sha256=bundle.onnx_sha256,
                engine=after.engine,
                threads=after.threads,
            ),
            frames=frames,
            latency_ms=latency_of(latencies),
            stages_ms=after.stages_ms,
            iou=score.ious() if score.pictures else (),
            iou_pictures=score.pictures,
            video_height=film_hw[0],
            video_width=film_hw[1],
            overlays_not_filmed=received.overlays_not_filmed,
            machine=machine_info(),
            versions=versions(),
        )

    def _listen_with_progress(self, recorder: Recorder, window: Window) -> None:
        """Serve the recorder until the window has passed."""
        columns = (TextColumn('measuring'), BarColumn(), TextColumn('{task.fields[masks]} masks'))
        # Drawn when we say so: a drawing thread of its own would disturb what is measured.
        masks_before = len(recorder.received.latency_ms)
        with Progress(
            *columns,
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            auto_refresh=False,
        ) as progress:
            task = progress.add_task('', total=window.end_ns - window.start_ns, masks=0)
            while (now_ns := time.time_ns()) < window.end_ns:
                progress.update(
                    task,
                    completed=now_ns - window.start_ns,
                    masks=len(recorder.received.latency_ms) - masks_before,
                    refresh=True,
                )
                slice_s = min(0.25, (window.end_ns - now_ns) * 1e-9)
                recorder.listen(lambda: False, timeout_s=slice_s)

    def _draw_frame(self, recorder: Recorder, path: Path, report: Report) -> None:
        """Take some frames in full, after the measuring, and draw the best."""
        markings = [info.id for info in self.bundle.classes if info.name == 'lane_marking']
        recorder.watch_for_portraits(markings[0] if markings else 1)
        recorder.listen(lambda: False, timeout_s=_PORTRAIT_S)
        recorder.listen(
            lambda: recorder.portrait is not None, timeout_s=_PORTRAIT_TIMEOUT_S - _PORTRAIT_S
        )
        if recorder.portrait is None:
            raise DemoError(
                'no frame came with all of image, mask and overlay: the machine is overloaded; '
                'try a lower --rate or a smaller --size'
            )
        conditions, model = report.conditions, report.model
        caption = (
            f'{model.name} {model.precision} on {model.engine}   '
            f'{conditions.width} x {conditions.height}, {report.mask_rate_hz:.1f} masks/s, '
            f'latency {report.latency_ms.p50:.1f} ms'
        )
        picture = draw_triptych(recorder.portrait, self.bundle.classes, caption=caption)
        if not cv2.imwrite(str(path), picture):
            raise DemoError(f'cannot write {path}: is the disk full?')


def _counts(recorder: Recorder) -> NodeCounts:
    """The node's last report; the warm-up has waited for the first one."""
    assert recorder.received.counts is not None
    return recorder.received.counts
