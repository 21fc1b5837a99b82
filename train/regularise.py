"""Stochastic depth and dropout as hooks, so that the network's definition stays the one of inference."""
import torch
from network import blocks
from torch.nn import functional as F


def add_stochastic_depth(net, rate):
    """Leaves out a block's residual for a picture with a probability that rises linearly from 0 to `rate` at the last
    block; what stays is scaled, so that the expectation is that of inference."""
    hooked = blocks(net)
    for i, block in enumerate(hooked):
        keep = 1 - rate * i / max(len(hooked) - 1, 1)

        def drop(module, _, residual, keep=keep):
            if not module.training or keep == 1:
                return residual
            kept = torch.rand(len(residual), 1, 1, 1, device=residual.device) < keep
            return residual * (kept / keep).to(residual.dtype)
        block.bn3.register_forward_hook(drop)


def add_dropout(net, rate):
    """Dropout of the pooled features before the classifier."""
    net.fc.register_forward_pre_hook(lambda module, inputs: (F.dropout(inputs[0], rate, module.training),))
