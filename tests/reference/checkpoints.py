"""Writes the PyTorch checkpoints of tests/golden/pth: one tiny network in the formats that people have.

    python tests/reference/checkpoints.py

Every number follows from its key (recipe.py), so that the tests know what each file must hold.
Made with torch 2.15, beside*.pth and attributes.pth with torch 2.11 and NumPy 2.4; python2.pth is put together
opcode by opcode as PyTorch 0.1 on Python 2 wrote such files, and is loaded by torch before it is kept.
"""
import argparse
import collections
import enum
import os
import pathlib
import pickle
import random
import struct
from collections import Counter, OrderedDict

import numpy as np
import torch
from recipe import weight

OUT = pathlib.Path(__file__).parent.parent / "golden" / "pth"


def shapes(width=1, classes=3):
    """Keys and shapes of a ResNet with one basic block a stage."""
    found = OrderedDict()

    def conv(name, norm, c_out, c_in, kernel):
        found[f"{name}.weight"] = (c_out, c_in, kernel, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = (c_out,)
        found[f"{norm}.num_batches_tracked"] = ()

    conv("conv1", "bn1", width, 3, 7)
    c_in = width
    for stage in range(4):
        c, block = width << stage, f"layer{stage + 1}.0"
        conv(f"{block}.conv1", f"{block}.bn1", c, c_in, 3)
        conv(f"{block}.conv2", f"{block}.bn2", c, c, 3)
        if stage > 0:
            conv(f"{block}.downsample.0", f"{block}.downsample.1", c, c_in, 1)
        c_in = c
    found["fc.weight"], found["fc.bias"] = (classes, c_in), (classes,)
    return found


def state_dict(counters=True):
    tensors = OrderedDict()
    for key, shape in shapes().items():
        if key.endswith("num_batches_tracked"):
            if counters:
                tensors[key] = torch.tensor(1234)
        else:
            tensors[key] = torch.from_numpy(weight(key, shape, salt=""))
    return tensors


def shared(tensors, dtype=torch.float32, base=None):
    """The same tensors as windows on one storage, 4-D ones with channels innermost."""
    flat = torch.zeros(sum(t.numel() for t in tensors.values()), dtype=dtype) if base is None else base
    views, at = OrderedDict(), 0
    for key, value in tensors.items():
        window = flat[at:at + value.numel()]
        at += value.numel()
        if value.dim() == 4:
            o, i, h, w = value.shape
            view = window.view(o, h, w, i).permute(0, 3, 1, 2)
        else:
            view = window.view(value.shape)
        view.copy_(value)
        views[key] = view
    return views


def python2(tensors):
    """A state dict as PyTorch 0.1 wrote it under Python 2: byte strings, an ordered dict of lists of pairs,
    parameters with a state, and storages that are views."""
    flat = shared(tensors)
    storage = next(iter(flat.values())).untyped_storage()
    count = storage.nbytes() // 4

    def string(text):
        return b"U" + bytes([len(text)]) + text.encode()

    def integer(value):
        return b"J" + struct.pack("<i", value)

    def size(values):
        return b"(" + b"".join(map(integer, values)) + b"t"

    body = b"\x80\x02ccollections\nOrderedDict\n]("
    for key, tensor in flat.items():
        # The storage is a view that begins at the tensor, so that the tensor's own offset is 0.
        first, length = tensor.storage_offset(), tensor.numel()
        view = b"(" + string(f"view{first}") + integer(first) + integer(length) + b"t"
        persistent = b"(" + string("storage") + b"ctorch\nFloatStorage\n" + string("root") + string("cpu") \
            + integer(count) + view + b"tQ"
        rebuilt = b"ctorch._utils\n_rebuild_tensor\n(" + persistent + integer(0) + size(tensor.shape) \
            + size(tensor.stride()) + b"tR"
        parameter = b"ctorch.nn.parameter\nParameter\n" + rebuilt + b"\x85R" \
            + b"(\x88\x89ccollections\nOrderedDict\n)Rtb"
        body += b"](" + string(key) + (rebuilt if "running" in key else parameter) + b"e"
    body += b"e\x85R."
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 8}}
    pickles = [pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, system)]
    data = struct.pack("<q", count) + bytes(storage.tolist())
    return b"".join(pickles) + body + pickle.dumps(["root"], protocol=2) + data


class Phase(enum.Enum):
    TRAINING = 1


