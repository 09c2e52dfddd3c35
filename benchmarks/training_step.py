"""CPU time of a training step of TraceNet: plain, with memory kept, and compiled as well, as ratios in one run.

Run as `python benchmarks/training_step.py [--steps 20] [--held 3]` on a quiet machine; one thread.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics.lab.train.devices import keep_memory
from aiforensics_models.networks import build_detector


def main() -> None:
    """Time the kinds in turns and print their medians; memory is kept from the second on, for good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--held", type=int, default=3, help="blocks that are held fixed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    learner = Learner(arguments.held)
    plain = median(learner, arguments.steps)
    keep_memory()
    kept = median(learner, arguments.steps)
    learner.network.backbone.compile()
    compiled = median(learner, arguments.steps)
    for name, seconds in (("plain", plain), ("memory kept", kept), ("and compiled", compiled)):
        sys.stdout.write(f"{name}: {1000 * seconds:.0f} ms, {plain / seconds:.2f} times as fast\n")


def median(learner: Learner, steps: int) -> float:
    """Seconds of CPU time of the middle one of some steps, after two that do not count."""
    times = [learner.step() for _ in range(steps + 2)][2:]
    return sorted(times)[len(times) // 2]


class Learner:
    """A network with its optimiser and one batch of noise."""

    def __init__(self, held: int) -> None:
        torch.manual_seed(0)
        self.network = build_detector("tracenet").to(memory_format=torch.channels_last)
        self.network.hold(held)
        self.network.train()
        self.optimiser = torch.optim.AdamW([p for p in self.network.parameters() if p.requires_grad])
        self.pixels = (255 * torch.rand(32, 3, 144, 144)).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(0, 2, (32, 1)).float()

    def step(self) -> float:
        """Seconds of CPU time of one step."""
        started = time.process_time()
        embedding, _ = self.network.backbone(self.pixels)
        logits = self.network.heads(self.network.standardise(embedding))
        loss = F.binary_cross_entropy_with_logits(logits, self.labels.expand_as(logits))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return time.process_time() - started


if __name__ == "__main__":
    main()
