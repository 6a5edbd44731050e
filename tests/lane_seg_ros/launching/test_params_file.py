"""A parameter file is checked before the node starts with its defaults in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from lane_seg_ros.launching.arguments import LaunchArgumentError
from lane_seg_ros.launching.params_file import check_params_file

SHIPPED = Path(__file__).resolve().parents[3] / 'launch' / 'params' / 'lane_seg.yaml'


def written(folder: Path, section: str, body: str = 'lazy: true') -> Path:
    path = folder / 'params.yaml'
    path.write_text(f'{section}:\n  ros__parameters:\n    {body}\n')
    return path


def test_the_shipped_file_is_for_every_node_and_has_nothing_unknown() -> None:
    assert check_params_file(SHIPPED, '/car/lanes') == []


@pytest.mark.parametrize(
    ('section', 'node'),
    [
        ('/**', '/lane_seg_node'),
        ('/**', '/car/front/lanes'),
        ('lane_seg_node', '/lane_seg_node'),
        ('/car/lane_seg_node', '/car/lane_seg_node'),
        ('/**/lane_seg_node', '/lane_seg_node'),
        ('/**/lane_seg_node', '/car/front/lane_seg_node'),
        ('/*/lane_seg_node', '/car/lane_seg_node'),
    ],
)
def test_a_section_for_the_node_is_found(section: str, node: str, tmp_path: Path) -> None:
    assert check_params_file(written(tmp_path, section), node) == []


@pytest.mark.parametrize(
    ('section', 'node'),
    [
        ('lane_seg_node', '/car/lane_seg_node'),
        ('/lane_seg', '/lane_seg_node'),
        ('/*/lane_seg_node', '/lane_seg_node'),
        ('/*/lane_seg_node', '/a/b/lane_seg_node'),
        ('/car/**', '/lorry/lane_seg_node'),
    ],
)
def test_a_file_without_a_section_for_the_node_is_refused(
    section: str, node: str, tmp_path: Path
) -> None:
    with pytest.raises(LaunchArgumentError, match=f'or `{node}:`'):
        check_params_file(written(tmp_path, section), node)


@pytest.mark.parametrize('text', ['', '[]', '/**: 1', '/**:\n  lazy: true', 'a: [1', '\t'])
def test_a_file_that_holds_no_parameters_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / 'params.yaml'
    path.write_text(text)
    with pytest.raises(LaunchArgumentError, match='params_file'):
        check_params_file(path, '/lane_seg_node')


@pytest.mark.parametrize('content', [b'\xff\xfe\x00', None])
def test_what_is_no_text_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / 'params.yaml'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LaunchArgumentError, match=str(path)):
        check_params_file(path, '/lane_seg_node')


def test_a_misspelled_parameter_is_named_and_what_every_node_has_is_not(tmp_path: Path) -> None:
    (complaint,) = check_params_file(
        written(tmp_path, '/**', '{lasy: true, use_sim_time: true, qos_overrides: {}}'),
        '/lane_seg_node',
    )
    assert 'lasy is no parameter' in complaint
    assert complaint.endswith('did you mean lazy?')
