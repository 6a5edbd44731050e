"""Label PNGs come out as they were stored, or not at all."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lane_seg.errors import ImageError
from lane_seg_train.datasets.label_png import label_from_file
from tests.lane_seg_train.datasets.files import indexed_png, write_picture

if TYPE_CHECKING:
    from pathlib import Path

VALUES = np.arange(256, dtype=np.uint8).reshape(16, 16)
MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_values_come_out_as_they_are(tmp_path: Path) -> None:
    label = label_from_file(write_picture(tmp_path / 'a.png', VALUES))
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, VALUES)


def test_colours_come_out_in_bgr(tmp_path: Path) -> None:
    colours = np.dstack([VALUES, VALUES[::-1], VALUES.T])
    label = label_from_file(write_picture(tmp_path / 'a.png', colours))
    np.testing.assert_array_equal(label, colours)


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_of_a_palette_the_indices_are_read_and_not_the_colours(tmp_path: Path, bits: int) -> None:
    indices = VALUES & np.uint8((1 << bits) - 1)
    colours = [(index, 255 - index, 7) for index in range(1 << bits)]
    path = indexed_png(tmp_path / 'a.png', indices, colours, bits=bits)
    np.testing.assert_array_equal(label_from_file(path), indices)
    blue, green, red = np.moveaxis(label_from_file(path, colours=True), 2, 0)
    np.testing.assert_array_equal(red, indices)
    np.testing.assert_array_equal(green, 255 - indices)
    assert (blue == 7).all()


def test_opaque_alpha_is_left_out_and_transparency_refused(tmp_path: Path) -> None:
    colours = np.dstack([VALUES] * 3 + [np.full_like(VALUES, 255)])
    path = write_picture(tmp_path / 'a.png', colours)
    np.testing.assert_array_equal(label_from_file(path), colours[..., :3])
    colours[3, 4, 3] = 254
    write_picture(path, colours)
    with pytest.raises(ImageError, match=f'{path}: expected an opaque label'):
        label_from_file(path)


def test_a_label_of_16_bits_is_refused(tmp_path: Path) -> None:
    path = write_picture(tmp_path / 'a.png', np.full((4, 4), 300, np.uint16))
    with pytest.raises(ImageError, match=f'{path}: expected a label of 8 bits, found 16'):
        label_from_file(path)


@pytest.mark.parametrize('name', ['a.jpg', 'a.png'])
def test_a_jpeg_is_refused_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(cv2.imencode('.jpg', VALUES)[1].tobytes())
    with pytest.raises(ImageError, match=f'{path}: expected a label PNG, found a JPEG'):
        label_from_file(path)


@pytest.mark.parametrize(
    ('content', 'found'),
    [(b'', 'an empty file'), (b'BM no png', 'bytes of another type')],
)
def test_what_is_no_png_is_named(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f'{path}: expected a label PNG, found .*{found}'):
        label_from_file(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r'b\.png: .* cannot be read: No such file'):
        label_from_file(tmp_path / 'b.png')


@MANY
@given(kept=st.floats(0.01, 0.999))
def test_a_file_that_was_cut_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_picture(tmp_path / 'a.png', VALUES)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImageError, match=f'{path}: expected a'):
        label_from_file(path)


@MANY
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_file_with_one_wrong_bit_is_refused(tmp_path: Path, place: int, bit: int) -> None:
    path = write_picture(tmp_path / 'a.png', VALUES)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ImageError, match=f'{path}: expected a'):
        label_from_file(path)


@MANY
@given(content=st.binary(max_size=60))
def test_any_rubbish_after_a_signature_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + content)
    with pytest.raises(ImageError, match=f'{path}: expected a'):
        label_from_file(path)


def test_a_png_without_a_picture_is_refused(tmp_path: Path) -> None:
    path = write_picture(tmp_path / 'a.png', VALUES)
    data = path.read_bytes()
    path.write_bytes(data[:8] + data[-12:])  # signature and end mark
    with pytest.raises(ImageError, match='OpenCV cannot decode'):
        label_from_file(path)


def test_a_gamma_chunk_does_not_change_values(tmp_path: Path) -> None:
    path = write_picture(tmp_path / 'a.png', VALUES)
    data = path.read_bytes()
    chunk = b'gAMA' + (100_000).to_bytes(4, 'big')
    gamma = b'\0\0\0\4' + chunk + zlib.crc32(chunk).to_bytes(4, 'big')
    path.write_bytes(data[:33] + gamma + data[33:])
    np.testing.assert_array_equal(label_from_file(path), VALUES)
