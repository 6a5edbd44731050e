"""Label PNGs, in which a number or a colour stands for a class and no bit may change.

Specification: Portable Network Graphics (third edition), W3C, section 11, chunks.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ['label_from_file']

_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_JPEG_START = b'\xff\xd8'
_GREY, _PALETTE = 0, 3  # colour types
# Width, height, bit depth, colour type, compression, filter, interlace.
_HEADER = '>IIBBBBB'


def label_from_file(path: Path, *, colours: bool = False) -> NDArray[np.uint8]:
    """Read a label image without changing what it holds.

    Only PNG is read: JPEG blends the classes at every edge, and PNG states a check sum by which a
    damaged file is known. Gamma, colour profiles and transparent colours are left out: they change
    how a label looks and not what it means.

    Args:
        path: the file.
        colours: of a PNG with a palette, give the colours instead of the indices.

    Returns:
        (H, W) uint8 values, for a PNG with a palette its indices; or (H, W, 3) uint8 BGR colours.

    Raises:
        ImageError: no PNG, cut short, damaged, 16 bits deep, or partly transparent.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f'{path}: expected a label PNG, found that it cannot be read: {error.strerror}; '
            'check the file and its permissions',
            cause='type',
        ) from error
    if not data.startswith(_SIGNATURE):
        raise _no_png(path, data)
    chunks = dict.fromkeys((b'IHDR', b'PLTE', b'IDAT', b'IEND'), b'')
    for kind, body in _chunks(path, data):
        if kind in chunks:
            chunks[kind] += body
    if len(chunks[b'IHDR']) != struct.calcsize(_HEADER):
        raise _undecodable(path)
    header = list(struct.unpack(_HEADER, chunks[b'IHDR']))
    depth, colour_type = header[2], header[3]
    if depth > 8:
        raise ImageError(
            f'{path}: expected a label of 8 bits, found {depth} bits per channel; label values '
            'are 0..255: save it again with 8 bits',
            cause='encoding',
        )
    indexed = colour_type == _PALETTE and not colours
    if indexed:
        # The indices of a palette are coded as grey values are: call them grey and read them.
        header[3] = _GREY
        chunks[b'IHDR'] = struct.pack(_HEADER, *header)
        chunks[b'PLTE'] = b''
    label = _decoded(path, chunks)
    if indexed and depth < 8:
        # Grey of few bits is spread over 0..255.
        label //= np.uint8(255 // ((1 << depth) - 1))
    if label.ndim == 3 and label.shape[2] == 4:
        if (label[..., 3] != 255).any():
            raise ImageError(
                f'{path}: expected an opaque label, found an alpha channel with transparent '
                'pixels; a pixel is of a class or not: save it again without alpha',
                cause='encoding',
            )
        label = np.ascontiguousarray(label[..., :3])
    return label


def _chunks(path: Path, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk up to the end mark."""
    place, kind = len(_SIGNATURE), b''
    while kind != b'IEND':
        length = int.from_bytes(data[place : place + 4], 'big')
        checked = data[place + 4 : place + 8 + length]
        stated = data[place + 8 + length : place + 12 + length]
        if len(stated) < 4:
            raise ImageError(
                f'{path}: expected a whole PNG, found one that was cut short after {len(data)} '
                'bytes; copy or save it again',
                cause='truncated',
            )
        if zlib.crc32(checked) != int.from_bytes(stated, 'big'):
            raise ImageError(
                f'{path}: expected a sound PNG, found one whose check sum is wrong at byte '
                f'{place}: damaged; copy or save it again',
                cause='truncated',
            )
        kind = checked[:4]
        yield kind, checked[4:]
        place += 12 + length


def _decoded(path: Path, chunks: dict[bytes, bytes]) -> NDArray[np.uint8]:
    """Decode a PNG of these chunks alone, so that no other one alters the values."""
    data = bytearray(_SIGNATURE)
    for kind, body in chunks.items():
        if body or kind == b'IEND':
            data += len(body).to_bytes(4, 'big') + kind + body
            data += zlib.crc32(kind + body).to_bytes(4, 'big')
    try:
        label = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        label = None
    if label is None:
        raise _undecodable(path)
    return np.asarray(label, np.uint8)


def _no_png(path: Path, data: bytes) -> ImageError:
    if not data:
        return ImageError(
            f'{path}: expected a label PNG, found an empty file; copy or save it again',
            cause='truncated',
        )
    if data.startswith(_JPEG_START):
        return ImageError(
            f'{path}: expected a label PNG, found a JPEG, which blends the values of neighbouring '
            'classes; save the label again from its source as PNG',
            cause='encoding',
        )
    return ImageError(
        f'{path}: expected a label PNG, found {len(data)} bytes of another type; save it as PNG',
        cause='type',
    )


def _undecodable(path: Path) -> ImageError:
    return ImageError(
        f'{path}: expected a label PNG, found one that OpenCV cannot decode; save it again',
        cause='type',
    )
