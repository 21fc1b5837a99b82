"""Writes a trained checkpoint as one self-describing model file: safetensors with the config in its metadata.

usage: export.py CHECKPOINT(.pth|.safetensors) OUT.safetensors CONFIG.json [--dtype f16|f32]

CONFIG.json is the config that goes into the metadata key `g-ghostnet`:
{"variant", "classes": labels in class order, "input": {"side", "resize", "resizeSide", "interpolation", "mean", "std"}}
Tensors keep the order of a .pth; those of a .safetensors come sorted by name, unless `--like` names a model whose
order to take. num_batches_tracked is left out: inference has no use for it.
"""
import argparse
import json
import struct
from pathlib import Path
import torch
from safetensors import safe_open


def state_of(path):
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}
    return torch.load(path, map_location="cpu", weights_only=True)


def keys_of(path):
    """Keys in the order in which a safetensors file's header lists them."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return [key for key in json.loads(file.read(length)) if key != "__metadata__"]


def write_safetensors(path, state, config, dtype):
    """safetensors' own writer sorts by name; this one keeps the order."""
    header, data = {"__metadata__": {"g-ghostnet": json.dumps(config, ensure_ascii=False)}}, b""
    for key, value in state.items():
        raw = value.to(dtype).contiguous().numpy().tobytes()
        if not value.to(dtype).isfinite().all():
            raise SystemExit(f"{key} is not finite as {dtype}: the training diverged, or use --dtype f32")
        name = {torch.float16: "F16", torch.float32: "F32"}[dtype]
        header[key] = dict(dtype=name, shape=list(value.shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the format's alignment
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--dtype", choices=("f16", "f32"), default="f16")
    parser.add_argument("--like", type=Path, help="a model of the same network whose order of keys to take")
    arguments = parser.parse_args()
    state = {k: v for k, v in state_of(arguments.checkpoint).items() if not k.endswith("num_batches_tracked")}
    if arguments.like:
        keys = keys_of(arguments.like)
        if sorted(keys) != sorted(state):
            raise SystemExit(f"{arguments.like} is of another network: its keys differ")
        state = {key: state[key] for key in keys}
    config = json.loads(arguments.config.read_text())
    classes = state["fc.weight"].shape[0]
    if len(config["classes"]) != classes:
        raise SystemExit(f"the config has {len(config['classes'])} labels, the checkpoint {classes} classes")
    write_safetensors(arguments.out, state, config, {"f16": torch.float16, "f32": torch.float32}[arguments.dtype])
    print(arguments.out, arguments.out.stat().st_size, "bytes,", len(state), "tensors")


if __name__ == "__main__":
    main()
