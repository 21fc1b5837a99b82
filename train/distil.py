"""Learning from a teacher: its answers, and if wanted also the features that its classifier reads."""
import torch
from cpu import Compiled
from network import build, start_from
from torch import nn
from torch.nn import functional as F


class Pooled:
    """What the classifier of a network read when it last ran: the pooled features [n, channels]."""
    def __init__(self, net):
        self.width = net.fc.in_features
        net.fc.register_forward_pre_hook(self.see)

    def see(self, _, inputs):
        self.features, = inputs


class Network:
    """A checkpoint as a teacher: pixels -> logits and features."""
    def __init__(self, variant, path, classes, device):
        self.net = build(variant, classes)
        if not start_from(self.net, path):
            raise SystemExit(f"{path} does not know {classes} classes")
        self.net.to(device, memory_format=torch.channels_last).eval()
        self.pooled = Pooled(self.net)
        self.width = self.pooled.width

    def with_features(self, pixels):
        return self.net(pixels), self.pooled.features


def teacher_of(path, variant, classes, device):
    if path.suffix != ".xml":
        return Network(variant, path, classes, device)
    if device.type != "cpu":
        raise SystemExit(f"{path}: a teacher in OpenVINO's form answers on the CPU, far slower than a GPU asks: "
                         "train on the CPU (CUDA_VISIBLE_DEVICES=), or name a checkpoint")
    return Compiled(path, classes)


class Projector(nn.Module):
    """Student's features -> the teacher's, a linear map. It is learned beside the network and then left out.

    The loss is a mean over the teacher's features, so the gradient of each row is small; the factor makes the map's
    rate its square times the network's. At 8 the map learns each batch's noise (`LOG.md`).
    """
    FACTOR = 2

    def __init__(self, inner, outer):
        super().__init__()
        self.standardise = nn.BatchNorm1d(inner, affine=False, track_running_stats=False)
        self.linear = nn.Linear(inner, outer)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x):
        return self.linear(self.standardise(x)) * self.FACTOR


class Distillation(nn.Module):
    """`share` of the loss is the divergence from the teacher's answers, softened by `heat` (Hinton et al. 2015); added
    is `weight` times the share of the variance of the teacher's features, summed over all of them in a batch, that a
    linear map of the student's leaves unexplained (after FitNets, Romero et al. 2015; why linear: Miles and
    Mikolajczyk 2024)."""
    def __init__(self, net, teacher, share, heat, weight):
        super().__init__()
        self.teacher, self.share, self.heat, self.weight = teacher, share, heat, weight
        if weight:
            self.pooled = Pooled(net)
            if not teacher.width:
                raise SystemExit("this teacher gives no features: it needs a second output, what its classifier reads")
            self.projector = Projector(self.pooled.width, teacher.width)

    def forward(self, pixels, answers, loss):
        """-> the loss where `loss` is that of the labels and `answers` the student's of these pixels"""
        with torch.no_grad():
            wanted, features = self.teacher.with_features(pixels)
        apart = F.kl_div(F.log_softmax(answers.float() / self.heat, 1), F.log_softmax(wanted.float() / self.heat, 1),
                         log_target=True, reduction="batchmean") * self.heat ** 2
        loss = loss * (1 - self.share) + apart * self.share
        if self.weight:
            features = features.float() - features.float().mean(0)
            features = features / features.square().mean().sqrt()
            loss = loss + self.weight * F.mse_loss(self.projector(self.pooled.features).float(), features)
        return loss
