"""What a GPU needs to be fast with this network: few launches, and convolutions that its matrix units can compute."""
import copy
from functools import cache, partial
import torch
from torch import nn
from torch.nn import functional as F


def dense_forward(conv, x):
    """A grouped convolution as a dense one whose filters are zero outside their group."""
    out, inner, *kernel = conv.weight.shape
    groups = conv.groups
    filters = conv.weight.to(x.dtype).view(groups, out // groups, 1, inner, *kernel)
    mask = torch.eye(groups, device=x.device, dtype=x.dtype).view(groups, 1, groups, 1, 1, 1)
    return F.conv2d(x, (filters * mask).reshape(out, groups * inner, *kernel), conv.bias, conv.stride, conv.padding)


def make_dense(net):
    """Grouped convolutions are computed as dense ones: several times the arithmetic, on units that are more times as
    fast at it. The weights and their gradients stay those of the grouped ones."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.forward = partial(dense_forward, module)


@cache
def recording_stream():
    """One for all: a parameter's gradient is accumulated on the stream of its first use for as long as the network
    holds any value of that pass, and a recording must not leave its stream."""
    return torch.cuda.Stream()


@cache
def recording_memory():
    """One for all recordings: none of them runs while another does, and what they give is kept apart."""
    return torch.cuda.graph_pool_handle()


class Recorded:
    """The forward and the backward pass of a batch of one shape as a CUDA graph: one launch for some hundred kernels.

    `gradients(pixels, targets)` must set the gradients of `net` and return the loss; it runs a few times here, after
    which the net's weights and statistics are as they were.
    """
    def __init__(self, net, gradients, pixels, targets):
        kept = copy.deepcopy(net.state_dict())
        self.pixels, self.targets = pixels.clone(), targets.clone()
        stream = recording_stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                gradients(self.pixels, self.targets)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.empty_cache()  # a recording's memory is its own
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, recording_memory(), stream=stream):
            self.loss = gradients(self.pixels, self.targets)
        self.gradients = [(parameter, parameter.grad) for parameter in net.parameters()]
        net.load_state_dict(kept)

    def run(self, pixels, targets):
        """-> the loss; the parameters' gradients are this recording's."""
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        self.pixels.copy_(pixels)
        self.targets.copy_(targets)
        self.graph.replay()
        return self.loss
