"""Training rate of PyTorch's CPU build in inputs per second, for the networks of benches/training.rs.

    python3 crates/drsn-train/benches/training.py

The same layers, batches and optimizer steps, on synthetic inputs that are cheap to read. Reported are
medians of interleaved rounds.
"""

import statistics
import time

import torch
import torch.nn.functional as functional
from torch import nn

ROUNDS, SECONDS = 5, 3.0


class Unit(nn.Module):
    """Pre-activation unit with a channel-wise soft threshold."""

    def __init__(self, channels_in, channels, stride, reduction, flat):
        super().__init__()
        conv, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        hidden = max(channels // reduction, 1)
        self.stride, self.missing = stride, channels - channels_in
        self.norm1, self.conv1 = norm(channels_in), conv(channels_in, channels, 3, stride, 1)
        self.norm2, self.conv2 = norm(channels), conv(channels, channels, 3, 1, 1)
        self.squeeze, self.norm3 = nn.Linear(channels, hidden), nn.BatchNorm1d(hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x):
        y = self.conv1(functional.relu(self.norm1(x)))
        y = self.conv2(functional.relu(self.norm2(y)))
        mean_abs = y.abs().flatten(2).mean(2)
        scale = torch.sigmoid(self.excite(functional.relu(self.norm3(self.squeeze(mean_abs)))))
        threshold = (scale * mean_abs).reshape(mean_abs.shape + (1,) * (y.dim() - 2))
        y = torch.sign(y) * functional.relu(y.abs() - threshold)
        step = slice(None, None, self.stride)
        x = x[(slice(None), slice(None)) + (step,) * (x.dim() - 2)]
        half = self.missing // 2
        return y + functional.pad(x, (0, 0) * (x.dim() - 2) + (half, self.missing - half))


class Network(nn.Module):
    def __init__(self, channels_in, stem, stem_stride, units, reduction, flat):
        super().__init__()
        conv, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        self.stem = conv(channels_in, stem, 3, stem_stride, 1)
        widths = [stem] + [channels for channels, _ in units]
        self.units = nn.Sequential(
            *(Unit(w, c, s, reduction, flat) for w, (c, s) in zip(widths, units))
        )
        self.norm, self.head = norm(widths[-1]), nn.Linear(widths[-1], 10)

    def forward(self, x):
        return self.head(functional.relu(self.norm(self.units(self.stem(x)))).flatten(2).mean(2))


PAPER = [(c, s) for c in (4, 8, 16) for s in (2, 1, 1, 1)]
NETWORKS = {
    "seed-keras": (lambda: Network(1, 8, 1, [(8, 2)], 1, False), (100, 1, 28, 28)),
    "seed-tflearn": (lambda: Network(3, 16, 1, [(16, 1), (32, 2), (32, 2)], 4, False), (100, 3, 32, 32)),
    "paper-1d": (lambda: Network(1, 4, 2, PAPER, 1, True), (128, 1, 2048)),
}


def rate(make, shape, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = make()
    optimizer = torch.optim.SGD(network.parameters(), 0.001, 0.9)
    inputs, targets = torch.rand(*shape), torch.randint(0, 10, (shape[0],))
    steps, started = 0, None
    while started is None or time.perf_counter() - started < SECONDS:
        optimizer.zero_grad()
        functional.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
        if started is None:  # The first step is a warm-up.
            started = time.perf_counter()
        else:
            steps += 1
    return steps * shape[0] / (time.perf_counter() - started)


print(f"PyTorch {torch.__version__}")
for name, (make, shape) in NETWORKS.items():
    one, two = [], []
    for _ in range(ROUNDS):
        one.append(rate(make, shape, 1))
        two.append(rate(make, shape, 2))
    one, two = statistics.median(one), statistics.median(two)
    print(f"{name}: {one:.0f} inputs/s on one thread, {two:.0f} on two, {two / one:.2f} times", flush=True)
