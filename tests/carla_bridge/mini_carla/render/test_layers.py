"""Order of drawing of ground polygons."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.render.layers import DrawingOrder, overlaps

rectangles = st.lists(
    st.tuples(
        st.floats(-60, 60),
        st.floats(-60, 60),
        st.floats(0.1, 40),
        st.floats(0.1, 40),
        st.integers(0, 2),
    ),
    min_size=2,
    max_size=25,
)
Rectangle = tuple[float, float, float, float, int]


@given(rectangles)
def test_overlaps_are_those_of_a_search_through_all_pairs(items: list[Rectangle]) -> None:
    low = np.array([(x, y) for x, y, *_ in items])
    high = low + np.array([(w, h) for _, _, w, h, _ in items])
    above, below = np.arange(0, len(items), 2), np.arange(1, len(items), 2)
    found = set(zip(*(side.tolist() for side in overlaps(low, high, above, below)), strict=True))
    wanted = {
        (a, b)
        for a in above.tolist()
        for b in below.tolist()
        if (low[a] <= high[b]).all() and (low[b] <= high[a]).all()
    }
    assert found == wanted


@given(rectangles, st.floats(-80, 80), st.floats(-80, 80))
def test_what_lies_on_something_is_drawn_after_it(
    items: list[Rectangle], x: float, y: float
) -> None:
    low = np.array([(a, b) for a, b, *_ in items])
    high = low + np.array([(w, h) for _, _, w, h, _ in items])
    layer = np.array([item[4] for item in items], np.intp)
    order = DrawingOrder(low, high, layer)
    drawn = order.sorted(order.keys(x, y), np.arange(len(items))).tolist()
    place = {index: position for position, index in enumerate(drawn)}
    for upper in (1, 2):
        above, below = np.flatnonzero(layer == upper), np.flatnonzero(layer == upper - 1)
        for a, b in zip(*overlaps(low, high, above, below), strict=True):
            assert place[int(a)] > place[int(b)]


def test_pieces_of_one_layer_are_drawn_from_far_to_near() -> None:
    low = np.array([(float(x), -2.0) for x in range(0, 60, 6)])
    order = DrawingOrder(low, low + (6.0, 4.0), np.ones(10, np.intp))
    drawn = order.sorted(order.keys(-10.0, 0.0), np.arange(10))
    assert drawn.tolist() == list(range(9, -1, -1))


def test_a_carpet_comes_first_however_near_it_reaches() -> None:
    low, high = np.array([[-500.0, -500], [50, 0]]), np.array([[500.0, 500], [56, 4]])
    order = DrawingOrder(low, high, np.array([0, 1]))
    assert order.sorted(order.keys(0.0, 0.0), np.arange(2)).tolist() == [0, 1]
