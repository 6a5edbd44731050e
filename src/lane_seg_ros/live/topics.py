"""What a recorder listens to, and how much of it has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from lane_seg.timing import TimingWindow

__all__ = ['Heard', 'Topics']


@dataclass(frozen=True)
class Topics:
    """What is listened to; '' is not there.

    Attributes:
        image: pictures of the camera.
        camera_info: stands for its image, since it has the same header and does not cost the
            receiver megabytes per frame; '' takes the pictures themselves.
        mask: of the node.
        label: true labels.
        overlay: of the node.
    """

    image: str
    camera_info: str
    mask: str
    label: str = ''
    overlay: str = ''

    @property
    def status_name(self) -> str:
        """Name of the node's status on /diagnostics."""
        return f'{self.mask.rpartition("/")[0].lstrip("/")}: pipeline'


@dataclass
class Heard:
    """How many messages of each kind have arrived since the recorder started."""

    frames: int = 0
    images: int = 0
    masks: int = 0
    labels: int = 0
    overlays: int = 0
    reports: int = 0
    latencies: TimingWindow = field(default_factory=TimingWindow)
