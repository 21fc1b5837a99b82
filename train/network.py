"""The networks to train: their one definition is `tests/reference/gghost.py`; here they get random weights and a head.

A network is named as in a model file's config: `g_ghost_regnetx_006`, or `regnetx_006` for its plain twin.
"""
import json
import sys
from pathlib import Path
import torch
from safetensors import safe_open
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "reference"))
from gghost import VARIANTS, Bottleneck, RegNetX  # noqa: E402

IMAGENET = Path(__file__).resolve().parent / "labels/imagenet-1k.txt"  # the WordNet numbers in class order


def build(variant, classes, **form):
    """A network with random weights. `form`: cheap_ratio, form, aggregation, cheap_kernel of `RegNetX`."""
    family, _, number = variant.rpartition("_")
    if family not in ("g_ghost_regnetx", "regnetx") or number not in VARIANTS:
        raise SystemExit(f"no network is named {variant}: expected g_ghost_regnetx_N or regnetx_N, "
                         f"N one of {', '.join(VARIANTS)}")
    if family == "regnetx":
        form = form | dict(cheap_ratio=0)
    net = RegNetX(*VARIANTS[number], classes, **form)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for block in blocks(net):
        nn.init.zeros_(block.bn3.weight)  # a block starts as its shortcut
    return net


def add_form_arguments(parser):
    """The command line's way to name a network."""
    parser.add_argument("--variant", default="g_ghost_regnetx_006")
    parser.add_argument("--cheap-ratio", type=float, default=0.5)
    parser.add_argument("--form", choices=("released", "paper"), default="released")
    parser.add_argument("--cheap-kernel", type=int, choices=(1, 3, 5), default=1)
    parser.add_argument("--no-aggregation", dest="aggregation", action="store_false")


def form_of(arguments):
    return dict(cheap_ratio=arguments.cheap_ratio, form=arguments.form, aggregation=arguments.aggregation,
                cheap_kernel=arguments.cheap_kernel)


def blocks(net):
    """All bottlenecks in the order in which they run."""
    return [module for module in net.modules() if isinstance(module, Bottleneck)]


def read_weights(path, folders=None):
    """-> state dict in float32 of a model file (.safetensors), a checkpoint (.pth) or a training state (.state)

    Where the log beside a checkpoint says that it knows all class folders named and others too, the head has the rows
    of those named, in their order. A checkpoint of 1,000 classes without such a log knows ImageNet's, whose folders are
    WordNet numbers.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("average", state)
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    known = known_folders(path)
    if not known and len(state["fc.bias"]) == 1000:
        known = IMAGENET.read_text(encoding="utf-8").split()
    if folders and known and known != folders and set(folders) <= set(known):
        rows = [known.index(folder) for folder in folders]
        state |= {key: state[key][rows] for key in ("fc.weight", "fc.bias")}
    return state


def known_folders(path):
    """-> the class folders of a checkpoint by the first line of the log that `train.py` writes beside it, or None"""
    log = path.with_suffix(".jsonl")
    if not log.exists():
        return None
    with log.open(encoding="utf-8") as file:
        return json.loads(file.readline()).get("classes")


def start_from(net, path, folders=None):
    """Loads weights, of those classes if `folders` are named; a head for another number of classes stays random.
    -> whether the head was loaded"""
    state = read_weights(path, folders)
    same_head = state["fc.weight"].shape == net.fc.weight.shape
    if not same_head:
        state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    result = net.load_state_dict(state, strict=False)
    missing = [key for key in result.missing_keys
               if not key.endswith("num_batches_tracked") and not key.startswith("fc.")]
    if missing or result.unexpected_keys:
        raise SystemExit(f"{path} is of another network: it lacks {missing[:3]} and has {result.unexpected_keys[:3]}")
    return same_head
