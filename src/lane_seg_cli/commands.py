"""The table of `lane-seg` commands. It names modules and imports none of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['COMMANDS', 'DISTRIBUTION', 'Command']

DISTRIBUTION = 'lane_seg_ros'


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: as typed.
        module: holds DESCRIPTION, EPILOG and either add_arguments(parser) with run(args) -> int,
            or, where `raw`, run(arguments) -> int.
        help: one line for the overview.
        extra: extras of the pip package that bring the libraries it needs.
        raw: the module reads the arguments itself.
    """

    name: str
    module: str
    help: str
    extra: str
    raw: bool = False


COMMANDS = (
    Command('demo', 'lane_seg_ros.demo.command', 'see it work, measured', 'runtime,ros'),
    Command('run', 'lane_seg_cli.run', 'start the ROS 2 node', 'runtime,ros', raw=True),
    Command('play', 'lane_seg_ros.camera_player', 'be a ROS 2 camera', 'runtime,ros'),
    Command(
        'doctor', 'lane_seg_ros.doctor.command', 'what is wrong with a camera topic', 'runtime,ros'
    ),
    Command('health', 'lane_seg_ros.health', 'whether a running node is well', 'runtime,ros'),
    Command('predict', 'lane_seg_cli.predict', 'masks of images, film of a video', 'runtime'),
    Command('benchmark', 'lane_seg_cli.benchmark', 'time each stage of a model', 'runtime'),
    Command(
        'device-report', 'lane_seg_cli.device_report', 'this machine, for us, in a file', 'runtime'
    ),
    Command('data', 'lane_seg_train.data_command', 'check, count, look at data sets', 'train'),
    Command('train', 'lane_seg_train.train', 'train a network from a recipe', 'train'),
    Command('report', 'lane_seg_train.report.command', 'curves and page of a run', 'train'),
    Command(
        'compare-models', 'lane_seg_train.compare_models', 'train and time several nets', 'train'
    ),
    Command(
        'compare',
        'lane_seg_train.compare.command',
        'float against int8, engine by engine',
        'train',
    ),
    Command('quantize', 'lane_seg_train.quantize', 'make a trained network int8', 'train'),
    Command('export', 'lane_seg_train.export', 'make a bundle of a checkpoint', 'train'),
    Command(
        'add-confidence',
        'lane_seg_engine.add_confidence',
        'a bundle that tells how sure it is',
        'runtime',
    ),
    Command('build-engine', 'lane_seg_engine.build', 'build a TensorRT plan', 'runtime,tensorrt'),
    Command(
        'engine-info', 'lane_seg_engine.engine_info', 'layers, key of a plan', 'runtime,tensorrt'
    ),
    Command('evaluate', 'lane_seg_train.evaluate', 'IoU of a model on labelled images', 'train'),
)
