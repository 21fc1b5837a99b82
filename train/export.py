"""Writes a trained checkpoint as one self-describing model file: safetensors with the config in its metadata.

usage: export.py CHECKPOINT(.state|.pth|.safetensors)... OUT.safetensors --labels train/labels/SET.tsv [--side 192] ...

Of several checkpoints, of which one was tuned from the other, it is the mean of their weights. Of a checkpoint that
knows more classes than the labels' (the log beside it names them) it is that of the labels' classes alone.
`known.py` then fits the temperature that probabilities are calibrated with and the rule of what is known.
Tensors keep the order of the network's definition. num_batches_tracked is left out: inference has no use for it.
"""
import argparse
import copy
import json
import struct
from pathlib import Path
import torch
from network import add_form_arguments, build, form_of, read_weights, start_from
from pictures import DEVIATION, MEAN

DTYPES = {"f16": torch.float16, "f32": torch.float32}


def columns_of(path, *names):
    """-> those columns of a table of classes, as lists in class order, which is that of the folders' names"""
    head, *rows = (line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines())
    if not {"folder", *names} <= set(head):
        wanted = dict.fromkeys(["folder", *names])
        raise SystemExit(f"{path} has the columns {', '.join(head)}: expected {', '.join(wanted)}")
    rows.sort(key=lambda row: row[head.index("folder")])
    return [[row[head.index(name)] for row in rows] for name in names]


def self_test_input(side):
    """The input of the library's self-test, [1, 3, side, side]: the same numbers in -2 to 2 everywhere."""
    state, values = 1, []
    for _ in range(3 * side * side):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state / 2**30 - 2)
    return torch.tensor(values, dtype=torch.float32).reshape(1, 3, side, side)


def golden_of(net, side, dtype):
    """The logits of the self-test's input, from the weights as the file has them."""
    stored = copy.deepcopy(net).to(DTYPES[dtype]).double().eval()
    with torch.no_grad():
        return stored(self_test_input(side).double())[0].float().tolist()


def config_of(variant, form, labels, side, golden):
    """What a model file says of itself; parts of the form that are the released ones are left out."""
    names = dict(cheap_ratio=("cheapRatio", 0.5), form=("form", "released"), aggregation=("aggregation", True),
                 cheap_kernel=("cheapKernel", 1))
    own = {names[key][0]: value for key, value in form.items() if value != names[key][1]}
    return dict(variant=variant, **own, classes=labels, input=dict(
        side=side, resize="squash", interpolation="bicubic", mean=list(MEAN), std=list(DEVIATION)), golden=golden)


def write_safetensors(path, state, config, dtype):
    """safetensors' own writer sorts by name; this one keeps the order."""
    header, parts, at = {"__metadata__": {"g-ghostnet": json.dumps(config, ensure_ascii=False)}}, [], 0
    for key, value in state.items():
        value = value.to(DTYPES[dtype]).contiguous()
        if not value.isfinite().all():
            raise SystemExit(f"{key} is not finite as {dtype}: the training diverged, or use --dtype f32")
        raw = value.numpy().tobytes()
        header[key] = dict(dtype=dtype.upper(), shape=list(value.shape), data_offsets=[at, at + len(raw)])
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the format's alignment
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def export(checkpoints, out, variant, form, folders, labels, side, dtype="f16"):
    net, states = build(variant, len(labels), **form), []
    for checkpoint in checkpoints:
        if not start_from(net, checkpoint, folders):
            raise SystemExit(f"there are {len(labels)} labels, and {checkpoint} knows "
                             f"{len(read_weights(checkpoint)['fc.bias'])} classes")
        states.append(copy.deepcopy(net.state_dict()))
    net.load_state_dict({key: sum(state[key] for state in states) / len(states) for key in states[0]})
    state = {key: value for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    golden = golden_of(net, side, dtype)
    write_safetensors(out, state, config_of(variant, form, labels, side, golden), dtype)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    parser.add_argument("--labels", type=Path, required=True, help="table of class folders and words")
    parser.add_argument("--side", type=int, default=192, help="the input side that the model file asks for")
    parser.add_argument("--dtype", choices=DTYPES, default="f16")
    add_form_arguments(parser)
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.out, arguments.variant, form_of(arguments),
           *columns_of(arguments.labels, "folder", "label"), arguments.side, arguments.dtype)
    print(arguments.out, arguments.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