class Configuration:
    def __init__(self):
        self.me = self


class Harm:
    def __reduce__(self):
        return os.system, ("touch harm",)


def beside():
    """What training scripts keep beside the weights, of each kind one. Never loaded without weights_only here."""
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {
        "args": argparse.Namespace(lr=0.1, model="resnet18"),
        "best_acc": np.float64(71.5),
        "confusion": np.arange(6).reshape(2, 3),
        "names": np.array(["a", "b"]),
        "numpy_generator": np.random.default_rng(0),
        "numpy_state": ("MT19937", np.arange(8, dtype=np.uint32), 8, 0, 0.0),
        "python_state": random.Random(0).getstate()[:1],
        "history": collections.defaultdict(list, loss=[1.0, 0.5]),
        "path": pathlib.PurePosixPath("/data"),
        "frozen": {"bn1"},
        "device": torch.device("cuda:0"),
        "dtype": torch.float16,
        "bytes": b"\x00\xff",
        "large": 2**70,
        "larger": -(2**3000),
        "complex": torch.ones(3, dtype=torch.complex64),
        "uint16": torch.ones(3, dtype=torch.uint16),
        "float8": torch.ones(3).to(torch.float8_e4m3fn),
        "bool": torch.ones(3, dtype=torch.bool),
        "phase": Phase.TRAINING,
        "configuration": Configuration(),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10).state_dict(),
        "rng": torch.get_rng_state()[:64].clone(),
        "sparse": torch.eye(3).to_sparse(),
        "layer": layer,
        "harm": Harm(),
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    plain = state_dict()
    torch.save(plain, OUT / "zip.pth")

    # What a training script keeps: parallel training's prefix, an optimizer, a generator's state.
    weights = [torch.nn.Parameter(value.clone()) for key, value in plain.items() if key.startswith("fc")]
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
    sum(weight.sum() for weight in weights).backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [30, 60])
    assert isinstance(schedule.state_dict()["milestones"], Counter)
    training = {
        "epoch": 3,
        "arch": "resnet",
        "best": 71.5,
        "state_dict": OrderedDict((f"module.{key}", value) for key, value in plain.items()),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": {"milestones": schedule.state_dict()["milestones"]},
        "rng_state": torch.arange(16, dtype=torch.uint8),
    }
    torch.save(training, OUT / "legacy.pth", _use_new_zipfile_serialization=False)

    # Parameters on one storage with channels innermost, beside a moving average that must not be taken.
    parameters = OrderedDict((k, torch.nn.Parameter(v)) for k, v in shared(state_dict(counters=False)).items())
    average = OrderedDict((key, torch.zeros_like(value)) for key, value in list(plain.items())[:2])
    torch.save({"model_ema": average, "model": parameters}, OUT / "shared.pth")

    dtypes = {"f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}
    for name, dtype in dtypes.items():
        views = shared(state_dict(counters=False), dtype)
        torch.save({"model_state_dict": views}, OUT / f"{name}.pth")

    # What is no tensor in front of the weights and behind them; in the legacy format their numbers follow all others'.
    kept = list(beside().items())
    weights = shared(state_dict(counters=False))
    everything = {**dict(kept[:12]), "model": weights, **dict(kept[12:])}
    torch.save(everything, OUT / "beside.pth")
    torch.save(everything, OUT / "beside_legacy.pth", _use_new_zipfile_serialization=False)

    # Parameters and tensors with attributes, and what is among the weights and no weight.
    weights = shared(state_dict(counters=False))
    weights["fc.weight"] = torch.nn.Parameter(weights["fc.weight"])
    weights["fc.weight"].note = "a parameter's"
    weights["fc.bias"].note = "a tensor's"
    weights |= {"mask": torch.ones(3, dtype=torch.bool), "index": torch.arange(3, dtype=torch.int32), "note": None}
    torch.save({"state_dict": weights}, OUT / "attributes.pth")

    old = python2(state_dict(counters=False))
    (OUT / "python2.pth").write_bytes(old)
    loaded = torch.load(OUT / "python2.pth", weights_only=True)
    for key, value in state_dict(counters=False).items():
        assert torch.equal(loaded[key].detach(), value), key
    for path in sorted(OUT.glob("*.pth")):
        if not path.name.startswith("beside"):  # more than torch reads as data
            torch.load(path, weights_only=True)
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
