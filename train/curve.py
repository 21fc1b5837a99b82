"""Draws the course of trainings that followed one another: the loss of each epoch, and what was right of the held-back
pictures where a training looked.

usage: curve.py OUT.svg "TITLE=LOG.jsonl" ["TITLE=LOG.jsonl" ...]

A column a training, each with its own scale of the loss: with another mixup, a teacher or other sides it is another
loss.
"""
import json
import sys
from collections import defaultdict
from pathlib import Path
import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

FEW = 3  # series that have room for their names beside them
PAGE = 7.4  # inches: what a page of the documents has
# One picture for a light and a dark page: no background, and greys that both can be read on.
matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "curve", "font.family": "sans-serif", "font.size": 8,
    "text.color": "#767676", "axes.labelcolor": "#767676", "axes.edgecolor": "#767676", "axes.titlesize": 8,
    "xtick.color": "#767676", "ytick.color": "#767676", "axes.spines.top": False, "axes.spines.right": False})


def read(path):
    """-> {epoch: loss}, {what was looked at: {epoch: top-1}}; what a resumed training did again counts once

    An epoch of `taught.py` is as many samples as its pool has pictures; its looks are those at the first side."""
    losses, looks, batch, epochs_a_step = {}, defaultdict(dict), None, None
    for line in Path(path).read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "ready":
            batch = event["batch"]
        elif event["event"] == "epoch":
            losses[event["epoch"]] = event["loss"]
        elif event["event"] == "validation":
            looks[f"{event['side']} px"][event["epoch"]] = event["top1"]
        elif event["event"] == "trained":
            epochs_a_step = batch / event["pictures"]
            losses[event["step"] * epochs_a_step] = event["loss"]
        elif event["event"] == "held" and losses:
            side = event_side(event)
            for name, (top1, _) in ((name, value) for name, value in event.items() if name.endswith(f" {side}")):
                looks[f"{name} px"][event["step"] * epochs_a_step] = top1 / 100
    if not losses:
        raise SystemExit(f"{path} has no epoch: it should be the log that train.py or taught.py writes beside its "
                         f"checkpoint")
    return losses, dict(looks)


def event_side(event):
    """The smallest side of a look of `taught.py`, whose keys are `NAME SIDE`."""
    return min(int(name.split()[1]) for name in event if " " in name)


def draw(trainings):
    """[(title, losses, looks)] -> a figure"""
    labels = sorted({label for _, _, looks in trainings for label in looks})
    shares = [share for _, _, looks in trainings for look in looks.values() for share in look.values()]
    rows = 2 if shares else 1
    colours = {label: f"C{index + 1}" for index, label in enumerate(labels)}
    figure = Figure(figsize=(min(2.6 * len(trainings), PAGE), 0.4 + 1.5 * rows), layout="constrained")
    axes = figure.subplots(rows, len(trainings), squeeze=False, sharex="col")
    for column, (title, losses, looks) in enumerate(trainings):
        top, bottom = axes[0][column], axes[-1][column]
        top.set_title(title)
        top.plot(losses.keys(), losses.values(), color="C0", linewidth=1.5)
        bottom.set_xlabel("epoch")
        bottom.set_xlim(0, 1.05 * max([*losses, *(epoch for look in looks.values() for epoch in look)]))
        bottom.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        if not shares:
            continue
        # one scale for all, in whole percents
        bottom.set_ylim(int(100 * min(shares)) - 1, int(100 * max(shares)) + 2)
        bottom.tick_params(labelleft=column == 0)
        for label, look in sorted(looks.items()):
            bottom.plot(look.keys(), [100 * share for share in look.values()], "o-", markersize=3.5, linewidth=1,
                        color=colours[label], label=label)
        if looks and len(labels) <= FEW:
            bottom.legend(frameon=False, loc="lower right", handlelength=1, borderpad=0)
        elif not looks:
            bottom.text(0.5, 0.5, "not measured", ha="center", transform=bottom.transAxes)
    axes[0][0].set_ylabel("loss")
    if shares:
        axes[1][0].set_ylabel("held back, top-1 %")
    if len(labels) > FEW:
        figure.legend(*axes[1][0].get_legend_handles_labels(), frameon=False, loc="outside lower center", handlelength=1)
    return figure


def main():
    if len(sys.argv) < 3 or not all("=" in one for one in sys.argv[2:]):
        raise SystemExit(__doc__)
    trainings = [(title, *read(path)) for title, _, path in (one.partition("=") for one in sys.argv[2:])]
    draw(trainings).savefig(sys.argv[1], metadata={"Date": None, "Creator": None}, transparent=True)


if __name__ == "__main__":
    main()
