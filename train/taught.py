"""Trains a network of all 1,000 ImageNet classes from pictures with and without labels and a teacher that knows them.

usage: taught.py PARTS OUT --from MODEL --teacher LITE.safetensors [--held FOLDER] [--seconds 420] ...

PARTS is a folder of .pool files (`pool.py`); what arrives while the training runs is taken in. The schedule follows the
clock: the training ends --seconds after --began, whatever happened. Writes OUT.jsonl (the log), OUT.pth (averaged
weights in float16, every half minute), OUT.net.pth and OUT.momentum.pth (float16, what the same command goes on from)
and OUT.done at the end. SIGTERM ends it at once, with all of these.

The teacher answers a crop of a picture at full sharpness; the network learns that answer from the crop mirrored,
blurred and coloured anew, --reuse times. Where a picture has a label, the answer is mixed with it, the more the less
the teacher believes it.
"""
import argparse
import copy
import json
import math
import mmap
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from functools import partial
from pathlib import Path
import numpy as np
import torch
from distil import Pooled, Projector
from export import columns_of
from gpu import Recorded, make_dense, recording_memory, recording_stream
from lite import FEATURES
from lite import read as read_teacher
from network import build, read_weights
from pictures import at_side, crop_transforms, jitter, mix, sharpen, uniform
from pool import SIDES, tiles_of
from pool import read as read_pool
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F
from train import Average, optimiser_of, rate_at, save, sides_at

CLASSES = 1000
LABELS = Path(__file__).resolve().parent / "labels"


