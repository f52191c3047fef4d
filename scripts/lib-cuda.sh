#!/bin/sh
# Links the llama.cpp libraries for NVIDIA's GPUs, which `npm ci` has fetched,
# into one folder, the way bendi-engine looks for them:
#
#   scripts/lib-cuda.sh FOLDER [13|12]
#
# They need CUDA's own libcudart and libcublas, of the release given or else of
# the newest that this machine has.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
packages=$root/inference/engine/lib/cuda/node_modules/@node-llama-cpp
folder=$1
cuda=${2:-}

if [ -z "$cuda" ]; then
    for release in 13 12; do
        if ldconfig -p 2>/dev/null | grep -q "libcublas\.so\.$release "; then
            cuda=$release
            break
        fi
    done
fi
case $cuda in
13) backend=$packages/linux-x64-cuda/bins/linux-x64-cuda/libggml-cuda.so ;;
12) backend=$packages/linux-x64-cuda-ext/bins/linux-x64-cuda/fallback/libggml-cuda.so ;;
"")
    echo "lib-cuda.sh: this machine has no libcublas of CUDA 13 or 12: install NVIDIA's CUDA runtime (libcudart and libcublas), or say which it will have: make lib-cuda CUDA=13" >&2
    exit 1
    ;;
*)
    echo "lib-cuda.sh: want CUDA 13 or 12, have $cuda" >&2
    exit 2
    ;;
esac
if [ ! -f "$backend" ]; then
    echo "lib-cuda.sh: $backend is missing: run make lib-cuda, which fetches it" >&2
    exit 1
fi

rm -rf "$folder"
mkdir -p "$folder"
for file in "$packages"/linux-x64-cuda/bins/linux-x64-cuda/*; do
    ln -s "$file" "$folder/"
done
# llama.Load looks for names without a version.
ln -s libllama.cuda.v0.5.0.so "$folder/libllama.so"
ln -s libggml.cuda.v0.5.0.so "$folder/libggml.so"
ln -sf "$backend" "$folder/libggml-cuda.so"
echo "$folder: llama.cpp 0.5.0 for CUDA $cuda"
