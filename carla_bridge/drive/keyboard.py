"""Driving with the keys of a terminal, which tells of keys that go down but not up.

A key counts as held for a moment after each of its reports; the keyboard's own repetition keeps
it so. The wheel turns while a key is held and comes back by itself, and turns less at speed.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['HELP', 'Keyboard', 'Pedals']

HELP = (
    'w/up accelerate, s/down brake, a d/left right steer, space hand brake, r reverse, '
    'p autopilot, + - its speed, q quit'
)

_SAME = {'up': 'w', 'down': 's', 'left': 'a', 'right': 'd', '=': '+', '_': '-'}
_BY_HAND = ('w', 's', 'a', 'd', ' ')
_HOLD_S = 0.3
_THROTTLE = 0.7
_TURN_PER_S, _RETURN_PER_S, _MOST_STEER = 1.2, 2.5, 0.8
_HALF_STEER_M_S = 10.0
_REVERSE_BELOW_M_S = 1.0
_SPEED_STEP, _SLOWEST, _FASTEST = 5.0, 5.0, 130.0
_LONGEST_STEP_S = 0.2


@dataclass(frozen=True)
class Pedals:
    """What a driver does, in the terms of `carla.VehicleControl`.

    Attributes:
        throttle: 0 to 1.
        steer: -1 (left) to 1.
        brake: 0 to 1.
        hand_brake: whether it is pulled.
        reverse: whether that gear is in.
    """

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False


class Keyboard:
    """Turns key presses into pedals.

    Attributes:
        autopilot: whether the car drives itself; keys that drive end it.
        speed_kmh: that the autopilot shall drive.
        quit: whether the driver has had enough.

    Args:
        speed_kmh: at first.
        autopilot: at first.
    """

    def __init__(self, *, speed_kmh: float, autopilot: bool = False) -> None:
        self.speed_kmh = speed_kmh
        self.autopilot = autopilot
        self.quit = False
        self._pressed_s: dict[str, float] = {}
        self._steer = 0.0
        self._reverse = False
        self._reverse_wanted = False
        self._now_s: float | None = None

    def press(self, key: str, now_s: float) -> None:
        """Take a key; one that means nothing is ignored.

        Args:
            key: a character, or 'up', 'down', 'left', 'right'.
            now_s: of a clock that never goes back.
        """
        key = _SAME.get(key.lower(), key.lower())
        if key in _BY_HAND:
            self.autopilot = False
            self._pressed_s[key] = now_s
        elif key == 'p':
            self.autopilot = not self.autopilot
        elif key == 'q':
            self.quit = True
        elif key == 'r':
            self._reverse_wanted = not self._reverse_wanted
        elif key in '+-':
            step = _SPEED_STEP if key == '+' else -_SPEED_STEP
            self.speed_kmh = min(_FASTEST, max(_SLOWEST, self.speed_kmh + step))

    def pedals(self, now_s: float, speed_m_s: float) -> Pedals:
        """Return what to do now.

        Args:
            now_s: of the same clock as `press`.
            speed_m_s: of the car, without a sign.
        """
        passed_s = 0.0 if self._now_s is None else min(now_s - self._now_s, _LONGEST_STEP_S)
        self._now_s = now_s
        held = {key for key, at_s in self._pressed_s.items() if now_s - at_s <= _HOLD_S}
        self._turn(held, passed_s, speed_m_s)
        if speed_m_s < _REVERSE_BELOW_M_S:  # a gearbox has to wait for it
            self._reverse = self._reverse_wanted
        return Pedals(
            throttle=_THROTTLE if 'w' in held else 0.0,
            steer=self._steer,
            brake=1.0 if 's' in held else 0.0,
            hand_brake=' ' in held,
            reverse=self._reverse,
        )

    def _turn(self, held: set[str], passed_s: float, speed_m_s: float) -> None:
        most = _MOST_STEER / (1.0 + speed_m_s / _HALF_STEER_M_S)
        side = ('d' in held) - ('a' in held)
        if side:
            self._steer += side * _TURN_PER_S * passed_s
        else:
            back = _RETURN_PER_S * passed_s
            self._steer -= max(-back, min(back, self._steer))
        self._steer = max(-most, min(most, self._steer))
