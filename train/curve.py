"""Draws the course of trainings that followed one another: the loss of each epoch, and what was right of the held-back
pictures where a training looked.

usage: curve.py OUT.svg "TITLE=LOG.jsonl" ["TITLE=LOG.jsonl" ...]

A column a training, each with its own scale of the loss: with another mixup, a teacher or other sides it is another
loss.
"""
import json
import sys
from pathlib import Path
import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

PAGE = 7.4  # inches: what a page of the documents has
# One picture for a light and a dark page: no background, and greys that both can be read on.
matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "curve", "font.family": "sans-serif", "font.size": 8,
    "text.color": "#767676", "axes.labelcolor": "#767676", "axes.edgecolor": "#767676", "axes.titlesize": 8,
    "xtick.color": "#767676", "ytick.color": "#767676", "axes.spines.top": False, "axes.spines.right": False})


def read(path):
    """-> {epoch: loss}, {epoch: (top-1, side)}; what a resumed training did again counts once"""
    losses, looks = {}, {}
    for line in Path(path).read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "epoch":
            losses[event["epoch"]] = event["loss"]
        elif event["event"] == "validation":
            looks[event["epoch"]] = event["top1"], event["side"]
    if not losses:
        raise SystemExit(f"{path} has no epoch: it should be the log that train.py writes beside its checkpoint")
    return losses, looks


def draw(trainings):
    """[(title, losses, looks)] -> a figure"""
    seen = [look for _, _, looks in trainings for look in looks.values()]
    rows = 2 if seen else 1
    colours = {side: f"C{index + 1}" for index, side in enumerate(sorted({side for _, side in seen}))}
    figure = Figure(figsize=(min(2.6 * len(trainings), PAGE), 0.4 + 1.5 * rows), layout="constrained")
    axes = figure.subplots(rows, len(trainings), squeeze=False, sharex="col")
    for column, (title, losses, looks) in enumerate(trainings):
        top, bottom = axes[0][column], axes[-1][column]
        top.set_title(title)
        top.plot(losses.keys(), losses.values(), color="C0", linewidth=1.5)
        bottom.set_xlabel("epoch")
        bottom.set_xlim(0, 1.05 * max([*losses, *looks]))
        bottom.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        if not seen:
            continue
        # one scale for all, in whole percents
        bottom.set_ylim(int(100 * min(seen)[0]) - 1, int(100 * max(seen)[0]) + 2)
        bottom.tick_params(labelleft=column == 0)
        for side in sorted({side for _, side in looks.values()}):
            epochs = [epoch for epoch, look in looks.items() if look[1] == side]
            bottom.plot(epochs, [100 * looks[epoch][0] for epoch in epochs], "o-", markersize=3.5, linewidth=1,
                        color=colours[side], label=f"{side} px")
        if looks:
            bottom.legend(frameon=False, loc="lower right", handlelength=1, borderpad=0)
        else:
            bottom.text(0.5, 0.5, "not measured", ha="center", transform=bottom.transAxes)
    axes[0][0].set_ylabel("loss")
    if seen:
        axes[1][0].set_ylabel("held back, top-1 %")
    return figure


def main():
    if len(sys.argv) < 3 or not all("=" in one for one in sys.argv[2:]):
        raise SystemExit(__doc__)
    trainings = [(title, *read(path)) for title, _, path in (one.partition("=") for one in sys.argv[2:])]
    draw(trainings).savefig(sys.argv[1], metadata={"Date": None, "Creator": None}, transparent=True)


if __name__ == "__main__":
    main()
