"""The SROS 2 policies: what they allow is what the nodes have, in the form that sros2 reads."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from xml.etree import ElementTree

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('onnxruntime')

from tests.lane_seg_ros.node_process import Client, running_node
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from rclpy.node import Node

Rights: TypeAlias = set[tuple[str, str]]

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / 'src' / 'lane_seg_ros' / 'security'
# What may stand in a profile and how it may be qualified, as policy.xsd 0.2.0 has it.
QUALIFIERS = {
    'topics': {'publish', 'subscribe'},
    'services': {'reply', 'request'},
    'actions': {'call', 'execute'},
}
PATIENCE_S = 10.0


def rights_in(text: str) -> dict[str, Rights]:
    """What a policy allows, by enclave; an assertion says where it leaves the schema."""
    policy = ElementTree.fromstring(text)
    assert (policy.tag, policy.attrib) == ('policy', {'version': '0.2.0'})
    (enclaves,) = policy
    assert enclaves.tag == 'enclaves'
    assert len(enclaves)
    rights: dict[str, Rights] = {}
    for enclave in enclaves:
        assert (enclave.tag, set(enclave.attrib)) == ('enclave', {'path'})
        assert {profiles.tag for profiles in enclave} == {'profiles'}
        allowed = rights.setdefault(enclave.attrib['path'], set())
        for profiles in enclave:
            assert {profile.tag for profile in profiles} == {'profile'}
            for profile in profiles:
                assert set(profile.attrib) == {'ns', 'node'}
                for group in profile:
                    assert set(group.attrib) <= QUALIFIERS[group.tag]
                    assert set(group.attrib.values()) == {'ALLOW'}
                    assert {item.tag for item in group} == {group.tag.removesuffix('s')}
                    for item in group:
                        assert item.text is not None
                        # sros2 would put a relative name into the namespace of the profile.
                        assert item.text.startswith('/')
                        allowed |= {(qualifier, item.text) for qualifier in group.attrib}
    return rights


def rights_of(node: Node, name: str) -> Rights:
    """What a node of this name has, as another one sees it."""
    return {
        (right, topic)
        for right, found in (
            ('publish', node.get_publisher_names_and_types_by_node(name, '/')),
            ('subscribe', node.get_subscriber_names_and_types_by_node(name, '/')),
            ('reply', node.get_service_names_and_types_by_node(name, '/')),
            ('request', node.get_client_names_and_types_by_node(name, '/')),
        )
        for topic, _ in found
    }


def write_policy(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator, in an environment that asks for security before there are keys."""
    return subprocess.run(
        [sys.executable, '-m', 'lane_seg_ros.security', str(path), *arguments],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join(p for p in sys.path if p),
            'ROS_SECURITY_ENABLE': 'true',
            'ROS_SECURITY_STRATEGY': 'Enforce',
            'ROS_SECURITY_KEYSTORE': str(path.parent / 'no_keys_yet'),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def policy_for(path: Path, *arguments: str) -> dict[str, Rights]:
    """What the generator allows."""
    done = write_policy(path, *arguments)
    assert done.returncode == 0, done.stderr
    return rights_in(path.read_text(encoding='utf-8'))


@pytest.mark.ros
@pytest.mark.parametrize(
    'parameters',
    [
        {},
        {
            'cameras': ['front', 'rear'],
            'publish_bundle': True,
            'image_transport': 'compressed',
            'use_sim_time': True,
        },
    ],
    ids=['default', 'everything'],
)
def test_a_running_node_has_all_that_its_policy_allows_and_nothing_else(
    parameters: dict[str, bool | str | list[str]], tmp_path: Path
) -> None:
    arguments = [f'{name}:={value}'.replace("'", '') for name, value in parameters.items()]
    words = [word for argument in arguments for word in ('-p', argument)]
    (allowed,) = policy_for(tmp_path / 'policy.xml', '--ros-args', *words).values()
    if importlib.util.find_spec('vision_msgs') is None:
        allowed = {(right, name) for right, name in allowed if not name.endswith('/label_info')}
    model = str(make_tiny_bundle(tmp_path / 'tiny'))
    with running_node(
        tmp_path / 'log', model=model, engine='onnxruntime', **parameters
    ) as process:
        process.wait_for_log(' -> ')
        client = Client()
        try:
            end_s = time.monotonic() + PATIENCE_S
            has: Rights = set()
            # What the other side knows arrives piece by piece.
            while has != allowed and time.monotonic() < end_s:
                client.executor.spin_once(timeout_sec=0.05)
                if 'lane_seg_node' in client.node.get_node_names():
                    has = rights_of(client.node, 'lane_seg_node')
        finally:
            client.close()
    assert has == allowed


@pytest.mark.ros
@pytest.mark.parametrize('node', ['lane_seg_node', 'camera_player'])
def test_the_policy_in_the_package_is_that_of_the_default_names(node: str, tmp_path: Path) -> None:
    shipped = rights_in((SHIPPED / f'{node}.policy.xml').read_text(encoding='utf-8'))
    if importlib.util.find_spec('rclpy.type_description_service') is None:  # Humble
        shipped[f'/{node}'].discard(('reply', f'/{node}/get_type_description'))
    assert policy_for(tmp_path / 'policy.xml', '--node', node) == shipped


def test_the_two_policies_meet_at_the_camera_topics_only() -> None:
    (node,) = rights_in((SHIPPED / 'lane_seg_node.policy.xml').read_text()).values()
    (camera,) = rights_in((SHIPPED / 'camera_player.policy.xml').read_text()).values()
    read = {name for right, name in node if right == 'subscribe'}
    assert read == {'/image', '/camera_info'}
    assert read <= {name for right, name in camera if right == 'publish'}
    assert node & camera == {('publish', '/parameter_events'), ('publish', '/rosout')}


@pytest.mark.ros
def test_names_follow_remappings_namespace_and_enclave(tmp_path: Path) -> None:
    rights = policy_for(
        tmp_path / 'policy.xml',
        *('--enclave', '/car/perception', '--ros-args'),
        *('-r', '__ns:=/car', '-r', '__node:=lanes'),
        *('-r', 'image:=/front/image_raw', '-r', '~/mask:=/perception/lanes'),
    )
    (enclave,) = rights
    assert enclave == '/car/perception'
    assert ('subscribe', '/front/image_raw') in rights[enclave]
    assert ('publish', '/perception/lanes') in rights[enclave]
    assert ('reply', '/car/lanes/change_state') in rights[enclave]
    assert not any(name in ('/image', '/car/image') for _, name in rights[enclave])


@pytest.mark.ros
@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['--enclave', 'perception'], "such as /lane_seg_node, not 'perception'"),
        (['--ros-args', '-p', 'cameras:=[1st]'], 'can be part of a topic'),
        (['--ros-args', '-r', 'image:=:x'], "Couldn't parse remap rule"),
    ],
)
def test_bad_arguments_leave_no_file(arguments: list[str], reason: str, tmp_path: Path) -> None:
    done = write_policy(tmp_path / 'policy.xml', *arguments)
    assert done.returncode == 1
    assert reason in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'policy.xml').exists()


@pytest.mark.ros
def test_a_node_that_finds_no_keys_does_not_run_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('ROS_SECURITY_ENABLE', 'true')
    monkeypatch.setenv('ROS_SECURITY_STRATEGY', 'Enforce')
    monkeypatch.setenv('ROS_SECURITY_KEYSTORE', str(tmp_path / 'no_keys'))
    with running_node(tmp_path / 'log') as process:
        assert process.wait() == 1
    assert 'SECURITY ERROR' in process.log


def test_the_policy_in_the_guide_follows_the_schema_and_reads_topics_that_exist() -> None:
    guide = (ROOT / 'docs' / 'security.md').read_text(encoding='utf-8')
    (node,) = rights_in((SHIPPED / 'lane_seg_node.policy.xml').read_text()).values()
    blocks = re.findall(r'```xml\n(.*?)```', guide, re.DOTALL)
    assert blocks
    for block in blocks:
        for rights in rights_in(block).values():
            assert {('publish', name) for right, name in rights if right == 'subscribe'} <= node
