"""One run of the demo: start world and node, warm up, measure scene by scene, film, draw."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lane_seg.bundle import ModelBundle
from lane_seg.files import atomic_path
from lane_seg.video_writer import new_video
from lane_seg_ros.demo.processes import ChildProcess, DemoError, NodeProcess
from lane_seg_ros.demo.report import NOT_CARLA, Conditions, DemoReport
from lane_seg_ros.demo.request import MINI_CARLA, Request
from lane_seg_ros.demo.sources import Source
from lane_seg_ros.live.charts import NO_CHARTS, can_draw_charts
from lane_seg_ros.live.film import OverlayVideo, video_size
from lane_seg_ros.live.labels import TAG_REMARK, LabelReader
from lane_seg_ros.live.measurement import Measurement, merged
from lane_seg_ros.live.page import report_page
from lane_seg_ros.live.pictures import comparisons_of, draw_triptych
from lane_seg_ros.live.recorder import Recorder
from lane_seg_ros.live.score import LabelScore, mask_ids_of

__all__ = ['FILES', 'DemoSession']

FILES = ('overlay.mp4', 'frame.png', 'report.json', 'report.html')

_WARM_UP_S = 1.0
# A cold start loads libraries and compiles the model; a slow machine takes its time.
_START_TIMEOUT_S = 90.0
_DIAGNOSTICS_PERIOD_S = 0.2
_PORTRAIT_S = 1.0
_PORTRAIT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class DemoSession:
    """One run; the methods are its stages in their order.

    Attributes:
        request: what the camera is to see.
        source: of the pictures.
        output: folder for the files.
        engine: inference engine.
        threads: CPU threads of the engine.
        bundle: the model.
        domain_id: ROS domain of all parts.
        console: to tell how it goes.
    """

    request: Request
    source: Source
    output: Path
    engine: str
    threads: int
    bundle: ModelBundle
    domain_id: int
    console: Console

    def run(self, folder: Path, interrupted: threading.Event) -> DemoReport:
        """Start everything, measure, write the files; whatever happens, nothing keeps running.

        Args:
            folder: for logs; it exists, and is removed by the caller.
            interrupted: the caller sets it to end the demo early.

        Raises:
            KeyboardInterrupt: `interrupted` was set; nothing was written.
            DemoError: a process died, or no mask arrived.
        """
        load_before = os.getloadavg()[0]
        source, bundle = self.source, self.bundle
        running: list[ChildProcess] = []

        def check() -> None:
            if interrupted.is_set():
                raise KeyboardInterrupt
            for process in running:
                process.check()

        with ExitStack() as stack:
            # The files appear together at the very end, or not at all.
            paths = {name: stack.enter_context(atomic_path(self.output / name)) for name in FILES}
            running += source.start(stack, folder)
            running.append(self._start_node(stack, folder))
            score = LabelScore(mask_ids_of(bundle.classes), unlabeled_id=bundle.unlabeled_id)
            recorder = stack.enter_context(
                Recorder(
                    source.topics,
                    score=score,
                    labels=LabelReader(source.topics.label, source.coding),
                    check=check,
                    domain_id=self.domain_id,
                )
            )
            recorder.subscribe(pictures=source.pictures)
            scenes, video_hw = self._film(recorder, running, paths['overlay.mp4'], folder, check)
            check()
            report = DemoReport(
                conditions=Conditions(
                    input=self.request.input
                    if self.request.input == MINI_CARLA
                    else self.source.scenes[0],
                    seed=self.request.seed,
                    rate_hz=self.request.rate_hz,
                    seconds=self.request.seconds,
                    warm_up_s=_WARM_UP_S,
                    ros_domain_id=self.domain_id,
                    load_average_before=load_before,
                    scenes=source.scenes,
                ),
                bundle=bundle,
                total=merged(list(scenes.values())),
                scenes=scenes,
                video_hw=video_hw,
                truth=source.truth,
                is_mini_carla=self.request.input == MINI_CARLA,
            )
            self._draw_frame(recorder, paths['frame.png'], report)
            paths['report.json'].write_text(report.json(), encoding='utf-8')
            paths['report.html'].write_text(self._page(recorder, report), encoding='utf-8')
        return report

    def _start_node(self, stack: ExitStack, folder: Path) -> NodeProcess:
        node = NodeProcess(
            'lane_seg_ros.lane_seg_node',
            {
                'model': str(self.bundle.directory.resolve()),
                'engine': self.engine,
                'threads': self.threads,
                'diagnostics_period_s': _DIAGNOSTICS_PERIOD_S,
                'use_sim_time': self.source.simulated,
            },
            log=folder / 'node.log',
            remappings=self.source.remappings,
        )
        stack.callback(node.stop)
        return node

    def _film(
        self,
        recorder: Recorder,
        running: list[ChildProcess],
        path: Path,
        folder: Path,
        check: Callable[[], None],
    ) -> tuple[dict[str, Measurement], tuple[int, int]]:
        """Measure and film every scene; return the measurements by name, and the film's size."""
        source, rate_hz = self.source, self.request.rate_hz
        seconds = self.request.seconds / len(source.scenes)
        measured: dict[str, Measurement] = {}
        with ExitStack() as film:
            video = None
            for number, name in enumerate(source.scenes):
                with ExitStack() as scene:
                    with self.console.status(f'starting {name} (ROS_DOMAIN_ID={self.domain_id})'):
                        recorder.forget_stamps()
                        opened = source.open(number, scene, folder, check)
                        running += opened
                        self._warm_up(recorder, running)
                    if video is None:
                        height_width = video_size(*recorder.mask_hw)
                        writer = film.enter_context(
                            new_video(path, fps=rate_hz, size_hw=height_width)
                        )
                        video = OverlayVideo(writer, rate_hz=rate_hz, size_hw=height_width)
                        film.enter_context(recorder.filming(video))
                    caption = self._caption(name)
                    video.cut(caption)
                    recorder.album.caption = name
                    measured[_unique(name, measured)] = self._measure(recorder, seconds)
                    if not source.pictures:
                        self._take_pictures(recorder)
                    for process in opened:
                        running.remove(process)
        return measured, height_width

    def _caption(self, scene: str) -> str:
        if self.request.input != MINI_CARLA:
            return ''
        return f'mini_carla (a stand-in, not CARLA): {scene}'

    def _warm_up(self, recorder: Recorder, running: list[ChildProcess]) -> None:
        """Wait for everything that belongs to a frame, then let it settle."""
        heard = recorder.heard
        wanted = [heard.frames, heard.masks, heard.overlays, heard.reports]

        def complete() -> bool:
            now = [heard.frames, heard.masks, heard.overlays, heard.reports]
            return all(later > earlier for earlier, later in zip(wanted, now, strict=True))

        if not recorder.listen(complete, timeout_s=_START_TIMEOUT_S):
            tails = '\n'.join(process.tail() for process in running)
            raise DemoError(
                f'no mask arrived within {_START_TIMEOUT_S:.0f} s, though camera and node are '
                'running: is UDP multicast on the loopback interface blocked? They said:\n'
                f'{tails}'
            )
        recorder.listen(lambda: False, timeout_s=_WARM_UP_S)

    def _measure(self, recorder: Recorder, seconds: float) -> Measurement:
        """Listen for as long as asked for."""
        window = recorder.begin()
        end_s = time.monotonic() + seconds
        columns = (TextColumn('measuring'), BarColumn(), TextColumn('{task.fields[masks]} masks'))
        # Drawn when we say so: a drawing thread of its own would disturb what is measured.
        with Progress(
            *columns,
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            auto_refresh=False,
        ) as progress:
            task = progress.add_task('', total=seconds, masks=0)
            while (left_s := end_s - time.monotonic()) > 0:
                progress.update(task, completed=seconds - left_s, masks=window.masks, refresh=True)
                recorder.listen(lambda: False, timeout_s=min(0.25, left_s))
        measurement = recorder.end()
        if not measurement.losses.masks:
            raise DemoError('no mask arrived in the measured time: the machine is overloaded')
        return measurement

    def _take_pictures(self, recorder: Recorder) -> None:
        """Take some frames in full, after the measuring."""
        recorder.watch_pictures()
        recorder.listen(lambda: False, timeout_s=_PORTRAIT_S)
        recorder.listen(
            lambda: recorder.album.size > 0, timeout_s=_PORTRAIT_TIMEOUT_S - _PORTRAIT_S
        )

    def _draw_frame(self, recorder: Recorder, path: Path, report: DemoReport) -> None:
        """Draw the best frame; without labels, the one with most lane markings."""
        ids = mask_ids_of(self.bundle.classes)
        best = recorder.album.picks().get('best')
        snapshot = best or recorder.album.richest(ids.get('lane_marking', 1))
        if snapshot is None:
            raise DemoError(
                'no frame came with both image and mask: the machine is overloaded; try a lower '
                '--rate or a smaller --size'
            )
        total, bundle = report.total, self.bundle
        height, width = total.camera_hw
        engine = total.node.engine if total.node else self.engine
        caption = (
            f'{bundle.name} {bundle.precision} on {engine}   {width} x {height}, '
            f'{total.mask_rate_hz:.1f} masks/s, latency {total.latency_ms.median_ms:.1f} ms'
        )
        if report.is_mini_carla:
            caption += '   mini_carla, not CARLA'
        picture = draw_triptych(snapshot, bundle.classes, caption=caption)
        if not cv2.imwrite(str(path), picture):
            raise DemoError(f'cannot write {path}: is the disk full?')

    def _page(self, recorder: Recorder, report: DemoReport) -> str:
        remarks = [NOT_CARLA, TAG_REMARK] if report.is_mini_carla else []
        if not can_draw_charts():
            remarks.append(NO_CHARTS)
        return report_page(
            'Demo of lane_seg_ros',
            report.title,
            report.total,
            pictures=comparisons_of(recorder.album, self.bundle.classes),
            conditions=report.rows(),
            remarks=remarks,
            scenes=report.scenes,
        )


def _unique(name: str, taken: dict[str, Measurement]) -> str:
    """The name, with a number if there is one such already."""
    count = sum(one == name or one.startswith(f'{name} (') for one in taken)
    return f'{name} ({count + 1})' if count else name
