"""What a quantized checkpoint says of how it came to be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['QuantizationRecord']


@dataclass(frozen=True)
class QuantizationRecord:
    """How a network was quantized.

    Attributes:
        calibrator: how the ranges of activations were chosen; see `calibrators`.
        percentile: of calibrator 'percentile'.
        images: number of calibration images.
        sha256: of these images, in order.
        exclude: convolutions that stay float.
        qat_epochs: epochs of quantization-aware training; 0: post-training quantization only.
    """

    calibrator: str
    percentile: float
    images: int
    sha256: str
    exclude: tuple[str, ...] = ()
    qat_epochs: int = 0

    @property
    def method(self) -> str:
        """One line for people."""
        how = 'quantization-aware training' if self.qat_epochs else 'post-training quantization'
        chosen = self.calibrator
        if chosen == 'percentile':
            chosen = f'percentile {self.percentile:g}'
        text = (
            f'{how}, symmetric int8, weights per output channel, activations per tensor ({chosen})'
        )
        return f'{text}, {", ".join(self.exclude)} in float' if self.exclude else text
