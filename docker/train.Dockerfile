# syntax=docker/dockerfile:1.7
# Training, quantization and export with PyTorch on CUDA, without ROS; see docs/docker.md.
#
#   docker build -f docker/train.Dockerfile -t lane_seg_ros:0.1.0-train .
#   ... --build-arg MODELOPT=0.47.0   with NVIDIA's modelopt
#
# The base brings no CUDA libraries, for PyTorch's packages do, but the label by which the NVIDIA
# runtime refuses a driver that is too old when the container starts.
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-base-ubuntu24.04

FROM ${CUDA_IMAGE} AS python
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/venv
COPY requirements/constraints-3.12.txt /opt/constraints.txt
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# hadolint ignore=DL3013
RUN python3 -m pip install --constraint /opt/constraints.txt pip setuptools wheel \
    && python3 -m pip install --constraint /opt/constraints.txt torch
# hadolint ignore=DL3013
RUN python3 -m pip install --constraint /opt/constraints.txt \
        lightning matplotlib numpy onnx onnxruntime opencv-python-headless openvino pyyaml rich \
        safetensors scipy tensorboard torchmetrics
# Only to compare our quantization with it. It needs a later setuptools than colcon allows, which
# this image does not have.
ARG MODELOPT=
RUN if [ -n "${MODELOPT}" ]; then \
        sed '/^setuptools==/d' /opt/constraints.txt > /opt/constraints-modelopt.txt \
        && python3 -m pip install --constraint /opt/constraints-modelopt.txt \
            "nvidia-modelopt==${MODELOPT}"; \
    fi

FROM python AS package
WORKDIR /src
COPY package.xml pyproject.toml setup.cfg setup.py ./
COPY resource resource
COPY models models
COPY carla_bridge carla_bridge
COPY src src
RUN python3 -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python AS train
RUN --mount=type=bind,from=package,source=/wheels,target=/wheels \
    python3 -m pip install --no-deps /wheels/*.whl
ARG USER_ID=1000
ARG GROUP_ID=1000
RUN { userdel --remove ubuntu 2>/dev/null || true; } \
    && groupadd --non-unique --gid "${GROUP_ID}" lane_seg \
    && useradd --no-log-init --non-unique --create-home --uid "${USER_ID}" --gid "${GROUP_ID}" \
        lane_seg
ENV HOME=/home/lane_seg \
    PYTHONUNBUFFERED=1
WORKDIR /work
USER ${USER_ID}
# A command that runs and ends: there is no health to check.
HEALTHCHECK NONE
ENTRYPOINT ["lane-seg"]
CMD ["--help"]
