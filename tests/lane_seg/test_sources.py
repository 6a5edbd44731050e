"""Images from files, folders and videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lane_seg.errors import ImageError
from lane_seg.sources import ImageSource, VideoSource, image_from_file, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def picture(height: int = 48, width: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)


def write(path: Path, image: NDArray[np.generic]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix.lower(), image)[1].tobytes())
    return path


def write_video(path: Path, *, frames: int, fps: float = 25.0, codec: str = 'MJPG') -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (64, 48))
    assert writer.isOpened()
    for seed in range(frames):
        writer.write(picture(seed=seed))
    writer.release()
    return path


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment with one entry, the orientation, after the start marker."""
    entry = b'\x12\x01\x03\x00\x01\x00\x00\x00' + bytes([orientation, 0, 0, 0])
    tiff = b'II*\x00\x08\x00\x00\x00' + b'\x01\x00' + entry + b'\x00\x00\x00\x00'
    body = b'Exif\x00\x00' + tiff
    return jpeg[:2] + b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body + jpeg[2:]


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.tiff', '.ppm', '.PNG'])
def test_an_image_comes_out_as_it_went_in(tmp_path: Path, suffix: str) -> None:
    source = open_source(write(tmp_path / f'a{suffix}', picture()))
    assert isinstance(source, ImageSource)
    assert source.length == 1
    assert source.fps is None
    (frame,) = source
    assert frame.name == f'a{suffix}'
    assert frame.error is None
    np.testing.assert_array_equal(frame.image, picture())


def test_a_grey_image_becomes_bgr(tmp_path: Path) -> None:
    grey = picture()[..., 0]
    image = image_from_file(write(tmp_path / 'grey.png', grey))
    np.testing.assert_array_equal(image, np.dstack([grey] * 3))


@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.pgm'])
def test_of_16_bits_the_upper_8_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    image = image_from_file(write(tmp_path / f'deep{suffix}', deep))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.dstack([(deep >> 8).astype(np.uint8)] * 3))


def test_alpha_is_left_out(tmp_path: Path) -> None:
    clear = np.dstack([picture(), np.zeros((48, 64), np.uint8)])
    np.testing.assert_array_equal(image_from_file(write(tmp_path / 'clear.png', clear)), picture())


def test_a_photo_of_a_camera_held_sideways_comes_out_upright(tmp_path: Path) -> None:
    plain = write(tmp_path / 'plain.jpg', picture())
    turned = tmp_path / 'turned.jpg'
    turned.write_bytes(with_exif_orientation(plain.read_bytes(), 6))
    image = image_from_file(turned)
    np.testing.assert_array_equal(image, np.rot90(image_from_file(plain), -1))
    np.testing.assert_array_equal(image, cv2.imread(str(turned)))


def test_a_folder_is_read_with_sub_folders_in_natural_order(tmp_path: Path) -> None:
    names = ['frame10.png', 'frame2.PNG', 'b/1.jpg', 'a 10/x.png', 'a 9/x.png', 'Frame3.png']
    for name in names:
        write(tmp_path / name, picture())
    (tmp_path / 'notes.txt').write_text('no image')
    write(tmp_path / '._frame2.png', picture())
    write(tmp_path / '.thumbnails/x.png', picture())
    source = open_source(tmp_path)
    assert [frame.name for frame in source] == [
        'a 9/x.png', 'a 10/x.png', 'b/1.jpg', 'frame2.PNG', 'Frame3.png', 'frame10.png',
    ]  # fmt: skip
    assert source.length == 6


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path / 'elsewhere/x.png', picture())
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/linked').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'images/circle').symlink_to(tmp_path / 'images')
    assert [frame.name for frame in open_source(tmp_path / 'images')] == ['linked/x.png']


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.bmp', '.tiff', '.webp'])
@pytest.mark.parametrize('kept', [0.98, 0.5, 0.03, 0.0])
def test_a_file_that_was_cut_is_named_and_the_others_are_read(
    tmp_path: Path, suffix: str, kept: float
) -> None:
    for name in ('a', 'b', 'c'):
        path = write(tmp_path / f'{name}{suffix}', picture(240, 320))
    data = path.read_bytes()
    bad = tmp_path / f'b{suffix}'
    bad.write_bytes(data[: int(len(data) * kept)])
    first, second, third = open_source(tmp_path)
    assert first.image.shape == third.image.shape == (240, 320, 3)
    assert isinstance(second.error, ImageError)
    assert str(bad) in str(second.error)
    with pytest.raises(ImageError, match='found'):
        _ = second.image


