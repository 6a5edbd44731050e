# syntax=docker/dockerfile:1.7
# lane_seg_node on ROS 2 Jazzy with TensorRT and pycuda, without PyTorch; see docs/docker.md.
#
#   docker build -f docker/runtime.Dockerfile -t lane_seg_ros:0.1.0-runtime .
#
# Targets: runtime (the default), bridge (with the CARLA client), rviz.
# ROS's tags follow its patch releases; a digest stands still:
#   --build-arg ROS_IMAGE=ros:jazzy-ros-base-noble@sha256:...
ARG ROS_IMAGE=ros:jazzy-ros-base-noble

FROM ${ROS_IMAGE} AS python
# Ubuntu's own Python takes nothing from pip (PEP 668), and pip cannot replace what apt installed.
# A virtual environment that sees ROS and apt's packages has neither trouble.
# apt's packages have no versions here: ROS's archive keeps the newest one only.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes python3-venv ros-jazzy-vision-msgs \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages /opt/venv
COPY requirements/constraints-3.12.txt docker/pins.txt /opt/
RUN awk -F== 'NR == FNR { own[$1]; print; next } !($1 in own)' \
        /opt/pins.txt /opt/constraints-3.12.txt > /opt/constraints.txt
ENV PATH=/opt/lane_seg/lib/lane_seg_ros:/opt/venv/bin:$PATH \
    PIP_CONSTRAINT=/opt/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# hadolint ignore=DL3013
RUN python3 -m pip install --upgrade pip

FROM python AS pycuda
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes python3-dev \
    && rm -rf /var/lib/apt/lists/*
COPY docker/pycuda_wheel.sh /opt/
# Of CUDA 13, as TensorRT's packages: driver 580 or later.
ARG CUDA_HEADERS="nvidia-cuda-runtime==13.0.96 nvidia-cuda-profiler-api==13.0.85"
# hadolint ignore=DL3013,SC2086
RUN python3 -m pip install numpy setuptools wheel \
    && /opt/pycuda_wheel.sh /wheels ${CUDA_HEADERS}

FROM python AS package
WORKDIR /src
COPY package.xml setup.cfg setup.py ./
COPY resource resource
COPY models models
COPY launch launch
COPY carla_bridge carla_bridge
COPY src src
# The environment's Python runs colcon, so that the executables start with it.
# hadolint ignore=SC1091
RUN . /opt/ros/jazzy/setup.sh \
    && python3 /usr/bin/colcon build --merge-install --install-base /opt/lane_seg

FROM python AS base
# By far the largest part, so a layer of its own.
# hadolint ignore=DL3013
RUN python3 -m pip install tensorrt
# hadolint ignore=DL3013
RUN --mount=type=bind,from=pycuda,source=/wheels,target=/wheels \
    python3 -m pip install /wheels/*.whl numpy onnx onnxruntime opencv-python-headless openvino \
        pyyaml rich
# The user of the host, so that files in mounted folders are theirs, and Fast DDS's shared memory
# is open to their other processes. Ubuntu 24.04 brings a user 1000 of its own along.
ARG USER_ID=1000
ARG GROUP_ID=1000
RUN { userdel --remove ubuntu 2>/dev/null || true; } \
    && groupadd --non-unique --gid "${GROUP_ID}" lane_seg \
    && useradd --no-log-init --non-unique --create-home --uid "${USER_ID}" --gid "${GROUP_ID}" \
        lane_seg
COPY --chmod=755 docker/entrypoint.sh /opt/
# Only this machine's other processes are talked to, unless somebody decides otherwise. Logs go
# where any user may write.
ENV ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST \
    HOME=/home/lane_seg \
    ROS_LOG_DIR=/tmp/ros_log \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1
WORKDIR /home/lane_seg
ENTRYPOINT ["/opt/entrypoint.sh"]

FROM base AS bridge
# hadolint ignore=DL3013
RUN python3 -m pip install carla matplotlib msgpack rosbags
COPY --from=package /opt/lane_seg /opt/lane_seg
USER ${USER_ID}
CMD ["carla-bridge", "publish"]

FROM base AS rviz
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes ros-jazzy-rviz2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=package /opt/lane_seg /opt/lane_seg
USER ${USER_ID}
CMD ["rviz2"]

FROM base AS runtime
COPY --from=package /opt/lane_seg /opt/lane_seg
USER ${USER_ID}
# Through the entry point: a health check starts without the environment that it makes.
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 \
    CMD ["/opt/entrypoint.sh", "lane-seg", "health", "--timeout", "10"]
CMD ["lane_seg_node"]
