"""Trains a G-Ghost-RegNetX, or its plain twin, on a folder of class folders; on one GPU if there is one, else the CPU.

usage: train.py DATA OUT [--variant g_ghost_regnetx_006] [--from FILE] [--epochs N | --minutes N] ...

DATA holds train/<class>/<pictures> and val/<class>/<pictures>; without val nothing is validated. Writes OUT.state (all
that is needed to go on, every epoch and every few minutes; the same command goes on from it), OUT.pth (the averaged
weights) and OUT.jsonl (the log).
A run that was stopped and goes on gives the same weights as one that was not: randomness follows from seed and step.
With --minutes the schedule follows the time trained, for a machine whose speed is not known.
"""
import argparse
import copy
import json
import math
import os
import time
from functools import partial
from pathlib import Path
import torch
from cpu import make_pointwise
from distil import Distillation, teacher_of
from evaluate import logits, top
from gpu import Recorded, make_dense
from network import add_form_arguments, build, form_of, start_from
from pictures import augment, load, mix
from regularise import add_dropout, add_stochastic_depth
from torch import nn
from torch.nn import functional as F


def arguments_of(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("data", type=Path)
    add("out", type=Path)
    add("--from", dest="start", type=Path,
        help="weights to start from; a head that does not know the classes starts random")
    add("--teacher", type=Path,
        help="to distil from: a checkpoint of --teacher-variant, or any network in OpenVINO's form (.xml)")
    add("--teacher-variant", default="g_ghost_regnetx_006")
    add("--teacher-share", type=float, default=0.5, help="share of the loss that is the teacher's")
    add("--temperature", type=float, default=2.0)
    add("--teacher-features", type=float, default=0.0, metavar="WEIGHT",
        help="weight of the share of the teacher's features that the network's leave unexplained; 0: of no account")
    add("--epochs", type=float, default=60)
    add("--minutes", type=float, help="train for this time instead of --epochs")
    add("--sizes", default="112:0.5,128:0.8,160:1",
        help="SIDE:UNTIL,..., UNTIL a share of the training; of SIDE+SIDE+... each batch has one by chance")
    add("--stored", type=int, default=160, help="side of the pictures in memory")
    add("--batch", type=int, default=64)
    add("--rate", type=float, default=0.25, help="highest learning rate")
    add("--warm-up", type=float, default=0.06, help="share of the training")
    add("--decay", type=float, default=1e-4, help="weight decay of matrices and filters")
    add("--smoothing", type=float, default=0.1)
    add("--mix", type=float, default=0.0, help="share of batches with mixup or cutmix")
    add("--dropout", type=float, default=0.2)
    add("--depth-drop", type=float, default=0.0, help="stochastic depth: the last block's rate")
    add("--average", type=float, default=0.998, help="decay of the moving average a step")
    add("--validate-every", type=int, default=5, help="epochs; the last is always validated")
    add("--save-every", type=int, default=1, help="epochs; a longer way than --save-minutes is saved on it")
    add("--save-minutes", type=float, default=3)
    add("--seed", type=int, default=0)
    add("--f32", action="store_true", help="no bfloat16")
    add("--grouped", action="store_true", help="on a GPU: compute grouped convolutions as such, not as dense ones")
    add("--eager", action="store_true", help="on a GPU: launch kernel by kernel, not a CUDA graph a step")
    add("--threads", type=int)
    add_form_arguments(parser)
    arguments = parser.parse_args(argv)
    arguments.sizes = [([int(side) for side in sides.split("+")], float(until)) for sides, until in
                       (part.split(":") for part in arguments.sizes.split(","))]
    return arguments


def sides_at(sizes, done):
    return next((sides for sides, until in sizes if done < until), sizes[-1][0])


def rate_at(highest, warm_up, done):
    """Linear warm-up, then a cosine to zero; `done` is the share of the training behind."""
    if done < warm_up:
        return highest * max(done, 1e-3 * warm_up) / warm_up
    return highest * 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warm_up) / (1 - warm_up))))


def optimiser_of(net, decay):
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() <= 1]
    return torch.optim.SGD([dict(params=matrices, weight_decay=decay), dict(params=vectors, weight_decay=0)],
                           lr=0.1, momentum=0.9, nesterov=True, fused=matrices[0].is_cuda)


