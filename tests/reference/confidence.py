"""Writes ../golden/confidence.json: probabilities of logits at several temperatures, and how likely each score makes a
picture known, in PyTorch and float64.

usage: confidence.py      (needs torch)
"""
import json
from pathlib import Path
import torch

RULES = (dict(score="energy", location=6.25, scale=1.5, threshold=0.3),
         dict(score="maxLogit", location=5.5, scale=0.75, threshold=0.4),
         dict(score="maxProbability", location=0.375, scale=0.125, threshold=0.5))


def main():
    generator, cases = torch.Generator().manual_seed(5), []
    for classes, spread, temperature in ((10, 3.0, 0.82), (37, 6.0, 1.0), (3, 400.0, 1.5), (2, 0.0, 0.5)):
        logits = (torch.randn(2, classes, generator=generator) * spread).tolist()
        logits = torch.tensor([[round(value, 3) for value in row] for row in logits]).float()
        scaled = logits.double() / temperature
        probabilities = scaled.softmax(1)
        scores = dict(energy=scaled.logsumexp(1), maxLogit=scaled.max(1).values,
                      maxProbability=probabilities.max(1).values)
        cases.append(dict(logits=[[round(value, 3) for value in row] for row in logits.tolist()], temperature=temperature,
                          probabilities=probabilities.tolist(), known=[
                              dict(rule=rule, of=((scores[rule["score"]] - rule["location"]) / rule["scale"]).sigmoid().tolist())
                              for rule in RULES]))
    out = Path(__file__).parent.parent / "golden/confidence.json"
    out.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
