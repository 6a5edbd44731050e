"""Keys that go down in a terminal, and what the car does about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.drive.keyboard import HELP, Keyboard, Pedals

KEYS = st.sampled_from([*'wasd rpq+-=x', 'up', 'down', 'left', 'right'])


def held(keyboard: Keyboard, key: str, seconds: float, *, speed_m_s: float = 0.0) -> Pedals:
    """Hold a key, as a terminal repeats it, from time 0 on; the pedals at the end."""
    pedals = keyboard.pedals(0.0, speed_m_s)
    for tick in range(1, round(seconds / 0.05) + 1):
        keyboard.press(key, 0.05 * tick)
        pedals = keyboard.pedals(0.05 * tick, speed_m_s)
    return pedals


@given(st.lists(st.tuples(KEYS, st.floats(0, 2), st.floats(0, 60))))
def test_whatever_is_pressed_the_pedals_stay_in_their_ranges(
    presses: list[tuple[str, float, float]],
) -> None:
    keyboard, now_s = Keyboard(speed_kmh=30.0), 0.0
    for key, after_s, speed_m_s in presses:
        now_s += after_s
        keyboard.press(key, now_s)
        pedals = keyboard.pedals(now_s, speed_m_s)
        assert 0 <= pedals.throttle <= 1
        assert 0 <= pedals.brake <= 1
        assert -1 <= pedals.steer <= 1
        assert 5 <= keyboard.speed_kmh <= 130


@pytest.mark.parametrize(('key', 'arrow'), [('w', 'up'), ('s', 'down'), ('a', 'left')])
def test_arrows_do_what_the_letters_do(key: str, arrow: str) -> None:
    keyboards = Keyboard(speed_kmh=30.0), Keyboard(speed_kmh=30.0)
    assert held(keyboards[0], key, 0.5) == held(keyboards[1], arrow, 0.5) != Pedals()


def test_a_key_that_is_no_longer_reported_is_up() -> None:
    keyboard = Keyboard(speed_kmh=30.0)
    assert held(keyboard, 'w', 0.5).throttle > 0
    assert keyboard.pedals(0.6, 3.0).throttle > 0
    assert keyboard.pedals(1.0, 3.0) == Pedals()


def test_the_wheel_turns_to_the_side_of_the_key_and_comes_back() -> None:
    keyboard = Keyboard(speed_kmh=30.0)
    assert held(keyboard, 'a', 0.4).steer == pytest.approx(-0.48)
    for tick in range(20):
        pedals = keyboard.pedals(1.0 + 0.05 * tick, 0.0)
    assert pedals.steer == 0.0
    assert held(Keyboard(speed_kmh=30.0), 'd', 0.4).steer == pytest.approx(0.48)


def test_at_speed_the_wheel_turns_less() -> None:
    slow, fast = (
        held(Keyboard(speed_kmh=30.0), 'd', 2.0, speed_m_s=speed).steer for speed in (0.0, 30.0)
    )
    assert fast < slow / 3


def test_reverse_waits_until_the_car_stands() -> None:
    keyboard = Keyboard(speed_kmh=30.0)
    keyboard.press('r', 0.0)
    assert not keyboard.pedals(0.1, 8.0).reverse
    assert keyboard.pedals(0.2, 0.1).reverse
    keyboard.press('r', 0.3)
    assert keyboard.pedals(0.4, 8.0).reverse
    assert not keyboard.pedals(0.5, 0.1).reverse


def test_the_autopilot_ends_when_a_hand_is_on_the_wheel() -> None:
    keyboard = Keyboard(speed_kmh=30.0)
    keyboard.press('p', 0.0)
    assert keyboard.autopilot
    keyboard.press('+', 0.1)
    assert (keyboard.autopilot, keyboard.speed_kmh) == (True, 35.0)
    keyboard.press('left', 0.2)
    assert not keyboard.autopilot


def test_only_q_ends_it() -> None:
    keyboard = Keyboard(speed_kmh=30.0)
    for key in 'wasd rp+-x':
        keyboard.press(key, 0.0)
    assert not keyboard.quit
    keyboard.press('Q', 0.0)
    assert keyboard.quit
    assert 'q quit' in HELP
