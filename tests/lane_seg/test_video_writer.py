"""MP4 files, whole or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg.sources import VideoSource, open_source
from lane_seg.video_writer import new_video
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path


def frame(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / 'new folder/a.mp4'
    with new_video(path, fps=12.5, size_hw=(48, 64)) as video:
        for level in range(0, 200, 20):
            video.add(frame(level))
    source = open_source(path)
    assert isinstance(source, VideoSource)
    assert (source.length, source.fps, source.height, source.width) == (10, 12.5, 48, 64)
    means = [item.image.mean() for item in source]
    assert np.abs(np.subtract(means, range(0, 200, 20))).max() < 8


def test_a_frame_of_another_size_is_scaled_and_not_dropped(tmp_path: Path) -> None:
    with new_video(tmp_path / 'a.mp4', fps=10, size_hw=(48, 64)) as video:
        video.add(frame(100))
        video.add(frame(100, 24, 32))
    assert len(list(open_source(tmp_path / 'a.mp4'))) == 2


@pytest.mark.parametrize('stop', [KeyboardInterrupt, ValueError])
def test_after_an_exception_the_old_file_is_still_there(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'old')
    with pytest.raises(stop), new_video(path, fps=10, size_hw=(48, 64)) as video:
        video.add(frame(100))
        raise stop
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_without_frames_is_an_error_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    with (
        pytest.raises(LaneSegError, match='expected frames'),
        new_video(path, fps=10, size_hw=(48, 64)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_a_video_at_once_and_leaves_the_old_one(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    with small_disk(tmp_path / 'disk') as disk:
        path = disk / 'a.mp4'
        path.write_bytes(b'old')
        with (
            pytest.raises(LaneSegError, match=r'a\.mp4: the disk was full after \d+ frames'),
            new_video(path, fps=10, size_hw=(240, 320)) as video,
        ):
            for _ in range(1000):
                video.add(noise)
        assert path.read_bytes() == b'old'
        assert list(disk.iterdir()) == [path]
