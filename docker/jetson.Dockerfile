# syntax=docker/dockerfile:1.7
# lane_seg_node on a Jetson, with the TensorRT of its JetPack; see docs/docker.md. Build it there:
#
#   docker build -f docker/jetson.Dockerfile -t lane_seg_ros:0.1.0-jetson .
#
# | JETPACK     | Jetson              | Ubuntu | Python | ROS 2  | CUDA | TensorRT |
# | 6 (default) | Orin, JetPack 6.1+  | 22.04  | 3.10   | Humble | 12.6 | 10.3     |
# | 7           | Orin, Thor with 7.2 | 24.04  | 3.12   | Jazzy  | 13.2 | 10.16    |
#
# NVIDIA makes no l4t-jetpack image any more since JetPack 7, whose CUDA is that of Arm servers.
ARG JETPACK=6
ARG JETPACK_6_IMAGE=nvcr.io/nvidia/l4t-jetpack:r36.4.0
ARG JETPACK_7_IMAGE=nvcr.io/nvidia/tensorrt:26.05-py3

FROM ${JETPACK_6_IMAGE} AS jetpack-6
ADD --checksum=sha256:767884cf4ed03116b9d64438930a832ed854147ae435279a7924dfdf60f94433 \
    https://github.com/ros-infrastructure/ros-apt-source/releases/download/1.2.0/ros2-apt-source_1.2.0.jammy_all.deb /opt/ros2-apt-source.deb
COPY requirements/constraints-3.10.txt /opt/constraints-python.txt
ENV ROS_DISTRO=humble \
    ROS_LOCALHOST_ONLY=1 \
    CUDA_HEADERS="nvidia-cuda-runtime-cu12==12.6.77 nvidia-cuda-profiler-api-cu12==12.6.77"

FROM ${JETPACK_7_IMAGE} AS jetpack-7
ADD --checksum=sha256:0804d9b13db770eb87019be414cd78378835228ad5fa801fc88758596dd8f7e5 \
    https://github.com/ros-infrastructure/ros-apt-source/releases/download/1.2.0/ros2-apt-source_1.2.0.noble_all.deb /opt/ros2-apt-source.deb
COPY requirements/constraints-3.12.txt /opt/constraints-python.txt
ENV ROS_DISTRO=jazzy \
    ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST \
    CUDA_HEADERS="nvidia-cuda-runtime==13.0.96 nvidia-cuda-profiler-api==13.0.85"

# hadolint ignore=DL3006
FROM jetpack-${JETPACK} AS python
ENV LANG=C.UTF-8 \
    LC_ALL=C.UTF-8
# ca-certificates first: ROS's archive is reached over https.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes ca-certificates /opt/ros2-apt-source.deb \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends --yes \
        python3-venv "ros-${ROS_DISTRO}-ros-base" \
        "ros-${ROS_DISTRO}-vision-msgs" \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages /opt/venv
COPY docker/pins.txt /opt/
RUN awk -F== 'NR == FNR { own[$1]; print; next } !($1 in own)' \
        /opt/pins.txt /opt/constraints-python.txt > /opt/constraints.txt
# NVIDIA's image of JetPack 7 sets PIP_CONSTRAINT to a file of its own.
ENV PATH=/opt/lane_seg/lib/lane_seg_ros:/opt/venv/bin:$PATH \
    PIP_CONSTRAINT=/opt/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# TensorRT is looked for, not imported: parts of it come from the device when a container starts.
# hadolint ignore=DL3013
RUN python3 -m pip install --upgrade pip \
    && python3 -c "import importlib.util as u, sys; sys.exit(None if u.find_spec('tensorrt') \
        else 'expected the tensorrt module of JetPack in this base image, found none')"

FROM python AS pycuda
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes g++ python3-dev \
    && rm -rf /var/lib/apt/lists/*
COPY docker/pycuda_wheel.sh /opt/
# hadolint ignore=DL3013,SC2086
RUN python3 -m pip install numpy setuptools wheel \
    && /opt/pycuda_wheel.sh /wheels ${CUDA_HEADERS}

FROM python AS package
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes python3-colcon-common-extensions \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.xml setup.cfg setup.py ./
COPY resource resource
COPY models models
COPY launch launch
COPY carla_bridge carla_bridge
COPY src src
# The environment's Python runs colcon, so that the executables start with it.
# hadolint ignore=SC1091
RUN . "/opt/ros/${ROS_DISTRO}/setup.sh" \
    && python3 /usr/bin/colcon build --merge-install --install-base /opt/lane_seg

FROM python AS runtime
# hadolint ignore=DL3013
RUN --mount=type=bind,from=pycuda,source=/wheels,target=/wheels \
    python3 -m pip install /wheels/*.whl numpy onnx onnxruntime opencv-python-headless openvino \
        pyyaml rich
# Ubuntu 24.04 brings a user 1000 of its own along.
ARG USER_ID=1000
ARG GROUP_ID=1000
RUN { userdel --remove ubuntu 2>/dev/null || true; } \
    && groupadd --non-unique --gid "${GROUP_ID}" lane_seg \
    && useradd --no-log-init --non-unique --create-home --uid "${USER_ID}" --gid "${GROUP_ID}" \
        --groups video lane_seg
COPY --chmod=755 docker/entrypoint.sh /opt/
COPY --from=package /opt/lane_seg /opt/lane_seg
ENV HOME=/home/lane_seg \
    ROS_LOG_DIR=/tmp/ros_log \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1
WORKDIR /home/lane_seg
USER ${USER_ID}
ENTRYPOINT ["/opt/entrypoint.sh"]
# Through the entry point: a health check starts without the environment that it makes.
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 \
    CMD ["/opt/entrypoint.sh", "lane-seg", "health", "--timeout", "10"]
CMD ["lane_seg_node"]
