#!/bin/bash
# start.sh SECONDS [options of taught.py]: begins a training that ends SECONDS from now, in the background. Run in a
# folder that holds this one as .pay/, with code, weights, pictures to measure with and the first part.
set -e
here=$(cd "$(dirname "$0")" && pwd) run=${RUN:-/root/run}
seconds=$1; shift
rm -rf "$run"; mkdir -p "$run/parts" "$run/out"
cp -r "$here"/. "$run/"
mv "$run"/part-*.pool "$run/parts/"
if ls "$run"/wheels/*.whl >/dev/null 2>&1 && ! python3 -c '
import io; from PIL import Image
Image.new("RGB", (64, 64)).save(io.BytesIO(), "AVIF")' 2>/dev/null; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$run/site" "$run"/wheels/*.whl
fi
export PYTHONPATH=$run/site OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} PYTHONUNBUFFERED=1
date +%s >"$run/began"
setsid bash "$run/keep.sh" "$(cat "$run/began")" "$seconds" "$@" >"$run/out/console.txt" 2>&1 </dev/null &
sleep "${LOOK:-5}"
tail -n 5 "$run/out/console.txt"
echo started
