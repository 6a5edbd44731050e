"""Packaging for pip and, as a ROS 2 ament_python package, for colcon.

The metadata stands here and not in a [project] table: setuptools 59 (Ubuntu 22.04, Humble) would
install such a package as UNKNOWN-0.0.0, and so does every version under
`colcon build --symlink-install`, which does not link pyproject.toml into its build folder.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = 'lane_seg_ros'
ROOT = Path(__file__).resolve().parent

# One entry per top-level package: mapping '' to 'src' breaks colcon's --symlink-install as soon
# as a second root folder (carla_bridge) holds a package too.
SRC_PACKAGES = (
    'lane_seg',
    'lane_seg_cli',
    'lane_seg_engine',
    'lane_seg_ros',
    'lane_seg_scene',
    'lane_seg_train',
)
ROOT_PACKAGES = ('carla_bridge',)

# Only what belongs to the product is shared: plans, checkpoints and caches lie in models/ too.
SHARED = {
    'launch': ('.env', '.json', '.py', '.rviz', '.service', '.xml', '.yaml'),
    'models': ('.md', '.onnx', '.yaml'),
}

# Asked of every machine, a car's ROS installation included, so only what rosdep has already put
# there under the same distribution name. OpenCV is needed as well but left out on purpose: apt's
# python3-opencv is no distribution that pip can see, so naming a wheel here would put a second
# cv2 beside it (or stop the executables, which check this list when they start).
INSTALL_REQUIRES = ['numpy>=1.21', 'pyyaml>=5.4']

RUNTIME = [
    'numpy>=1.21',
    'onnx>=1.14',
    'onnxruntime>=1.16',
    # Where opencv-python is installed already, install without this extra: both provide cv2.
    'opencv-python-headless>=4.5',
    'openvino>=2024.4',
    'pyyaml>=5.4',
    'rich>=13',
]
# ROS 2 Jazzy as plain wheels, for machines without a ROS installation.
ROS = [
    'ros-diagnostic-msgs>=5.3,<6',
    'ros-geometry-msgs>=5.3,<6',
    'ros-lifecycle-msgs>=2.0,<3',
    'ros-rcl-interfaces>=2.0,<3',
    'ros-rclpy[fastrtps]>=7.1,<8',
    'ros-rosgraph-msgs>=2.0,<3',
    'ros-sensor-msgs>=5.3,<6',
    'ros-std-msgs>=5.3,<6',
]
TRAIN = [
    'lightning>=2.5',
    'matplotlib>=3.7',
    'numpy>=1.21',
    'onnx>=1.14',
    'onnxruntime>=1.16',
    'opencv-python-headless>=4.5',
    'pyyaml>=5.4',
    'rich>=13',
    'safetensors>=0.4',
    'scipy>=1.9',
    'tensorboard>=2.16',
    'torch>=2.6',
    'torchmetrics>=1.4',
]
CARLA = [
    # There are wheels of the client for PCs alone; what needs no client works without it.
    "carla==0.9.16; platform_machine == 'x86_64' or platform_machine == 'AMD64'",
    'matplotlib>=3.7',
    'msgpack>=1.0',
    # Recordings of ros-bridge, ROS 1 and 2, without a ROS installation.
    'rosbags>=0.10',
]
TEST = [
    'catkin_pkg>=1.0',
    'hypothesis>=6.100',
    'packaging>=23',
    'pytest>=8',
    'pytest-xdist>=3.6',
]
# Builds plans on a PC without a GPU too; to run them, pycuda is needed besides. The second package
# is NVIDIA's plug-in for ONNX Runtime: the libraries that the first one needs come with it alone.
_PC = "sys_platform == 'linux' and platform_machine == 'x86_64'"
TENSORRT_RTX = [
    f'onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0; {_PC}',
    f'tensorrt-rtx-cu13-bindings==1.7.1.116; {_PC}',
]
DEV = [
    *TEST,
    'codespell>=2.3',
    'colcon-common-extensions>=0.3',
    'mypy>=1.13',
    'pre-commit>=4',
    'ruff>=0.9',
    # From 80 on `setup.py develop`, which colcon's --symlink-install calls, is gone.
    'setuptools<80',
    'types-PyYAML>=6',
    'wheel>=0.40',
]
EXTRAS = {
    'runtime': RUNTIME,
    'ros': ROS,
    'train': TRAIN,
    # DeepLabV3+ and SegFormer for comparison; nothing else of ours needs it.
    'transformers': ['transformers>=4.46'],
    'carla': CARLA,
    'tensorrt': ['pycuda>=2024.1', 'tensorrt>=10.3,<12'],
    'tensorrt-rtx': TENSORRT_RTX,
    # colcon runs pytest, and not unittest, because an extra named `test` asks for it.
    'test': TEST,
    'dev': DEV,
}


def version() -> str:
    """Read the one place that states the version, without importing the package."""
    source = (ROOT / 'src/lane_seg/__init__.py').read_text(encoding='utf-8')
    found = re.search(r"^__version__ = '([^']+)'$", source, re.MULTILINE)
    if found is None:
        raise RuntimeError("src/lane_seg/__init__.py has no line like __version__ = '1.2.3'")
    return found[1]


def packages() -> list[str]:
    """List all packages with their sub-packages; those not written yet are left out."""
    return [
        package
        for base, names in (('src', SRC_PACKAGES), ('.', ROOT_PACKAGES))
        for name in names
        for package in find_packages(str(ROOT / base), include=[name, f'{name}.*'])
    ]


def data_files() -> list[tuple[str, list[str]]]:
    """List what goes to share/: (folder to install in, files of the source tree) pairs."""
    share = Path('share')
    folders: dict[Path, list[str]] = {
        share / 'ament_index/resource_index/packages': [f'resource/{NAME}'],
        share / NAME: ['package.xml'],
    }
    for top, suffixes in SHARED.items():
        for path in sorted((ROOT / top).rglob('*')):
            inside = path.relative_to(ROOT)
            hidden = any(part.startswith(('.', '__')) for part in inside.parts)
            if path.is_file() and path.suffix in suffixes and not hidden:
                folders.setdefault(share / NAME / inside.parent, []).append(str(inside))
    return [(str(folder), files) for folder, files in folders.items()]


setup(
    name=NAME,
    version=version(),
    description='A camera topic in, lane mask and overlay topics out, in real time.',
    author='lane_seg_ros maintainers',
    author_email='maintainers@lane-seg-ros.org',
    maintainer='lane_seg_ros maintainers',
    maintainer_email='maintainers@lane-seg-ros.org',
    license='Apache-2.0',
    python_requires='>=3.10,<3.13',
    packages=packages(),
    package_dir={name: f'src/{name}' for name in SRC_PACKAGES},
    package_data={'lane_seg_ros': ['*.xml'], 'lane_seg_ros.security': ['*.xml']},
    data_files=data_files(),
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS,
    zip_safe=False,
    entry_points={
        'console_scripts': [
            'carla-bridge = carla_bridge.command:main',
            'lane-seg = lane_seg_cli.main:main',
            'lane_seg_node = lane_seg_ros.lane_seg_node:main',
            'camera_player = lane_seg_ros.camera_player:main',
        ],
    },
)
