"""What a CPU needs to be fast: convolutions of one pixel as products of matrices, and OpenVINO for a teacher."""
import multiprocessing
import os
from functools import partial
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def pointwise_forward(conv, x):
    """A 1x1 convolution of channels-last maps: a product of two matrices, and so are both of its gradients."""
    return F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias).permute(0, 3, 1, 2)


def make_pointwise(net):
    """1x1 convolutions are computed as products of matrices, whose gradients oneDNN computes two to three times as
    fast as those of a convolution. One with a stride stays: the gradient of what it reads is slow to spread."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == module.stride == (1, 1) and module.groups == 1:
            module.forward = partial(pointwise_forward, module)


def serve(path, pipe):
    """Answers float16 pixels [n, 3, side, side] with all outputs in float32, one compiled program a shape."""
    import openvino  # only a teacher of this kind needs it
    core, programs = openvino.Core(), {}
    model = core.read_model(path)
    pipe.send([output.partial_shape[1].get_length() for output in model.outputs])
    while True:
        try:
            pixels = pipe.recv()
        except EOFError:  # nobody is left to answer
            return
        if pixels.shape not in programs:
            model.reshape(pixels.shape)
            programs[pixels.shape] = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        pipe.send(list(programs[pixels.shape](pixels.astype(np.float32)).values()))


class Compiled(nn.Module):
    """A network in OpenVINO's form (.xml), normalised pixels [n, 3, side, side] -> logits [n, classes], on the CPU; if
    it has a second output, that is what its classifier reads, [n, `width`]. It runs in a process of its own, because
    OpenVINO ends with an error beside the allocator that training is faster with."""
    def __init__(self, path, classes):
        super().__init__()
        if not path.exists():
            raise SystemExit(f"there is no {path}")
        preload = os.environ.pop("LD_PRELOAD", None)
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        context.Process(target=serve, args=(path, other), daemon=True).start()
        other.close()  # so that the end of the process ends the waiting for it
        if preload is not None:
            os.environ["LD_PRELOAD"] = preload
        known, *width = self.pipe.recv()
        self.width = width[0] if width else None
        if known != classes:
            raise SystemExit(f"{path} knows {known} classes, the set has {classes}")

    def with_features(self, pixels):
        """-> logits and, if it has a second output, the features, else None"""
        self.pipe.send(pixels.half().contiguous().numpy())
        answers, *features = map(torch.from_numpy, self.pipe.recv())
        return answers, features[0] if features else None

    def forward(self, pixels):
        return self.with_features(pixels)[0]
