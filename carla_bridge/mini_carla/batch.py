"""`apply_batch`: many commands in one call, some of them about actors that it spawns itself."""

from __future__ import annotations

import logging
from collections.abc import Callable

from carla_bridge.mini_carla.actor_calls import ActorCalls
from carla_bridge.mini_carla.rpc import CallError, raw_call
from carla_bridge.mini_carla.wire import transform_from_wire
from carla_bridge.mini_carla.world import World

__all__ = ['Batch']

LOG = logging.getLogger(__name__)

_FUTURE_ACTOR = 0


class Batch:
    """Does the commands of a batch in their order."""

    def __init__(self, world: World, actor_calls: ActorCalls, tick: Callable[[], int]) -> None:
        """Prepare to answer.

        Args:
            world: that the commands are about.
            actor_calls: does those commands that exist as calls, under the same name.
            tick: lets the world do one tick.
        """
        self._world = world
        self._actor_calls = actor_calls
        self._tick = tick

    @raw_call
    def apply_batch(self, commands: list[list[list[object]]], do_tick: bool) -> list[object]:
        """Return [[1, actor id]] or [[0, [message]]] for each command."""
        results: list[object] = []
        for (command,) in commands:
            try:
                results.append([[1, self._do(command, _FUTURE_ACTOR)]])
            except CallError as error:
                results.append([[0, [str(error)]]])
            except (TypeError, ValueError, IndexError) as error:
                results.append([[0, [f'mini_carla cannot read command {command}: {error}']]])
        if do_tick:
            self._tick()
        return results

    def _do(self, command: list[object], future_actor: int) -> int:
        """Do one command and return the id of its actor.

        Args:
            command: [index, [field, ...]].
            future_actor: the actor that id 0 stands for: the one spawned by the command around.
        """
        index, fields = command
        names = self._world.profile.commands
        if not isinstance(index, int) or index >= len(names) or not isinstance(fields, list):
            raise CallError(f'expected a command below {len(names)}, found {index!r}')
        if names[index] == 'spawn_actor':
            return self._spawn(fields, future_actor)
        actor_id = int(fields[0]) or future_actor
        if names[index] == 'destroy_actor':
            if not self._world.destroy(actor_id):
                raise CallError(f'unable to destroy actor {actor_id}: not found')
            return actor_id
        function = getattr(self._actor_calls, names[index], None)
        if function is None:
            raise CallError(f'mini_carla does not have the command {names[index]}')
        function(actor_id, *fields[1:])
        return actor_id

    def _spawn(self, fields: list[object], future_actor: int) -> int:
        """Spawn, then do what follows with the new actor.

        The fields are description, transform and optional parent; the last one are the commands
        to follow; 0.9.16 has the kind of attachment and a socket in between.
        """
        description, place, parent = fields[:3]
        following = fields[-1]
        if not (
            isinstance(description, list)
            and isinstance(place, list)
            and isinstance(parent, list)
            and isinstance(following, list)
        ):
            raise CallError('expected [description, transform, parent, ..., commands to follow]')
        parent_id = (int(parent[1]) or future_actor) if parent[0] else 0
        actor = self._world.spawn(description, transform_from_wire(place), parent_id)
        for (command,) in following:
            # The actor stays when a later command fails, and its id is what the client needs.
            try:
                self._do(command, actor.id)
            except CallError as error:
                LOG.warning('after the spawn of actor %d: %s', actor.id, error)
        return actor.id
