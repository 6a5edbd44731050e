"""Is this machine set up so that ROS can work, and does the node complain already?"""

from __future__ import annotations

from collections.abc import Iterator

from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import Environment, Observations

__all__ = ['check_environment']

_WHERE = 'environment'
# Ports of higher domains collide with those that Linux hands out to clients.
_HIGHEST_SAFE_DOMAIN = 101
_HIGHEST_DOMAIN = 232
# Two segments of our profile and the mailboxes of a few participants.
_LEAST_SHM_FREE_BYTES = 64 << 20
_LEVELS = ('ok', 'warning', 'error', 'error')
_REMOVE_SEGMENTS = (
    "python3 -c 'from lane_seg_ros.shared_memory import remove_dead_segments as remove; "
    "print(remove())' (of other users: as that user)"
)


def check_environment(seen: Observations) -> Iterator[Finding]:
    """Settings, shared memory, cv_bridge, and what lane_seg_node says of itself."""
    environment = seen.environment
    yield from _check_domain(environment)
    yield from _check_transports(environment)
    yield from _check_shared_memory(environment)
    if environment.cv_bridge_error:
        yield Finding(
            'warning',
            'cv-bridge',
            _WHERE,
            'cv_bridge is installed, but cannot be used',
            evidence=environment.cv_bridge_error,
            cause=(
                'mostly its binary part was built for another major version of NumPy '
                '(vision_opencv issue 535); lane_seg_node needs it for rare encodings only'
            ),
            fix="python3 -m pip install 'numpy<2' where cv_bridge comes from a distribution",
        )
    yield from _check_lane_nodes(seen)


def _check_domain(environment: Environment) -> Iterator[Finding]:
    settings = environment.settings
    domain = settings.get('ROS_DOMAIN_ID', '0')
    reach = settings.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET (default)')
    yield Finding(
        'ok',
        'settings',
        _WHERE,
        f'domain {domain}, discovery range {reach}, {environment.middleware}',
        evidence=', '.join(f'{name}={value}' for name, value in sorted(settings.items()))
        or 'no variable that steers ROS is set',
    )
    if domain.isdigit() and _HIGHEST_SAFE_DOMAIN < int(domain) <= _HIGHEST_DOMAIN:
        yield Finding(
            'warning',
            'domain-high',
            _WHERE,
            f'ROS_DOMAIN_ID {domain} uses ports that Linux gives to other programs too',
            evidence=f'expected 0 to {_HIGHEST_SAFE_DOMAIN}',
            fix='choose a domain of 0 to 101 on all machines',
        )
    if reach.upper() == 'OFF':
        yield Finding(
            'error',
            'discovery-off',
            _WHERE,
            'discovery is off: this shell sees no other node',
            evidence='ROS_AUTOMATIC_DISCOVERY_RANGE=OFF',
            fix='export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST (or SUBNET for other machines)',
        )
    if settings.get('ROS_LOCALHOST_ONLY') == '1' and settings.get('ROS_DISTRO') != 'humble':
        yield Finding(
            'note',
            'localhost-only',
            _WHERE,
            'ROS_LOCALHOST_ONLY is an old variable that wins over the discovery range',
            evidence='ROS_LOCALHOST_ONLY=1',
            fix='unset ROS_LOCALHOST_ONLY; export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST',
        )


def _check_transports(environment: Environment) -> Iterator[Finding]:
    settings = environment.settings
    for name, path in environment.missing_files.items():
        yield Finding(
            'error',
            'profile-missing',
            _WHERE,
            'the Fast DDS profile that this shell asks for does not exist',
            evidence=f'{name}={path}',
            cause='Fast DDS then goes on with its defaults, without a word',
            fix=f'correct the path, or unset {name}',
        )
    transports = settings.get('FASTDDS_BUILTIN_TRANSPORTS', '')
    reach = settings.get('ROS_AUTOMATIC_DISCOVERY_RANGE', '').upper()
    if transports and transports != 'DEFAULT' and reach == 'LOCALHOST':
        yield Finding(
            'warning',
            'transports-ignored',
            _WHERE,
            f'FASTDDS_BUILTIN_TRANSPORTS={transports} does nothing under the range LOCALHOST',
            evidence=f'FASTDDS_BUILTIN_TRANSPORTS={transports}, range {reach}',
            cause='for LOCALHOST rmw_fastrtps builds its own list of transports, shared memory in '
            'it (measured with rmw_fastrtps 8.4)',
            fix='export ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET where UDP alone is wanted',
        )
    if 'fastrtps' not in environment.middleware:
        yield Finding(
            'note',
            'middleware',
            _WHERE,
            f'{environment.middleware} is in use',
            cause=(
                "CARLA 0.9.16's native ROS 2 interface speaks Fast DDS; another DDS talks to it "
                'over UDP, and zenoh not at all'
            ),
            fix='export RMW_IMPLEMENTATION=rmw_fastrtps_cpp if topics are missing',
        )


def _check_shared_memory(environment: Environment) -> Iterator[Finding]:
    total = environment.shm_total_bytes
    if total is None:
        yield Finding('note', 'shm-none', _WHERE, 'there is no /dev/shm: Fast DDS uses UDP alone')
        return
    free_mb, total_mb = environment.shm_free_bytes / 2**20, total / 2**20
    shown = f'{free_mb:.0f} MB of {total_mb:.0f} MB free'
    if environment.shm_free_bytes < _LEAST_SHM_FREE_BYTES:
        yield Finding(
            'error' if environment.shm_free_bytes < _LEAST_SHM_FREE_BYTES // 4 else 'warning',
            'shm-full',
            _WHERE,
            '/dev/shm is nearly full: images get lost, or nodes end with a bus error',
            evidence=shown,
            cause='a container has 64 MB by default; or crashed processes left segments behind',
            fix='docker run --shm-size=1g (or --ipc=host); remove dead segments: '
            f'{_REMOVE_SEGMENTS}',
        )
    else:
        yield Finding('ok', 'shm', _WHERE, f'/dev/shm has room: {shown}')
    if environment.dead_segments:
        yield Finding(
            'warning',
            'shm-leaked',
            _WHERE,
            f'{environment.dead_segments} Fast DDS files in /dev/shm belong to nobody',
            evidence=f'{environment.dead_bytes / 2**20:.1f} MB; no process holds their locks',
            cause='processes that ended by a crash or SIGKILL',
            fix=_REMOVE_SEGMENTS,
        )


def _check_lane_nodes(seen: Observations) -> Iterator[Finding]:
    if not seen.lane_nodes:
        yield Finding(
            'note',
            'node-absent',
            'lane_seg_node',
            'no lane_seg_node is running',
            fix='lane-seg run --ros-args -r image:='
            + (seen.images[0].name if seen.images else '<topic>'),
        )
    for node in seen.lane_nodes:
        if node.level < 0:
            yield Finding(
                'note',
                'node-silent',
                node.name,
                'the node is there, but said nothing on /diagnostics',
                evidence=f'looked for {seen.seconds:.1f} s',
                fix='look longer than its diagnostics_period_s: --seconds 10',
            )
        else:
            severity = _LEVELS[min(node.level, 3)]
            yield Finding(
                'error' if severity == 'error' else 'warning' if severity == 'warning' else 'ok',
                'node',
                node.name,
                f'says of itself: {node.message}',
                fix='' if severity == 'ok' else 'see the findings about its image topic',
            )
