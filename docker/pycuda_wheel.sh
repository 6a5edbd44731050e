#!/bin/bash
# Compile a wheel of pycuda without the CUDA toolkit:
#
#   pycuda_wheel.sh OUTPUT HEADERS...
#
# OUTPUT is the folder for the wheel, HEADERS are the pip packages with CUDA's headers, of the
# version whose functions the driver of the target has. python3 and pip are those of PATH; numpy,
# setuptools and wheel must be there, as must g++ and Python's own headers.
set -euo pipefail

output=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m pip install --quiet --no-deps --target "$scratch/headers" "$@"
# The driver's library exists on the target only. An empty one of the same name satisfies the
# linker, which needs to be told to note it although nothing in it is used.
mkdir "$scratch/stub"
gcc -shared -x c /dev/null -Wl,-soname,libcuda.so.1 -o "$scratch/stub/libcuda.so"
# pycuda's setup reads this file in the home folder. The random numbers of cuRAND are not used.
cat > "$scratch/.aksetup-defaults.py" <<SETTINGS
CUDA_INC_DIR = ['$(echo "$scratch"/headers/nvidia/*/include | sed "s/ /', '/g")']
CUDA_ENABLE_CURAND = False
CUDADRV_LIB_DIR = ['$scratch/stub']
SETTINGS
HOME=$scratch LDFLAGS=-Wl,--no-as-needed \
  python3 -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$output" pycuda
