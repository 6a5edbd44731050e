"""Where frames were lost between camera, node and listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

__all__ = ['Losses', 'NodeCounts', 'losses_of', 'node_counts']


@dataclass(frozen=True)
class NodeCounts:
    """What lane_seg_node says about itself on /diagnostics.

    Attributes:
        received: images that reached it.
        dropped: images that a newer one replaced before they were processed.
        refused: images that were broken, and those on which the engine failed.
        masks: masks that it published.
        engine: the engine that runs.
        threads: CPU threads of the engine.
        stages_ms: {stage: (median, 99th percentile)} over its last 300 frames.
        model: name and version of the model.
    """

    received: int
    dropped: int
    refused: int
    masks: int
    engine: str
    threads: int
    stages_ms: Mapping[str, tuple[float, float]]
    model: str = ''


@dataclass(frozen=True)
class Losses:
    """Where the frames of a measured time went; the places add up to camera - masks.

    Attributes:
        camera: frames that the camera published.
        masks: masks that the listener received for them.
        overlays: overlays that the listener received for them.
        camera_to_node: lost on the way to the node.
        mailbox: dropped by the node because a newer frame was there.
        refused: broken, or the engine failed.
        node_to_listener: their masks were lost on the way to the listener.
        somewhere: the node does not report, so nobody knows where.
    """

    camera: int
    masks: int
    overlays: int
    camera_to_node: int
    mailbox: int
    refused: int
    node_to_listener: int
    somewhere: int = 0

    @property
    def lost(self) -> int:
        """Frames without a mask."""
        return self.camera - self.masks

    def __add__(self, other: Losses) -> Losses:
        """Of two stretches of time."""
        return Losses(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        """How many frames were lost, and where."""
        places = {
            'camera to node': self.camera_to_node,
            'a newer frame was there': self.mailbox,
            'refused': self.refused,
            'node to listener': self.node_to_listener,
            'the node reports nothing': self.somewhere,
        }
        text = ', '.join(f'{place}: {number}' for place, number in places.items() if number)
        return f'{self.lost}  ({text})' if text else str(self.lost)


def node_counts(values: Mapping[str, str]) -> NodeCounts | None:
    """Read the key-values of the node's diagnostic status; None while it has no engine."""
    if not values.get('engine'):
        return None
    stages = [key.removesuffix('_ms.p50') for key in values if key.endswith('_ms.p50')]
    return NodeCounts(
        received=int(values['frames_received']),
        dropped=int(values['frames_dropped']),
        refused=int(values['bad_images']) + int(values['inference_errors']),
        masks=int(values['masks_published']),
        engine=values['engine'],
        threads=int(values['engine_threads']),
        stages_ms={
            stage: (float(values[f'{stage}_ms.p50']), float(values[f'{stage}_ms.p99']))
            for stage in stages
        },
        model=f'{values.get("model", "")} {values.get("model_version", "")}'.strip(),
    )


def losses_of(
    *,
    camera: int,
    masks: int,
    overlays: int,
    before: NodeCounts | None,
    after: NodeCounts | None,
    masks_received_between: int,
) -> Losses:
    """Say where frames were lost.

    That a frame has no mask is known exactly, from the stamps. Where it was lost follows from the
    node's counters, whose reports stand up to one reporting period beside the edges of the
    window; so they never explain more than was lost.

    Args:
        camera: frames of the window.
        masks: masks received for them.
        overlays: overlays received for them.
        before: the node's counters at the start of the window; None without a report.
        after: the node's counters after its end.
        masks_received_between: masks received between those two reports.
    """
    left = camera - masks
    if before is None or after is None:
        return Losses(camera, masks, overlays, 0, 0, 0, 0, somewhere=left)
    mailbox = min(left, max(0, after.dropped - before.dropped))
    left -= mailbox
    refused = min(left, max(0, after.refused - before.refused))
    left -= refused
    published = after.masks - before.masks
    node_to_listener = min(left, max(0, published - masks_received_between))
    return Losses(
        camera=camera,
        masks=masks,
        overlays=overlays,
        camera_to_node=left - node_to_listener,
        mailbox=mailbox,
        refused=refused,
        node_to_listener=node_to_listener,
    )
