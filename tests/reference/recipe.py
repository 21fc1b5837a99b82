"""Weights and inputs that follow from names alone, and reference files made with them; see README.md."""
import json
import math
import numpy as np
import torch

MASK = (1 << 64) - 1
SAMPLES = 24


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 & MASK
    return h


def unit(name, n):
    """n float32 in [-1, 1) from a name: splitmix64 seeded by FNV-1a."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a64(name.encode())) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1).astype(np.float32)


def weight(key, shape, salt):
    u = unit(salt + key, math.prod(shape)).reshape(shape)
    last = key.rsplit(".", 1)[-1]
    if last == "running_mean":
        return u * np.float32(0.1)
    if last == "running_var":
        return 1 + np.float32(0.5) * u
    if last == "weight" and len(shape) == 4:
        return (u.astype(np.float64) * math.sqrt(3 / math.prod(shape[1:])) * 1.2).astype(np.float32)
    if last == "weight" and len(shape) == 2:
        return (u.astype(np.float64) * math.sqrt(3 / shape[1])).astype(np.float32)
    if last == "weight":
        return np.float32(0.75) + np.float32(0.25) * u
    return u * np.float32(0.1)


def fill(net, salt="", named=str):
    """Gives every tensor of the state dict its value and returns the network in inference mode; `named` is the key in
    the library whose names the file is about, where the network comes from another."""
    state = {}
    for key, old in net.state_dict().items():
        keep = key.endswith("num_batches_tracked")
        state[key] = old if keep else torch.from_numpy(np.asarray(weight(named(key), tuple(old.shape), salt), np.float32))
    net.load_state_dict(state, strict=True)
    return net.eval()


def picture(shape, salt=""):
    b, c, h, w = shape
    fine = unit(salt + "input.fine", b * c * h * w).reshape(shape)
    hh, ww = -(-h // 16), -(-w // 16)
    coarse = unit(salt + "input.coarse", b * c * hh * ww).reshape(b, c, hh, ww)
    coarse = coarse.repeat(16, 2).repeat(16, 3)[:, :, :h, :w]
    return torch.from_numpy(np.float32(1.5) * coarse + np.float32(0.5) * fine)


def short(value):
    """A float32 as the shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))


def tap(tensor, samples):
    flat = tensor.detach().flatten()
    n = flat.numel()
    step = int(n * 0.6180339887) | 1
    while math.gcd(step, n) != 1:
        step += 2
    index = [i * step % n for i in range(min(samples, n))]
    double = flat.double()
    return dict(shape=list(tensor.shape), mean=double.mean().item(), l2=double.norm().item(),
                absmax=short(flat.abs().max().item()), index=index, value=[short(flat[i].item()) for i in index])


def reference(net, variant, shape, taps, salt="", samples=SAMPLES, **extra):
    """Runs the filled network on the recipe's input; `taps`: name in the file -> module of the network; what a
    network of gghost.py has `seen` is added."""
    x = picture(shape, salt)
    values, hooks = {}, []
    for name, module in taps.items():
        # clone: the networks' activations are in place
        hooks.append(module.register_forward_hook(
            lambda _m, _i, out, name=name: values.__setitem__(name, out.detach().clone())))
    with torch.no_grad():
        logits = net(x)
    for hook in hooks:
        hook.remove()
    values.update(getattr(net, "seen", {}))
    values["logits"] = logits
    return dict(variant=variant, input=list(shape), num_classes=logits.shape[1], salt=salt,
                params=sum(p.numel() for p in net.parameters()), **extra,
                taps={name: tap(value, samples) for name, value in values.items()},
                logits=[short(v) for v in logits.flatten()[:200].tolist()],
                top5=logits.topk(min(5, logits.shape[1])).indices.tolist())


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f' "{key}": {json.dumps(value)}' for key, value in data.items() if key != "taps"]
    taps = [f'  "{key}": {json.dumps(value)}' for key, value in data.get("taps", {}).items()]
    if taps:
        lines.insert(-2, ' "taps": {\n' + ",\n".join(taps) + "\n }")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(path.name, path.stat().st_size, flush=True)