class Average:
    """The exponential moving average of a network's weights and statistics: `net`."""
    def __init__(self, net):
        self.net = copy.deepcopy(net)
        pairs = list(zip(self.net.state_dict().values(), net.state_dict().values()))
        self.numbers, self.counts = (list(zip(*(pair for pair in pairs if pair[0].is_floating_point() == wanted)))
                                     for wanted in (True, False))

    @torch.no_grad()
    def update(self, decay):
        torch._foreach_lerp_(*self.numbers, 1 - decay)
        torch._foreach_copy_(*self.counts)


def save(path, value):
    """Whole or not at all: a kill while writing leaves the former file."""
    torch.save(value, f"{path}.new")
    os.replace(f"{path}.new", path)


class Training:
    def __init__(self, arguments):
        self.arguments = arguments
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.pixels, self.labels, folders = load(arguments.data / "train", arguments.stored)
        self.held_back = None
        if (arguments.data / "val").exists():
            *self.held_back, held_back_folders = load(arguments.data / "val", arguments.stored)
            if folders != held_back_folders:
                raise SystemExit(f"{arguments.data}/train and val have different classes")
        self.pixels, self.labels = self.pixels.to(self.device), self.labels.to(self.device)
        self.classes = len(folders)
        torch.manual_seed(arguments.seed)
        self.net = build(arguments.variant, self.classes, **form_of(arguments))
        if arguments.start:
            start_from(self.net, arguments.start, folders)
        self.net.to(self.device, memory_format=torch.channels_last)
        self.average = Average(self.net)
        self.trained, self.distillation = self.net, None
        if arguments.teacher:
            teacher = teacher_of(arguments.teacher, arguments.teacher_variant, self.classes, self.device)
            self.distillation = Distillation(self.net, teacher, arguments.teacher_share, arguments.temperature,
                                             arguments.teacher_features).to(self.device)
            self.trained = nn.ModuleList([self.net, self.distillation])
        add_stochastic_depth(self.net, arguments.depth_drop)
        add_dropout(self.net, arguments.dropout)
        self.optimiser = optimiser_of(self.trained, arguments.decay)
        self.step, self.seconds, self.ended = 0, 0.0, False
        self.recorded, self.order = {}, (None, None)  # by side; epoch and its order of the pictures
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            if not arguments.grouped:
                make_dense(self.net)
        else:
            make_pointwise(self.net)
        self.steps_an_epoch = len(self.pixels) // arguments.batch
        if self.steps_an_epoch == 0:
            raise SystemExit(f"{len(self.pixels)} pictures are less than a batch of {arguments.batch}")
        if Path(f"{arguments.out}.state").exists():
            self.resume()
        self.log("start", arguments={k: str(v) for k, v in vars(arguments).items()}, pictures=len(self.pixels),
                 held_back=len(self.held_back[1]) if self.held_back else 0, classes=folders,
                 device=str(self.device), torch=torch.__version__,
                 threads=torch.get_num_threads(), parameters=sum(p.numel() for p in self.net.parameters()))

    def log(self, event, **values):
        record = dict(event=event, time=time.strftime("%Y-%m-%dT%H:%M:%S"), step=self.step,
                      epoch=round(self.step / self.steps_an_epoch, 3), seconds=round(self.seconds, 1)) | values
        with open(f"{self.arguments.out}.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def save(self):
        save(f"{self.arguments.out}.state", dict(
            net=self.net.state_dict(), distillation=self.distillation.state_dict() if self.distillation else {},
            average=self.average.net.state_dict(), optimiser=self.optimiser.state_dict(),
            step=self.step, seconds=self.seconds, ended=self.ended))
        save(f"{self.arguments.out}.pth", {k: v.cpu() for k, v in self.average.net.state_dict().items()})

    def resume(self):
        state = torch.load(f"{self.arguments.out}.state", map_location=self.device, weights_only=True)
        try:
            self.net.load_state_dict(state["net"])
            self.average.net.load_state_dict(state["average"])
            if self.distillation:
                self.distillation.load_state_dict(state.get("distillation", {}))  # states of before have none
        except RuntimeError as error:
            raise SystemExit(f"{self.arguments.out}.state is of another network or set: choose another OUT ({error})")
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.ended = state["step"], state["seconds"], state["ended"]

    def done(self):
        """Share of the training that is behind."""
        if self.arguments.minutes:
            return self.seconds / (60 * self.arguments.minutes)
        return self.step / (self.arguments.epochs * self.steps_an_epoch)

    def batch(self):
        """Pixels and target probabilities of this step; they follow from seed and step."""
        epoch, at = divmod(self.step, self.steps_an_epoch)
        if self.order[0] != epoch:
            generator = torch.Generator().manual_seed(self.arguments.seed + epoch)
            self.order = epoch, torch.randperm(len(self.pixels), generator=generator).to(self.device)
        size = self.arguments.batch
        chosen = self.order[1][at * size:(at + 1) * size]
        torch.manual_seed((self.arguments.seed << 32) + self.step)
        sides = sides_at(self.arguments.sizes, self.done())
        pixels = augment(self.pixels[chosen], sides[int(torch.randint(len(sides), ()))])
        targets = F.one_hot(self.labels[chosen], self.classes).float()
        pixels, targets = mix(pixels, targets, self.arguments.mix)
        return pixels, targets

    def loss(self, pixels, targets):
        lower = partial(torch.autocast, self.device.type, torch.bfloat16, enabled=not self.arguments.f32,
                        cache_enabled=False)  # what is kept from one pass would be stale in a recorded one
        with lower():
            answers = self.net(pixels)
        loss = F.cross_entropy(answers.float(), targets, label_smoothing=self.arguments.smoothing)
        if self.distillation:
            with lower():
                loss = self.distillation(pixels, answers, loss)
        return loss

    def gradients(self, pixels, targets):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(pixels, targets)
        loss.backward()
        return loss.detach()

    def recorded_gradients(self, pixels, targets):
        side = pixels.shape[-1]
        if side not in self.recorded:
            self.recorded[side] = Recorded(self.trained, self.gradients, pixels, targets)
        return self.recorded[side].run(pixels, targets)

    def train_step(self):
        """-> the loss, on the device: reading it waits for the step's end"""
        rate = rate_at(self.arguments.rate, self.arguments.warm_up, self.done())
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.trained.train()
        recorded = self.device.type == "cuda" and not self.arguments.eager
        gradients = self.recorded_gradients if recorded else self.gradients
        loss = gradients(*self.batch())
        self.optimiser.step()
        self.average.update(min(self.arguments.average, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return loss

    def hold_finite(self, total):
        if not math.isfinite(total):
            raise SystemExit(f"the loss is not finite at step {self.step - 1} or before: lower --rate; "
                             f"{self.arguments.out}.state is of before")

    def validate(self, side):
        if not self.held_back:
            return
        pixels, labels = self.held_back
        scores, n = logits(self.average.net, pixels, side, self.device), len(labels)
        self.log("validation", side=side, n=n, top1=top(scores, labels, 1) / n, top5=top(scores, labels, 5) / n)

    def run(self):
        saved, total, count, began = time.monotonic(), 0.0, 0, self.seconds
        while self.done() < 1:
            start = time.monotonic()
            total, count = total + self.train_step(), count + 1
            epoch, at = divmod(self.step, self.steps_an_epoch)
            due = (at == 0 and epoch % self.arguments.save_every == 0
                   or time.monotonic() - saved > 60 * self.arguments.save_minutes)
            if due or at == 0 or self.device.type == "cpu":  # a GPU would have to be waited for
                self.hold_finite(total)
            self.seconds += time.monotonic() - start
            if at == 0:
                size, spent = self.arguments.batch, self.seconds - began
                self.log("epoch", sides=sides_at(self.arguments.sizes, self.done()),
                         loss=round(total.item() / count, 4),
                         rate=self.optimiser.param_groups[0]["lr"], pictures_a_second=round(count * size / spent, 1),
                         done=round(self.done(), 4))
                total, count, began = 0.0, 0, self.seconds
            if due:
                self.save()
                saved = time.monotonic()
            if at == 0 and epoch % self.arguments.validate_every == 0 and self.done() < 1:
                self.validate(max(sides_at(self.arguments.sizes, self.done())))
        if not self.ended:
            self.hold_finite(total)
            self.validate(max(self.arguments.sizes[-1][0]))
            self.ended = True
            self.save()
        self.log("end")


def main():
    arguments = arguments_of()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    Training(arguments).run()


if __name__ == "__main__":
    main()
