"""Diagnostics: what is counted, and which level and words that makes."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip('diagnostic_msgs')

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from lane_seg.mailbox import Drops
from lane_seg_ros import pipeline_stats
from lane_seg_ros.diagnostics import NodeState, diagnostic_array, status_from_counts
from lane_seg_ros.pipeline_stats import PipelineCounts, PipelineStats, Throttle

ACTIVE = NodeState(
    'active',
    inference_alive=True,
    seconds_without_image=0.1,
    image_topic='/camera/image',
    image_publishers=1,
    engine='openvino',
    engine_threads=2,
    model='tiny',
    model_version='0.0.1',
    model_sha256='0123456789abcdef' * 4,
)


def status_of(
    stats: PipelineStats,
    *,
    before: PipelineCounts | None = None,
    state: NodeState = ACTIVE,
    dropped: int = 0,
) -> DiagnosticStatus:
    return status_from_counts(
        stats.counts(Drops(newer=dropped)),
        before or PipelineCounts(),
        state,
        name='lane_seg_node: pipeline',
        elapsed_s=2.0,
        stale_after_s=1.0,
    )


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def test_a_good_second_is_ok_and_tells_the_rate() -> None:
    stats = PipelineStats()
    for _ in range(60):
        stats.count_frame()
        stats.count_mask({'inference': 4.0, 'age': 9.0})
    status = status_of(stats)
    assert status.level == DiagnosticStatus.OK
    assert status.message == '30.0 masks per second'
    assert status.hardware_id == 'openvino'


def test_the_values_name_engine_model_counts_and_latencies() -> None:
    stats = PipelineStats()
    stats.count_frame()
    stats.count_mask({'convert': 0.5, 'inference': 4.0, 'age': 9.0})
    stats.count_overlay(1.25)
    values = values_of(status_of(stats, dropped=0))
    expected = {
        'state': 'active',
        'engine': 'openvino',
        'engine_threads': '2',
        'model': 'tiny',
        'model_version': '0.0.1',
        'model_sha256': '0123456789ab',
        'frames_received': '1',
        'masks_published': '1',
        'overlays_published': '1',
        'frames_lost': '0',
        'frames_dropped': '0',
        'inference_errors': '0',
        'bad_images': '0',
        'bad_images.truncated': '0',
        'inference_ms.p50': '4.000',
        'inference_ms.p99': '4.000',
        'overlay_ms.p50': '1.250',
        'age_ms.p99': '9.000',
    }
    assert {key: values[key] for key in expected} == expected
    assert 'preprocess_ms.p50' not in values  # nothing measured, nothing claimed


def test_a_bad_image_warns_once_and_stays_counted() -> None:
    stats = PipelineStats()
    stats.count_bad_image('step')
    first = status_of(stats)
    assert first.level == DiagnosticStatus.WARN
    assert '1 bad images since the last report (step)' in first.message
    second = status_of(stats, before=stats.counts(Drops()))
    assert second.level == DiagnosticStatus.OK
    assert values_of(second)['bad_images.step'] == '1'


def test_drops_warn() -> None:
    status = status_of(PipelineStats(), dropped=3)
    assert status.level == DiagnosticStatus.WARN
    assert '3 frames dropped' in status.message


def test_frames_that_never_came_warn_with_what_helps() -> None:
    stats = PipelineStats()
    stats.count_lost(1)
    stats.count_lost(2)
    status = status_of(stats)
    assert status.level == DiagnosticStatus.WARN
    assert '3 frames since the last report were sent and never came' in status.message
    assert 'Fast DDS profile' in status.message
    assert values_of(status)['frames_lost'] == '3'


def test_drops_are_told_apart_and_only_those_that_are_nobodys_wish_warn() -> None:
    stats = PipelineStats()
    stats.count_replaced(Drops(newer=0, held=5))
    assert status_of(stats).level == DiagnosticStatus.OK
    stats.count_stale()
    status = status_of(stats)
    assert status.level == DiagnosticStatus.WARN
    assert '1 frames dropped since the last report: older than max_age_ms' in status.message
    values = values_of(status)
    assert {key: value for key, value in values.items() if 'dropped' in key} == {
        'frames_dropped': '6',
        'frames_dropped.newer': '0',
        'frames_dropped.rate': '5',
        'frames_dropped.stale': '1',
    }


def test_a_node_that_deactivated_itself_is_an_error_with_its_reason() -> None:
    state = NodeState('inactive', failure='the engine failed on 3 images in a row')
    status = status_of(PipelineStats(), state=state)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == 'deactivated itself: the engine failed on 3 images in a row'


def test_a_lazy_node_to_which_nobody_listens_is_ok_and_says_so() -> None:
    state = NodeState('active', asleep=True, inference_alive=True, seconds_without_image=60.0)
    status = status_of(PipelineStats(), state=state)
    assert status.level == DiagnosticStatus.OK
    assert 'nobody listens' in status.message


def test_an_inference_error_is_an_error() -> None:
    stats = PipelineStats()
    stats.count_inference_error()
    status = status_of(stats)
    assert status.level == DiagnosticStatus.ERROR
    assert 'inference failed on 1 images' in status.message


def test_a_dead_inference_thread_is_an_error_that_comes_before_the_warnings() -> None:
    state = NodeState('active', inference_alive=False, seconds_without_image=5.0)
    status = status_of(PipelineStats(), state=state)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message.startswith('the inference thread has ended')
    assert 'no image on image for 5.0 s' in status.message


@pytest.mark.parametrize(
    ('publishers', 'hint'), [(0, 'check the remapping'), (2, 'input_reliability')]
)
def test_a_silent_camera_warns_with_what_to_look_at(publishers: int, hint: str) -> None:
    state = NodeState(
        'active',
        inference_alive=True,
        seconds_without_image=1.5,
        image_topic='/camera/image',
        image_publishers=publishers,
    )
    status = status_of(PipelineStats(), state=state)
    assert status.level == DiagnosticStatus.WARN
    assert 'no image on /camera/image for 1.5 s' in status.message
    assert hint in status.message


@pytest.mark.parametrize('phase', ['unconfigured', 'inactive'])
def test_a_node_at_rest_is_ok_however_long_there_was_no_image(phase: str) -> None:
    state = NodeState('inactive' if phase == 'inactive' else 'unconfigured')
    status = status_of(PipelineStats(), state=state)
    assert (status.level, status.message) == (DiagnosticStatus.OK, phase)


def test_the_message_carries_the_stamp_and_the_status() -> None:
    status = status_of(PipelineStats())
    array = diagnostic_array([status], stamp=Time(sec=3, nanosec=4))
    assert array.header.stamp == Time(sec=3, nanosec=4)
    assert array.status == [status]


def test_counts_are_complete_when_several_threads_count() -> None:
    stats = PipelineStats()

    def work() -> None:
        for _ in range(1000):
            stats.count_frame()
            stats.count_bad_image('size')
            stats.count_mask({'inference': 1.0})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = stats.counts(Drops())
    assert (counts.frames_received, counts.masks_published) == (4000, 4000)
    assert counts.bad_images['size'] == counts.bad_images_total == 4000


def test_the_throttle_holds_back_per_key_and_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr(pipeline_stats.time, 'monotonic', lambda: now_s)
    throttle = Throttle(5.0)
    assert throttle.admit('step') == 0
    assert throttle.admit('step') is None
    assert throttle.admit('step') is None
    assert throttle.admit('size') == 0
    now_s = 106.0
    assert throttle.admit('step') == 2
    now_s = 112.0
    assert throttle.admit('step') == 0