def arguments_of(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("parts", type=Path)
    add("out", type=Path)
    add("--from", dest="start", type=Path, required=True, help="a model of 1,000 classes, or of those of --labels")
    add("--labels", type=Path, default=LABELS / "mini-imagenet.tsv", help="the classes of a start that has fewer")
    add("--variant", default="g_ghost_regnetx_008")
    add("--teacher", type=Path, required=True, help="of lite.py")
    add("--teacher-side", type=int, default=192)
    add("--held", type=Path, help="a folder of .pool files to measure with")
    add("--held-sides", default="160,192")
    add("--seconds", type=float, default=420)
    add("--began", type=float, help="seconds since 1970 that --seconds count from; now if it is not said")
    add("--sizes", default="112+128:0.7,128+144:1", help="as of train.py")
    add("--stored", type=int, default=160, help="side of the pictures in memory")
    add("--view", type=int, default=144, help="side of what the teacher has answered")
    add("--capacity", type=int, default=300_000, help="pictures that there is memory for")
    add("--least", type=int, default=8_000, help="pictures to begin with")
    add("--batch", type=int, default=1024)
    add("--reuse", type=int, default=0, help="times that an answer is used; 0: so that the teacher takes half the time")
    add("--kept", type=int, default=16_384, help="answered views in memory")
    add("--rate", type=float, default=0.6)
    add("--warm-up", type=float, default=0.03)
    add("--decay", type=float, default=5e-5)
    add("--features", type=float, default=3.0, help="weight of the features' loss")
    add("--mix", type=float, default=0.15)
    add("--average", type=float, default=0.998)
    add("--workers", type=int, default=max(1, (os.cpu_count() or 4) - 4))
    add("--save-seconds", type=float, default=30)
    add("--validate-seconds", type=float, default=120)
    add("--log-seconds", type=float, default=10)
    add("--seed", type=int, default=0)
    add("--eager", action="store_true", help="on a GPU: no CUDA graphs and no kernels of our own")
    arguments = parser.parse_args(argv)
    arguments.sizes = [([int(side) for side in sides.split("+")], float(until)) for sides, until in
                       (part.split(":") for part in arguments.sizes.split(","))]
    arguments.held_sides = [int(side) for side in arguments.held_sides.split(",")]
    return arguments


shared, opened = None, {}  # of the processes that decode: memory of all, and the files they have read


def decode(path, sheet, row):
    """Decodes a sheet into the rows from `row` on. -> row, side, count"""
    if path not in opened:
        opened.clear()
        opened[path] = read_pool(path)[0]
    data, side, labels = opened[path][sheet]
    shared[row:row + len(labels), :3 * side * side] = tiles_of(data, side, len(labels)).reshape(len(labels), -1)
    return row, side, len(labels)


class Pool:
    """Pictures on the device, of all files in a folder; other processes decode them. Must be made before CUDA is used,
    because these are forks."""
    def __init__(self, folder, capacity, side, workers, log):
        global shared
        self.folder, self.capacity, self.side, self.log = folder, capacity, side, log
        shared = np.frombuffer(mmap.mmap(-1, capacity * 3 * max(SIDES) ** 2), np.uint8).reshape(capacity, -1)
        self.known, self.rows, self.ready, self.present = set(), 0, deque(), 0
        self.about = {}  # label, sharp, weight of rows to come
        self.workers = multiprocessing.get_context("fork").Pool(workers)

    def to(self, device):
        self.device = device
        self.pixels = torch.zeros(self.capacity, 3, self.side, self.side, dtype=torch.uint8, device=device)
        self.label = torch.full((self.capacity,), -1, device=device)
        self.sharp = torch.zeros(self.capacity, dtype=torch.bool, device=device)
        self.weight = torch.zeros(self.capacity, dtype=torch.float64, device=device)
        self.stream = torch.cuda.Stream() if device.type == "cuda" else None

    def scan(self):
        """Asks for what is new in the folder."""
        for path in sorted(self.folder.glob("*.pool")):
            if path in self.known:
                continue
            self.known.add(path)
            try:
                with safe_open(path, "np") as file:
                    count, *about = (file.get_tensor(name) for name in ("count", "label", "sharp", "weight"))
                at = 0
                for sheet, n in enumerate(count.tolist()):
                    if self.rows + n > self.capacity:
                        self.log("full", part=path.name)
                        break
                    self.about[self.rows] = [values[at:at + n] for values in about]
                    self.workers.apply_async(decode, (path, sheet, self.rows), callback=self.ready.append,
                                             error_callback=self.damaged)
                    self.rows, at = self.rows + n, at + n
                self.log("part", part=path.name, pictures=at)
            except Exception as error:  # noqa: BLE001, a damaged part must not end the training
                self.log("damaged", part=path.name, why=repr(error)[:200])

    def damaged(self, error):
        self.log("damaged", why=repr(error)[:200])

    def take(self, most):
        """Brings up to `most` decoded sheets to the device."""
        done = [self.ready.popleft() for _ in range(min(most, len(self.ready)))]
        if not done:
            return
        with torch.cuda.stream(self.stream):  # of None: does nothing
            for row, side, n in done:
                tiles = torch.from_numpy(shared[row:row + n, :3 * side * side].copy()).to(self.device)
                tiles = tiles.view(n, 3, side, side)
                if side != self.side:
                    tiles = F.interpolate(tiles.float(), (self.side, self.side), mode="bicubic", antialias=True)
                    tiles = tiles.round_().clamp_(0, 255)
                self.pixels[row:row + n] = tiles
                label, sharp, weight = (torch.from_numpy(np.array(values)) for values in self.about.pop(row))
                self.label[row:row + n] = label.to(self.device).long()
                self.sharp[row:row + n] = sharp.to(self.device).bool()
                self.weight[row:row + n] = weight.to(self.device).double()
                self.present += n
        if self.stream:
            torch.cuda.current_stream().wait_stream(self.stream)
        self.cumulative = self.weight.cumsum(0)

    def draw(self, n):
        """-> n rows, each as likely as its weight says"""
        at = torch.rand(n, dtype=torch.float64, device=self.device) * self.cumulative[-1]
        return torch.searchsorted(self.cumulative, at, right=True).clamp_(max=self.rows - 1)


class Teacher:
    """Pixels of 0 to 255 [n, 3, side, side] -> logits and features, by whichever way is fastest here"""
    def __init__(self, path, device, eager, log):
        self.net, self.device, self.graph, self.log = read_teacher(path).to(device), device, None, log
        self.kind = torch.float16 if device.type == "cuda" else torch.float32
        self.net.to(self.kind)
        self.eager = eager or device.type == "cpu"
        self.layout = torch.channels_last

    @torch.no_grad()
    def answer(self, pixels):
        answers, features = self.net((pixels / 127.5 - 1).to(self.kind, memory_format=self.layout))
        return answers.float(), features

    def choose(self, n, side):
        """-> seconds a batch of n, of the fastest way"""
        pixels = torch.rand(n, 3, side, side, device=self.device) * 255
        if self.device.type == "cpu":
            return seconds_of(lambda: self.answer(pixels), self.device, 1)
        ways = dict(channels_last=(torch.channels_last, False), channels_first=(torch.contiguous_format, False))
        if not self.eager:
            ways["fused"] = torch.channels_last, True
        wanted, times = None, {}
        for name, way in ways.items():
            try:
                self.use(*way)
                answers = self.answer(pixels)[0]
                wanted = answers if wanted is None else wanted
                apart = (answers.softmax(1) - wanted.softmax(1)).abs().max().item()
                if not apart < 0.05:
                    raise ArithmeticError(f"answers are {apart} apart")
                times[name] = seconds_of(lambda: self.answer(pixels), self.device, 3)
            except Exception as error:  # noqa: BLE001, another way may work
                self.log("no way", way=name, why=repr(error)[:300])
        best = min(times, key=times.get)
        self.log("teacher", answers_a_second={name: round(n / spent) for name, spent in times.items()}, best=best)
        self.use(*ways[best])
        return times[best]

    def use(self, layout, fused):
        self.layout = layout
        self.net.to(memory_format=layout)
        if fused:
            from fuse import finish  # needs Triton
            self.net.fuse(finish)
        else:
            self.net.fuse(None)

    def record(self, n, side):
        if self.eager:
            return
        self.pixels = torch.zeros(n, 3, side, side, device=self.device)
        stream = recording_stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.answer(self.pixels)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, recording_memory(), stream=stream):
            self.answers = self.answer(self.pixels)
        self.graph = graph

    def __call__(self, pixels):
        if not self.graph:
            return self.answer(pixels)
        self.pixels.copy_(pixels)
        self.graph.replay()
        return self.answers