def test_a_cut_jpeg_with_a_whole_preview_inside_is_still_cut(tmp_path: Path) -> None:
    preview = cv2.imencode('.jpg', picture(8, 8))[1].tobytes()
    jpeg = cv2.imencode('.jpg', picture(240, 320))[1].tobytes()
    segment = b'\xff\xe1' + (len(preview) + 2).to_bytes(2, 'big') + preview
    whole = jpeg[:2] + segment + jpeg[2:]
    path = tmp_path / 'a.jpg'
    path.write_bytes(whole)
    assert image_from_file(path).shape == (240, 320, 3)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match='cut short') as caught:
        image_from_file(path)
    assert caught.value.cause == 'truncated'


def test_a_jpeg_with_a_film_behind_it_is_whole(tmp_path: Path) -> None:
    jpeg = cv2.imencode('.jpg', picture(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    path = tmp_path / 'motion.jpg'
    path.write_bytes(jpeg + bytes(range(256)) * 40)
    assert image_from_file(path).shape == (48, 64, 3)


@given(
    data=st.binary(max_size=200), start=st.sampled_from([b'', b'\xff\xd8', b'\x89PNG\r\n\x1a\n'])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_rubbish_is_an_image_or_an_image_error(tmp_path: Path, data: bytes, start: bytes) -> None:
    path = tmp_path / 'rubbish.png'
    path.write_bytes(start + data)
    try:
        image = image_from_file(path)
    except ImageError as error:
        assert str(path) in str(error)
    else:
        assert image.ndim == 3


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / 'gone.png').symlink_to(tmp_path / 'nowhere.png')
    (frame,) = open_source(tmp_path)
    assert 'No such file' in str(frame.error)


@pytest.mark.parametrize(
    ('codec', 'suffix'), [('MJPG', '.avi'), ('mp4v', '.mp4'), ('FFV1', '.mkv')]
)
def test_a_video_gives_its_frames_rate_length_and_size(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    source = open_source(write_video(tmp_path / f'a{suffix}', frames=12, codec=codec))
    assert isinstance(source, VideoSource)
    assert (source.length, source.fps, source.height, source.width) == (12, 25.0, 48, 64)
    frames = list(source)
    assert [frame.name for frame in frames] == [f'a{suffix}#{number}' for number in range(12)]
    error = np.abs(frames[3].image.astype(int) - picture(seed=3)).mean()
    assert error < (1 if codec == 'FFV1' else 25)


def test_a_video_can_be_read_twice(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / 'a.avi', frames=3))
    assert len(list(source)) == len(list(source)) == 3


def test_a_video_that_was_cut_short_says_so_after_its_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / 'a.avi', frames=60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    *frames, last = open_source(path)
    assert 20 < len(frames) < 40
    assert all(frame.error is None for frame in frames)
    assert last.error is not None
    assert last.error.cause == 'truncated'
    assert 'expected 60 frames' in str(last.error)


def test_a_damaged_video_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'no video')
    with pytest.raises(ImageError, match=r'a\.mp4.*ffmpeg -i'):
        open_source(path)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r'nowhere: expected an image.*no such path'):
        open_source(tmp_path / 'nowhere')


def test_a_folder_without_images_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r'expected images \(bmp jpeg jpg'):
        open_source(tmp_path)


def test_a_folder_of_videos_says_how_to_give_them(tmp_path: Path) -> None:
    write_video(tmp_path / 'a.avi', frames=1)
    with pytest.raises(ImageError, match='none but 1 videos; give each by its name'):
        open_source(tmp_path)


def test_another_type_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'notes.txt'
    path.write_text('no image')
    with pytest.raises(ImageError, match=r'found \.txt'):
        open_source(path)
