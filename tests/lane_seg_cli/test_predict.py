"""`lane-seg predict` on a real, if tiny, model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg.sources import VideoSource, open_source
from lane_seg_cli.main import main
from tests.tiny_bundle import MARKING_FROM, ROAD_FROM, make_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose input is 64x128: images of that size are not scaled."""
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


def picture(height: int = 64, width: int = 128, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def definition(image: np.ndarray) -> np.ndarray:
    """What the tiny model says about an image of its own size."""
    grey = image.astype(np.float64).mean(axis=2)
    return ((grey >= ROAD_FROM).astype(np.uint8) + (grey >= MARKING_FROM)).astype(np.uint8)


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def read(path: Path) -> np.ndarray:
    """Read a file as it is stored: no conversion of depth or channels."""
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)


def files_in(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()
    )


def write_video(path: Path, *, frames: int, codec: str = 'MJPG') -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 20.0, (128, 64))
    for level in range(frames):
        writer.write(np.full((64, 128, 3), min(10 * level, 255), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize('engine', ['auto', 'openvino', 'onnxruntime'])
def test_a_mask_is_what_the_model_says(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    if engine != 'auto':
        pytest.importorskip(engine)
    write(tmp_path / 'in/a.png', picture())
    words = ['--model', str(model), '--engine', engine, '--threads', '1']
    assert main(['predict', str(tmp_path / 'in'), '--output', str(tmp_path / 'out'), *words]) == 0
    mask = read(tmp_path / 'out/a.png')
    assert mask.dtype == np.uint8
    assert mask.ndim == 2
    np.testing.assert_array_equal(mask, definition(picture()))
    said = capsys.readouterr().out
    share = 100 * (mask == 2).mean()
    for words_of_table in ('images', 'failed', f'{share:.2f} %', 'images/s', 'tiny 0.0.1'):
        assert words_of_table in said
    if engine != 'auto':
        assert engine in said
    assert str(tmp_path / 'out') in said


def test_masks_have_the_size_of_their_image_and_sub_folders_are_kept(
    tmp_path: Path, model: Path
) -> None:
    sizes = {'a.png': (7, 5), 'b/c.jpg': (720, 1280), 'b/d e/ü [bold]ñ.bmp': (33, 301)}
    for name, size in sizes.items():
        write(tmp_path / 'in' / name, np.full((*size, 3), 100, np.uint8))
    out = tmp_path / 'out'
    assert (
        main(['predict', str(tmp_path / 'in'), '--output', str(out), '--model', str(model)]) == 0
    )
    assert files_in(out) == sorted(str(Path(name).with_suffix('.png')) for name in sizes)
    for name, size in sizes.items():
        np.testing.assert_array_equal(
            read((out / name).with_suffix('.png')), np.ones(size, np.uint8)
        )


def test_several_inputs_go_into_one_folder(tmp_path: Path, model: Path) -> None:
    one = write(tmp_path / 'in/one.png', picture(seed=1))
    write(tmp_path / 'more/sub/two.png', picture(seed=2))
    out = tmp_path / 'out'
    inputs = [str(one), str(tmp_path / 'more'), str(tmp_path / 'in')]
    assert main(['predict', *inputs, '--output', str(out), '--model', str(model)]) == 0
    assert files_in(out) == ['one.png', 'sub/two.png']
    np.testing.assert_array_equal(read(out / 'sub/two.png'), definition(picture(seed=2)))


def test_overlays_show_the_classes_over_the_image(tmp_path: Path, model: Path) -> None:
    image = np.full((64, 128, 3), 40, np.uint8)
    image[:, 64:] = 200
    write(tmp_path / 'in/a.png', image)
    out = tmp_path / 'out'
    words = ['--output', str(out), '--model', str(model), '--overlay']
    assert main(['predict', str(tmp_path / 'in'), *words]) == 0
    assert files_in(out) == ['a.png', 'a_overlay.jpg']
    overlay = read(out / 'a_overlay.jpg').astype(int)
    assert np.abs(overlay[:, :56] - 40).max() < 8
    assert np.abs(overlay[:, 72:] - (100, 100, 228)).max() < 8


def test_confidence_is_a_picture_of_the_images_size(tmp_path: Path) -> None:
    model = make_tiny_bundle(tmp_path / 'sure', confidence=True)
    write(tmp_path / 'in/a.png', picture())
    write(tmp_path / 'in/b.png', np.full((360, 640, 3), 100, np.uint8))
    out = tmp_path / 'out'
    words = ['--output', str(out), '--model', str(model), '--confidence']
    assert main(['predict', str(tmp_path / 'in'), *words]) == 0
    assert files_in(out) == ['a.png', 'a_confidence.png', 'b.png', 'b_confidence.png']
    np.testing.assert_array_equal(read(out / 'a.png'), definition(picture()))
    # The tiny model is the more confident, the brighter a pixel is.
    np.testing.assert_array_equal(
        read(out / 'a_confidence.png'), np.rint(picture().mean(axis=2)).astype(np.uint8)
    )
    np.testing.assert_array_equal(
        read(out / 'b_confidence.png'), np.full((360, 640), 100, np.uint8)
    )


def test_without_the_option_a_model_with_confidence_writes_masks_only(tmp_path: Path) -> None:
    model = make_tiny_bundle(tmp_path / 'sure', confidence=True)
    path, out = write(tmp_path / 'a.png', picture()), tmp_path / 'out'
    assert main(['predict', str(path), '--output', str(out), '--model', str(model)]) == 0
    assert files_in(out) == ['a.png']


def test_confidence_that_the_model_does_not_give_is_refused_before_anything_is_written(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / 'a.jpg', picture())
    table = tmp_path / 'shares.csv'
    table.write_text('of the run before')
    words = ['--output', str(tmp_path / 'out'), '--model', str(model), '--csv', str(table)]
    assert main(['predict', str(path), *words, '--confidence']) == 1
    said = capsys.readouterr().err
    assert said.startswith('error: model tiny: expected one that gives confidence')
    assert 'lane-seg add-confidence' in said
    assert not (tmp_path / 'out').exists()
    assert table.read_text() == 'of the run before'


def test_a_confidence_does_not_overwrite_an_input(tmp_path: Path) -> None:
    model = make_tiny_bundle(tmp_path / 'sure', confidence=True)
    for name in ('in/a.jpg', 'in/a_confidence.png'):
        write(tmp_path / name, picture())
    words = ['--output', str(tmp_path / 'in'), '--model', str(model), '--confidence']
    assert main(['predict', str(tmp_path / 'in'), *words]) == 1
    assert files_in(tmp_path / 'in') == ['a.jpg', 'a_confidence.png']


def test_bad_files_are_named_and_the_good_ones_are_written(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / 'in/a.png', picture())
    cut = write(tmp_path / 'in/b [red].jpg', picture(240, 320))
    cut.write_bytes(cut.read_bytes()[:4000])
    (tmp_path / 'in/c.png').write_bytes(b'')
    (tmp_path / 'in/d.bmp').write_text('no image')
    write(tmp_path / 'in/z.png', picture(seed=1))
    (tmp_path / 'film.mp4').write_text('no video')
    out = tmp_path / 'out'
    inputs = [str(tmp_path / 'in'), str(tmp_path / 'film.mp4'), str(tmp_path / 'nowhere')]
    assert main(['predict', *inputs, '--output', str(out), '--model', str(model)]) == 1
    assert files_in(out) == ['a.png', 'z.png']
    said = capsys.readouterr()
    for name in ('in/b [red].jpg', 'in/c.png', 'in/d.bmp', 'film.mp4', 'nowhere'):
        assert f'error: {tmp_path / name}: expected' in said.err
    table = [line.split() for line in said.out.splitlines()]
    assert ['│', 'images', '│', '2', '│'] in table
    assert ['│', 'failed', '│', '5', '│'] in table


def test_grey_and_16_bit_images_are_taken(tmp_path: Path, model: Path) -> None:
    grey = picture()[..., 0]
    write(tmp_path / 'in/grey.png', grey)
    write(tmp_path / 'in/deep.png', grey.astype(np.uint16) * 257)
    out = tmp_path / 'out'
    assert (
        main(['predict', str(tmp_path / 'in'), '--output', str(out), '--model', str(model)]) == 0
    )
    for name in ('grey.png', 'deep.png'):
        np.testing.assert_array_equal(read(out / name), definition(np.dstack([grey] * 3)))


def test_a_video_becomes_a_film_of_as_many_frames(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / 'a drive.avi', frames=25)
    out = tmp_path / 'out'
    assert main(['predict', str(path), '--output', str(out), '--model', str(model)]) == 0
    assert files_in(out) == ['a drive.mp4']
    film = open_source(out / 'a drive.mp4')
    assert isinstance(film, VideoSource)
    assert (film.height, film.width, film.fps) == (64, 128, 20.0)
    frames = list(film)
    assert len(frames) == 25
    # Frame 20 has level 200, lane marking: half of it, and half of red.
    assert np.abs(frames[20].image.reshape(-1, 3).mean(axis=0) - (100, 100, 228)).max() < 15
    assert 'video frames' in capsys.readouterr().out


def test_what_can_be_read_of_a_cut_video_is_kept(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / 'a.avi', frames=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    out = tmp_path / 'out'
    assert main(['predict', str(path), '--output', str(out), '--model', str(model)]) == 1
    assert 'expected 60 frames' in capsys.readouterr().err
    assert 20 < len(list(open_source(out / 'a.mp4'))) < 40


@pytest.mark.parametrize(
    'names', [('in/a.jpg', 'in/a.png'), ('in/a.png', 'more/a.png'), ('in/s/a.bmp', 'more/s/a.jpg')]
)
def test_two_images_with_one_result_are_refused_before_anything_is_written(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    write(tmp_path / 'in/0.png', picture())
    for name in names:
        write(tmp_path / name, picture())
    folders = sorted({str(tmp_path / name.partition('/')[0]) for name in names})
    out = tmp_path / 'out'
    assert main(['predict', *folders, '--output', str(out), '--model', str(model)]) == 1
    said = capsys.readouterr().err
    for name in names:
        assert str(tmp_path / name) in said
    assert 'would both be written to' in said
    assert not out.exists()


@pytest.mark.parametrize('name', ['a.png', 'a.mp4'])
def test_an_input_is_never_overwritten(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / name
    if path.suffix == '.png':
        write(path, picture())
    else:
        write_video(path, frames=3, codec='mp4v')
    before = path.read_bytes()
    words = ['--output', str(tmp_path / '.'), '--model', str(model)]
    assert main(['predict', str(path), *words]) == 1
    assert 'would overwrite the input' in capsys.readouterr().err
    assert path.read_bytes() == before
    assert files_in(tmp_path) == [name]


def test_an_overlay_does_not_overwrite_an_input_either(tmp_path: Path, model: Path) -> None:
    for name in ('a.jpg', 'a_overlay.jpg'):
        write(tmp_path / name, picture())
    words = ['--output', str(tmp_path), '--model', str(model), '--overlay']
    assert main(['predict', str(tmp_path), *words]) == 1
    assert files_in(tmp_path) == ['a.jpg', 'a_overlay.jpg']


def test_a_second_run_makes_no_masks_of_masks(tmp_path: Path, model: Path) -> None:
    write(tmp_path / 'a.jpg', picture())
    words = ['--output', str(tmp_path / 'masks'), '--model', str(model), '--overlay']
    for _ in range(2):
        assert main(['predict', str(tmp_path), *words]) == 0
    assert files_in(tmp_path) == ['a.jpg', 'masks/a.png', 'masks/a_overlay.jpg']


def test_output_that_is_a_file_is_refused(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / 'a.jpg', picture())
    assert main(['predict', str(path), '--output', str(path), '--model', str(model)]) == 1
    assert 'expected a folder, found a file' in capsys.readouterr().err


def test_a_model_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / 'a.jpg', picture())
    words = ['--output', str(tmp_path / 'out'), '--model', str(tmp_path / 'no model')]
    assert main(['predict', str(path), *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith('error: expected a model bundle')
    assert 'no model' in said


def test_an_unknown_engine_is_wrong_usage(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ['a.jpg', '--output', str(tmp_path), '--model', str(model), '--engine', 'abacus']
    assert main(['predict', *words]) == 2
    assert "invalid choice: 'abacus'" in capsys.readouterr().err


def test_an_engine_that_cannot_run_here_says_so_and_writes_nothing(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / 'a.jpg', picture())
    words = ['--output', str(tmp_path / 'out'), '--model', str(model), '--engine', 'tensorrt']
    assert main(['predict', str(path), *words]) == 1
    assert capsys.readouterr().err.startswith('error: engine tensorrt: ')
    assert not (tmp_path / 'out').exists()


def test_ctrl_c_leaves_whole_files_only(tmp_path: Path, model: Path) -> None:
    first = write(tmp_path / 'in/0.png', picture(360, 640))
    for number in range(1, 1500):
        os.link(first, tmp_path / f'in/{number}.png')
    out = tmp_path / 'out'
    process = subprocess.Popen(
        [sys.executable, '-m', 'lane_seg_cli.main', 'predict', str(tmp_path / 'in')]
        + ['--output', str(out), '--model', str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
    )
    end = time.monotonic() + 60
    while not (out / '5.png').exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == 'interrupted\n'
    names = files_in(out)
    assert 5 < len(names) < 1500
    for name in names:
        assert not name.startswith('.')
        assert read(out / name).shape == (360, 640)
