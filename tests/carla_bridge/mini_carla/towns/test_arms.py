"""Paint where a street meets a junction: in front of the lanes that lead there."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from carla_bridge.mini_carla.towns.arms import UNMARKED_M, painted_arm
from carla_bridge.mini_carla.towns.curve import Curve, Pose, line
from carla_bridge.mini_carla.towns.network import Lane, LaneSection, Poly3, Road, RoadObject

WAYS = ('LS', 'SR')


def street() -> Road:
    width = (Poly3(0.0, 3.0),)
    lanes = tuple(Lane(i, width=width if i else ()) for i in (2, 1, 0, -1, -2))
    return Road(1, Curve(Pose(0.0, 0.0, 0.0), line(100.0)), (LaneSection(0.0, lanes),))


def painted(contact: Literal['start', 'end']) -> tuple[Road, dict[str, list[RoadObject]]]:
    road = painted_arm(street(), contact, WAYS)
    things: dict[str, list[RoadObject]] = {}
    for thing in road.objects:
        things.setdefault(thing.kind, []).append(thing)
    return road, things


def reach(thing: RoadObject) -> tuple[float, float, float, float]:
    """Least and greatest s and t of its paint."""
    corners = np.concatenate([np.array(part) for part in thing.parts]) + (thing.s, thing.t)
    return (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


def test_a_crosswalk_spans_the_carriageway_in_stripes() -> None:
    _, things = painted('end')
    (zebra,) = things['crosswalk']
    s0, t0, s1, t1 = reach(zebra)
    assert (s0, s1) == pytest.approx((96.0, 99.0))
    assert -6.0 <= t0 < -5.0 and 5.0 < t1 <= 6.0
    assert len(zebra.parts) >= 8
    us, vs = zip(*zebra.outline, strict=True)
    assert (min(us), max(us), min(vs), max(vs)) == (-1.5, 1.5, -6.0, 6.0)


@pytest.mark.parametrize(('contact', 's'), [('end', (94.6, 95.0)), ('start', (5.0, 5.4))])
def test_the_stop_line_crosses_only_the_lanes_that_lead_to_the_junction(
    contact: Literal['start', 'end'], s: tuple[float, float]
) -> None:
    _, things = painted(contact)
    (line_,) = things['stop_line']
    s0, t0, s1, t1 = reach(line_)
    assert (s0, s1) == pytest.approx(s)
    assert (t0, t1) == pytest.approx((-6.0, 0.0) if contact == 'end' else (0.0, 6.0))
    assert pytest.approx(5.4) == UNMARKED_M


@pytest.mark.parametrize('contact', ['start', 'end'])
def test_arrows_lie_in_their_lane_and_point_at_the_junction(
    contact: Literal['start', 'end'],
) -> None:
    _, things = painted(contact)
    assert len(things['arrow']) == 4
    sign = 1 if contact == 'end' else -1
    for arrow in things['arrow']:
        s0, t0, s1, t1 = reach(arrow)
        lane = 0 if abs(arrow.t) < 3.0 else 1
        assert arrow.name == f'Stencil_Arrow_{WAYS[lane]}'
        low, high = sorted((-sign * 3.0 * lane, -sign * 3.0 * (lane + 1)))
        assert low < t0 < t1 < high
        assert s1 - s0 == pytest.approx(4.0)
        # The single foremost corner is the tip of the head.
        corners = np.concatenate([np.array(part) for part in arrow.parts]) * sign
        assert (corners[:, 0] > corners[:, 0].max() - 0.01).sum() == 1
        # A branch to the left reaches out to the left of who drives there.
        far_left, far_right = corners[:, 1].max(), -corners[:, 1].min()
        assert (far_left > far_right) == ('L' in WAYS[lane])


def test_an_arrow_that_only_turns_has_no_head_ahead() -> None:
    road = painted_arm(street(), 'end', ('L', 'R'))
    left, right = (t for t in road.objects if t.kind == 'arrow' and t.s > 80)
    assert len(left.parts) == len(right.parts) == 3
    np.testing.assert_allclose(
        sorted(map(tuple, np.concatenate(left.parts) * (1, -1))),
        sorted(map(tuple, np.concatenate(right.parts).tolist())),
    )


def test_every_part_is_counter_clockwise() -> None:
    for contact in ('start', 'end'):
        road, _ = painted(contact)
        for thing in road.objects:
            for part in thing.parts:
                u, v = np.array(part).T
                assert (u * np.roll(v, -1) - v * np.roll(u, -1)).sum() > 0


def test_the_stop_sign_stands_beside_the_kerb_of_its_own_side() -> None:
    for contact, t in (('end', -6.7), ('start', 6.7)):
        road, _ = painted(contact)
        ((s, found, forward),) = road.stops
        assert found == pytest.approx(t)
        assert forward == (contact == 'end')
        assert s == pytest.approx(94.6 if forward else 5.4)
