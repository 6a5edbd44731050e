"""One evaluation: find the topics, listen, show how it goes, write what was found."""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.live import Live

import lane_seg
from carla_bridge.evaluate.progress import progress_line, progress_table
from carla_bridge.evaluate.silence import silence_error
from lane_seg.bundle import ClassInfo
from lane_seg.files import atomic_path, write_text
from lane_seg.machine import machine_info
from lane_seg.postprocess import UNLABELED_ID
from lane_seg.report.theme import LIGHT
from lane_seg_ros.live.charts import NO_CHARTS, can_draw_charts, charts_as
from lane_seg_ros.live.interrupt import signals_noticed
from lane_seg_ros.live.labels import TAG_REMARK, LabelReader
from lane_seg_ros.live.measurement import Measurement
from lane_seg_ros.live.page import report_page
from lane_seg_ros.live.pictures import comparisons_of
from lane_seg_ros.live.recorder import Recorder
from lane_seg_ros.live.score import LabelScore
from lane_seg_ros.live.tables import figures_of, ious_text, json_text, rows_of, table_of
from lane_seg_ros.live.topics import Topics

__all__ = ['Evaluation']

_COLOURS = {'road': (60, 170, 0), 'lane_marking': (30, 60, 255)}
_PERIOD_S = 0.5
_LINE_PERIOD_S = 5.0
_INTERRUPTED = 130


