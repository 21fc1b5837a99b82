#!/bin/bash
# keep.sh BEGAN SECONDS [options]: the training; after a failure on from what was saved, without graphs from the second
# on. SIGTERM ends it with its weights written.
run=$(cd "$(dirname "$0")" && pwd) began=$1 seconds=$2
shift 2
trap 'kill -TERM "$child" 2>/dev/null' TERM
for try in 1 2 3 4; do
  (( $(date +%s) < began + seconds - 15 )) || break
  plain=()
  (( try > 2 )) && plain=(--eager)
  (( try > 3 )) && plain=(--eager --batch 256 --rate 0.2)
  python3 "$run/code/train/taught.py" "$run/parts" "$run/out/default" --from "$run/start.safetensors" \
    --teacher "$run/teacher.safetensors" --held "$run/held" --began "$began" --seconds "$seconds" "$@" "${plain[@]}" &
  child=$!
  echo "$child" >"$run/pid"
  wait "$child"; status=$?
  # a signal ends the first waiting before the training has written its weights
  while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
  echo "try $try: status $status"
  [ -e "$run/out/default.done" ] && break
done
touch "$run/out/over"