def seconds_of(run, device, times):
    """Of one of `times` runs after one"""
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.monotonic()
    for _ in range(times):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.monotonic() - began) / times


def targets_of(answers, features, labels):
    """What the network is to learn: [n, 1000] probabilities, [n, 1280] features, [n, 1] how much these count.

    A label's share is one less what the teacher believes of it, 0.2 to 0.8; without a label all is the teacher's."""
    probabilities = answers.softmax(1)
    believed = probabilities.gather(1, labels.clamp(min=0)[:, None])
    share = torch.where(labels[:, None] >= 0, (1 - believed).clamp(0.2, 0.8), 0)
    known = F.one_hot(labels.clamp(min=0), answers.shape[1]).to(probabilities.dtype)
    return torch.cat((torch.lerp(probabilities, known, share), features, 1 - share), 1)


def losses(answers, projected, targets, weight):
    """-> the loss, divergence from the wanted probabilities, share of the features' variance left unexplained"""
    wanted, features, counts = targets.split((answers.shape[1], targets.shape[1] - answers.shape[1] - 1, 1), 1)
    apart = -(wanted * F.log_softmax(answers.float(), 1)).sum(1).mean()
    least = -(wanted * wanted.clamp(min=1e-8).log()).sum(1).mean()  # entropy: what no answer can be below
    features = features - features.mean(0)
    features = features / features.square().mean().sqrt().clamp(min=1e-6)
    unexplained = ((projected.float() - features).square().mean(1, keepdim=True) * counts).sum() / counts.sum()
    return apart + weight * unexplained, apart - least, unexplained


def blurred(pixels, chosen):
    """Those chosen as if they had been smaller"""
    side = pixels.shape[-1]
    small = max(8, int(side * float(torch.empty(()).uniform_(0.35, 0.75))))
    less = F.interpolate(pixels, (small, small), mode="bilinear", antialias=True, align_corners=False)
    less = F.interpolate(less, (side, side), mode="bicubic", align_corners=False).clamp_(0, 255)
    return torch.where(chosen.view(-1, 1, 1, 1), less, pixels)


def seen_at(pixels, theta, side):
    grid = F.affine_grid(theta, (len(pixels), 3, side, side), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False, padding_mode="reflection")


def student_of(variant, start, labels):
    """A network of all classes from a model of all or of some; rows of classes that it does not know are zero."""
    net, state = build(variant, CLASSES), read_weights(start)
    if len(state["fc.bias"]) != CLASSES:
        order = (LABELS / "imagenet-1k.txt").read_text(encoding="utf-8").split()
        rows = [order.index(number) for number in columns_of(labels, "wordnet")[0]]
        if len(rows) != len(state["fc.bias"]):
            raise SystemExit(f"{start} knows {len(state['fc.bias'])} classes, {labels} has {len(rows)}")
        for key in ("fc.weight", "fc.bias"):
            all_rows = torch.zeros_like(net.state_dict()[key])
            all_rows[rows] = state[key]
            state[key] = all_rows
    result = net.load_state_dict(state, strict=False)
    if result.unexpected_keys or any("num_batches_tracked" not in key for key in result.missing_keys):
        raise SystemExit(f"{start} is of another network")
    return net


