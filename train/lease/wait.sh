#!/bin/bash
# wait.sh SECONDS: waits for the end of the training, so long at most; then copies what it wrote to $OUT.
run=${RUN:-/root/run}
for ((i = 0; i < 2 * $1; i++)); do
  [ -e "$run/out/over" ] && break
  sleep 0.5
done
if [ ! -e "$run/out/over" ]; then
  kill -TERM "$(cat "$run/pid")" 2>/dev/null
  for ((i = 0; i < 40; i++)); do [ -e "$run/out/over" ] && break; sleep 0.5; done
fi
tail -c 30000 "$run/out/console.txt" >"$OUT/console.txt"
cp "$run"/out/default.jsonl "$run"/out/default*.pth "$OUT/"
ls -l "$OUT"
grep '"held"' "$run/out/default.jsonl" | tail -n 12
grep '"trained"' "$run/out/default.jsonl" | tail -n 3