class Evaluation:
    """One run of the command.

    Args:
        args: of the command line, checked.
        console: to tell how it goes.
    """

    def __init__(self, args: argparse.Namespace, console: Console) -> None:
        self._args = args
        self._console = console
        self._classes = tuple(
            ClassInfo(number, name, _COLOURS[name]) for name, number in args.mask_classes
        )
        self._load_before = os.getloadavg()[0]

    def run(self) -> int:
        """Evaluate and return the exit code.

        Raises:
            LaneSegError: nothing could be measured.
        """
        args = self._args
        with signals_noticed() as interrupted:
            score = LabelScore(dict(args.mask_classes), unlabeled_id=UNLABELED_ID)
            coding = None if args.label_coding == 'auto' else args.label_coding
            beside = f'{args.image.rpartition("/")[0]}/camera_info'
            info = args.camera_info or beside
            topics = Topics(args.image, '' if info == 'none' else info, args.mask, args.label)
            with Recorder(
                topics, score=score, labels=LabelReader(args.label, coding), check=lambda: None
            ) as recorder:
                if not self._wait(recorder, interrupted):
                    self._console.print('interrupted: nothing was measured, nothing was written')
                    return _INTERRUPTED
                measurement = self._measure(recorder, interrupted)
                if not measurement.losses.masks:
                    raise silence_error(recorder, args.patience)
                self._write(recorder, measurement)
        return self._verdict(measurement)

    def _wait(self, recorder: Recorder, interrupted: Event) -> bool:
        """Wait until something comes on every topic; False after Ctrl-C."""
        topics, heard = recorder.topics, recorder.heard
        patience_s = self._args.patience
        end_s = time.monotonic() + patience_s
        with self._console.status('waiting for camera, labels and masks ...'):
            # Which quality of service to ask for is known once there are publishers.
            while not all(map(recorder.publishers_of, (topics.image, topics.label, topics.mask))):
                if interrupted.wait(0.1):
                    return False
                if time.monotonic() > end_s:
                    raise silence_error(recorder, patience_s)
            if topics.camera_info and not recorder.publishers_of(topics.camera_info):
                interrupted.wait(1.0)  # it may only be found a moment later
                if not recorder.publishers_of(topics.camera_info):
                    self._console.print(
                        f'nobody publishes {topics.camera_info}: timing the images themselves'
                    )
                    recorder.topics = Topics(topics.image, '', topics.mask, topics.label)
            recorder.subscribe(pictures=not self._args.no_pictures)
            recorder.listen(
                lambda: (
                    bool(heard.frames and heard.labels and heard.masks) or interrupted.is_set()
                ),
                timeout_s=max(1.0, end_s - time.monotonic()),
            )
        if interrupted.is_set():
            return False
        if not (heard.frames and heard.labels and heard.masks):
            raise silence_error(recorder, patience_s)
        return True

    def _measure(self, recorder: Recorder, interrupted: Event) -> Measurement:
        seconds = self._args.seconds or math.inf
        window = recorder.begin()
        start_s = time.monotonic()
        next_line_s = _LINE_PERIOD_S
        # Drawn when we say so: a drawing thread of its own would disturb what is measured.
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while (passed_s := time.monotonic() - start_s) < seconds and not interrupted.is_set():
                left_s = seconds - passed_s
                recorder.listen(interrupted.is_set, timeout_s=min(_PERIOD_S, left_s))
                passed_s = time.monotonic() - start_s
                if self._console.is_terminal:
                    live.update(progress_table(recorder, window, passed_s), refresh=True)
                elif passed_s >= next_line_s:
                    self._console.print(progress_line(recorder, window, passed_s), soft_wrap=True)
                    next_line_s += _LINE_PERIOD_S
        return recorder.end()

    def _write(self, recorder: Recorder, measurement: Measurement) -> None:
        output: Path = self._args.output
        topics = recorder.topics
        conditions = {
            'image': topics.image,
            'label': f'{topics.label} ({measurement.coding or "coding not clear"})',
            'mask': topics.mask,
            'camera': _size(measurement.camera_hw),
            'masks': _size(measurement.mask_hw),
            'labels': _size(measurement.label_hw),
            'seconds': f'{measurement.seconds:.1f}',
            'model': measurement.node.model if measurement.node else '',
            'machine': f'{machine_info().cpu}, {machine_info().cores_usable} cores, load '
            f'{self._load_before:.1f} before',
            'lane_seg_ros': lane_seg.__version__,
        }
        remarks = self._remarks(measurement)
        rows = {**rows_of(measurement), 'IoU': ious_text(measurement, 'the semantic camera')}
        self._console.print(table_of(f'{topics.mask}, {measurement.seconds:.1f} s', rows))
        for remark in remarks:
            self._console.print(remark, soft_wrap=True)
        content = {
            'schema': 1,
            'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'conditions': conditions,
            'remarks': remarks,
            **figures_of(measurement),
            'machine': asdict(machine_info()),
        }
        written = ['report.json', 'report.html']
        write_text(output / 'report.json', json_text(content))
        if can_draw_charts():
            with atomic_path(output / 'evaluation.png') as temporary:
                temporary.write_bytes(charts_as('png', measurement, LIGHT))
            written.append('evaluation.png')
        write_text(
            output / 'report.html',
            report_page(
                'Evaluation',
                f'{topics.mask} against {topics.label}, '
                f'{datetime.now(timezone.utc):%d %B %Y, %H:%M} UTC',
                measurement,
                pictures=comparisons_of(recorder.album, self._classes),
                conditions=conditions,
                remarks=remarks,
            ),
        )
        for name in written:
            self._console.print(f'  {output / name}', highlight=False, soft_wrap=True)

    def _remarks(self, measurement: Measurement) -> list[str]:
        remarks = []
        if measurement.coding != 'classes':
            remarks.append(TAG_REMARK)
        if measurement.scored and measurement.label_hw != measurement.mask_hw:
            remarks.append(
                f'Labels of {_size(measurement.label_hw)} were stretched to the masks of '
                f'{_size(measurement.mask_hw)}, nearest pixel.'
            )
        if not measurement.scored:
            remarks.append(
                'No mask had a label of the same stamp: are camera and semantic camera of one '
                'simulation, and synchronous?'
            )
        if measurement.repeated_stamps:
            remarks.append(
                f'{measurement.repeated_stamps} pictures had the stamp of one before and were '
                'left out.'
            )
        if measurement.pictures_not_drawn:
            remarks.append(
                f'{measurement.pictures_not_drawn} pairs of mask and label were not compared: '
                'this machine is overloaded.'
            )
        if measurement.node is None:
            remarks.append('The node reports nothing on /diagnostics: losses have no place.')
        if not can_draw_charts():
            remarks.append(NO_CHARTS)
        return remarks

    def _verdict(self, measurement: Measurement) -> int:
        """Say which class did not reach its IoU; the exit code."""
        code = 0
        for name, wanted in self._args.min_iou:
            iou = measurement.ious.get(name, math.nan)
            if not iou >= wanted:
                found = f'{iou:.3f}' if math.isfinite(iou) else 'none'
                self._console.print(f'expected an IoU of {name} of {wanted:g}, found {found}')
                code = 1
        return code


def _size(size_hw: tuple[int, int]) -> str:
    return f'{size_hw[1]} x {size_hw[0]}' if any(size_hw) else ''