class Held:
    """Pictures to measure with, by the names of their files."""
    def __init__(self, folder):
        self.sets = {}
        for path in sorted(folder.glob("*.pool")) if folder else ():
            sheets, *_ = read_pool(path)
            pixels = np.concatenate([tiles_of(data, side, len(labels)) for data, side, labels in sheets])
            self.sets[path.stem] = torch.from_numpy(pixels), torch.tensor([one for sheet in sheets for one in sheet[2]])

    @torch.no_grad()
    def measure(self, net, sides, device, batch=250):
        """-> name at side -> top-1 and top-5 in percent"""
        net.eval()
        found = {}
        for name, (pixels, labels) in self.sets.items():
            for side in sides:
                with (torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
                      torch.backends.cudnn.flags(enabled=True, benchmark=False)):  # timing every way takes longer
                    best = torch.cat([net(at_side(part.to(device), side)).topk(5).indices.cpu()
                                      for part in pixels.split(batch)])
                right = best == labels[:, None]
                found[f"{name} {side}"] = [round(100 * right[:, :k].any(1).float().mean().item(), 1) for k in (1, 5)]
        return found


class Training:
    def __init__(self, arguments):
        self.arguments = a = arguments
        self.began = a.began or time.time()
        self.end, self.first = self.began + a.seconds, None
        self.stop, self.step, self.measured, self.slower = False, 0, None, 1.0
        self.pool = Pool(a.parts, a.capacity, a.stored, a.workers, self.log)
        signal.signal(signal.SIGTERM, self.ask_to_stop)
        self.pool.scan()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.pool.to(self.device)
        self.held = Held(a.held)
        torch.manual_seed(a.seed)
        self.net = student_of(a.variant, a.start, a.labels).to(self.device, memory_format=torch.channels_last)
        self.pooled, self.projector = Pooled(self.net), Projector(self.net.fc.in_features, FEATURES).to(self.device)
        self.trained = nn.ModuleList([self.net, self.projector])
        self.optimiser = optimiser_of(self.trained, a.decay)
        plain = copy.deepcopy(self.net)
        plain.fc._forward_pre_hooks.clear()
        self.average = Average(plain)
        self.average.numbers, self.average.counts = pairs_of(self.average.net, self.net)
        if self.device.type == "cuda":
            make_dense(self.net)
        self.resume()
        self.teacher = Teacher(a.teacher, self.device, a.eager, self.log)
        self.recorded, self.good = {}, None
        self.log("start", arguments={k: str(v) for k, v in vars(a).items()}, device=str(self.device),
                 torch=torch.__version__, gpu=torch.cuda.get_device_name() if self.device.type == "cuda" else None,
                 held={name: len(labels) for name, (_, labels) in self.held.sets.items()})
        self.make_ready()

    def ask_to_stop(self, *_):
        self.stop = True

    def log(self, event, **values):
        record = dict(event=event, at=round(time.time() - self.began, 1), step=self.step) | values
        with open(f"{self.arguments.out}.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(json.dumps(record), flush=True)

    def make_ready(self):
        """Records all that is to run, so that what has no room shows now; finds how often to use an answer."""
        a = self.arguments
        sides = sorted({side for some, _ in a.sizes for side in some}, reverse=True)
        while True:
            try:
                times = {side: self.time_of_step(side) for side in sides}
                break
            except torch.OutOfMemoryError:
                self.recorded.clear()
                torch.cuda.empty_cache()
                a.batch, self.slower = a.batch // 2, self.slower / 2
                self.log("no room", batch=a.batch)
                if a.batch < 32:
                    raise
        spent = self.teacher.choose(a.batch // 2, a.teacher_side) / (a.batch // 2)
        student = times[a.sizes[0][0][-1]] / a.batch
        self.reuse = a.reuse or min(4, max(1, math.ceil(spent / student)))
        self.views = a.batch // self.reuse
        self.teacher.record(self.views, a.teacher_side)
        kept = max(a.kept // self.views, 2) * self.views
        self.seen = torch.zeros(kept, 3, a.view, a.view, dtype=torch.uint8, device=self.device)
        self.wanted = torch.zeros(kept, CLASSES + FEATURES + 1, dtype=torch.float16, device=self.device)
        self.clear = torch.zeros(kept, dtype=torch.bool, device=self.device)
        self.at, self.full = 0, 0  # where the next views go, and how many there are
        self.log("ready", student_a_second={side: round(a.batch / spent) for side, spent in times.items()},
                 teacher_a_second=round(1 / spent), reuse=self.reuse, batch=a.batch, memory_gb=self.memory())

    def memory(self):
        return round(torch.cuda.memory_reserved() / 1e9, 1) if self.device.type == "cuda" else None

    def time_of_step(self, side):
        batch = self.arguments.batch
        pixels = torch.randn(batch, 3, side, side, device=self.device).contiguous(memory_format=torch.channels_last)
        targets = torch.rand(batch, CLASSES + FEATURES + 1, device=self.device)
        targets[:, :CLASSES] /= CLASSES / 2
        kept = copy.deepcopy(self.trained.state_dict())
        self.trained.train()
        run = self.gradients_at(pixels, targets)
        spent = seconds_of(run, self.device, 3 if self.device.type == "cuda" else 1)
        self.trained.load_state_dict(kept)
        return spent

    def gradients_at(self, pixels, targets):
        """-> what sets the gradients of this batch and gives the losses"""
        if self.device.type == "cpu" or self.arguments.eager:
            return partial(self.gradients, pixels, targets)
        side = pixels.shape[-1]
        if side not in self.recorded:
            self.recorded[side] = Recorded(self.trained, self.gradients, pixels, targets)
        return partial(self.recorded[side].run, pixels, targets)

    def gradients(self, pixels, targets):
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda", cache_enabled=False):
            answers = self.net(pixels)
            projected = self.projector(self.pooled.features)
        found = losses(answers, projected, targets, self.arguments.features)
        found[0].backward()
        return torch.stack(found).detach()

    @torch.no_grad()
    def look(self):
        """The teacher answers new views. -> where they are"""
        a, device, n = self.arguments, self.device, self.views
        rows = self.pool.draw(n)
        source, theta = self.pool.pixels[rows].float(), crop_transforms(n, device, area=(0.35, 1.0))
        answers, features = self.teacher(seen_at(source, theta, a.teacher_side))
        here = slice(self.at, self.at + n)
        self.seen[here] = seen_at(source, theta, a.view).round_().clamp_(0, 255)
        self.wanted[here] = targets_of(answers, features, self.pool.label[rows])
        self.clear[here] = self.pool.sharp[rows]
        self.full = max(self.full, self.at + n)
        self.at = (self.at + n) % len(self.seen)
        return torch.arange(here.start, here.stop, device=device)

    @torch.no_grad()
    def batch(self):
        """Pixels and targets: all new views, and the rest of the batch older ones"""
        a, device, n = self.arguments, self.device, self.arguments.batch
        new = self.look()
        chosen = torch.cat((new, torch.randint(self.full, (n - len(new),), device=device)))
        sides = sides_at(a.sizes, self.done())
        side = sides[int(torch.randint(len(sides), ()))]
        theta = crop_transforms(n, device, area=(0.85, 1.0), aspect=1.1, turn=0.05, shear=0.03)
        pixels = seen_at(self.seen[chosen].float(), theta, side)
        pixels = blurred(pixels, self.clear[chosen] & (torch.rand(n, device=device) < 1 / 3))
        pixels = sharpen(pixels, torch.where(torch.rand(n, device=device) < 0.5, uniform(n, -1, 1.5, device), 0))
        pixels = jitter(pixels).contiguous(memory_format=torch.channels_last)
        return mix(pixels, self.wanted[chosen].float(), a.mix)

    def done(self):
        """Share of the training that is behind."""
        now = time.time()
        return min(1.0, (now - self.first) / max(self.end - self.first, 1e-3))

    def train_step(self):
        rate = self.slower * rate_at(self.arguments.rate, self.arguments.warm_up, self.done())
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.trained.train()
        found = self.gradients_at(*self.batch())()
        self.optimiser.step()
        self.average.update(min(self.arguments.average, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return found

    def state(self):
        return dict(trained=self.trained.state_dict(), average=self.average.net.state_dict(),
                    optimiser=self.optimiser.state_dict())

    def remember(self):
        state = self.state()
        kept = *state["trained"].values(), *state["average"].values()
        if torch.stack([value.isfinite().all() for value in kept]).all():
            self.good = copy.deepcopy(state)

    def go_back(self):
        """After a loss that is not finite: to what was last known to be good, at half the rate"""
        self.slower /= 2
        self.trained.load_state_dict(self.good["trained"])
        self.average.net.load_state_dict(self.good["average"])
        self.optimiser.load_state_dict(copy.deepcopy(self.good["optimiser"]))
        self.full = self.at = 0
        self.log("went back", rate_factor=self.slower)

    def save(self, whole):
        """Averaged weights; if `whole`, also what goes on from there. All float16, each file under 16 MiB."""
        out = self.arguments.out
        average = halved(self.average.net.state_dict())
        if not all(value.isfinite().all() for value in average.values()):
            self.log("not saved: an average is not finite as float16")
            return
        save(f"{out}.pth", average)
        if whole:
            momenta = [self.optimiser.state.get(p, {}).get("momentum_buffer") for p in self.trained.parameters()]
            save(f"{out}.net.pth", dict(net=halved(self.net.state_dict()), step=self.step, slower=self.slower,
                                        first=self.first))
            save(f"{out}.momentum.pth", dict(
                projector=halved(self.projector.state_dict()),
                momentum=[None if m is None else m.half().cpu() for m in momenta]))

    def resume(self):
        out = self.arguments.out
        paths = [Path(f"{out}{part}") for part in (".net.pth", ".momentum.pth", ".pth")]
        if not all(path.exists() for path in paths):
            return
        state, rest, average = (torch.load(path, map_location=self.device, weights_only=True) for path in paths)
        self.net.load_state_dict(state["net"])
        self.average.net.load_state_dict(average)
        self.projector.load_state_dict(rest["projector"])
        for parameter, momentum in zip(self.trained.parameters(), rest["momentum"]):
            if momentum is not None:
                self.optimiser.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(momentum)
        self.step, self.slower = state["step"], state["slower"]
        if state["first"] and self.began <= state["first"] < self.end:
            self.first = state["first"]
        self.log("goes on")

    def wait_for_pictures(self):
        while self.pool.present < self.arguments.least and not self.stop and time.time() < self.end:
            self.pool.scan()
            self.pool.take(1000)
            time.sleep(0.05)

    def run(self):
        a = self.arguments
        self.wait_for_pictures()
        self.first = self.first or time.time()
        self.remember()
        self.log("begins", pictures=self.pool.present)
        now = time.time()
        logged, saved, validated, scanned, count, total, sound = now, now, now, now, 0, 0, True
        while self.done() < 1 and not self.stop:
            self.pool.take(48)
            total, count = total + self.train_step(), count + 1
            now = time.time()
            if now - scanned > 2:
                self.pool.scan()
                scanned = now
            if count % 20 == 0 or now - logged > a.log_seconds:
                sound = bool(torch.isfinite(total).all())  # waits for the device
                if not sound:
                    self.go_back()
                    total, count, logged = 0, 0, time.time()
                    continue
            if now - logged > a.log_seconds:
                spent = time.time() - logged
                loss, apart, unexplained = (total / count).tolist()
                self.log("trained", done=round(self.done(), 4), pictures_a_second=round(count * a.batch / spent),
                         views_a_second=round(count * self.views / spent), loss=round(loss, 4),
                         divergence=round(apart, 4), unexplained=round(unexplained, 4),
                         rate=round(self.optimiser.param_groups[0]["lr"], 5), pictures=self.pool.present,
                         memory_gb=self.memory())
                total, count, logged = 0, 0, time.time()
            if now - saved > a.save_seconds and sound and count == 0:  # count 0: the losses were just seen finite
                self.remember()
                self.save(whole=True)
                saved = time.time()
            if now - validated > a.validate_seconds:
                self.validate()
                validated = time.time()
                logged += validated - now
        self.save(whole=True)
        if not self.stop and self.measured != self.step:
            self.validate()
        self.log("end", samples=self.step * a.batch)
        Path(f"{a.out}.done").touch()

    def validate(self):
        self.measured = self.step
        self.log("held", **self.held.measure(self.average.net, self.arguments.held_sides, self.device))


def pairs_of(average, net):
    """The tensors of two networks of one kind, floating point and others, side by side"""
    pairs = list(zip(average.state_dict().values(), net.state_dict().values()))
    return (list(zip(*(pair for pair in pairs if pair[0].is_floating_point() == wanted))) for wanted in (True, False))


def halved(state):
    return {key: value.half().cpu() if value.is_floating_point() else value.cpu() for key, value in state.items()}


def main():
    arguments = arguments_of()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    training = Training(arguments)
    try:
        training.run()
    except BaseException:
        training.log("failed", why=traceback.format_exc()[-1500:])
        raise
    finally:
        training.pool.workers.terminate()


if __name__ == "__main__":
    main()
