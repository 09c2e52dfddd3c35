"""A small diffusion model (DDPM, Ho et al., arXiv 2006.11239), sampled by DDIM (Song et al., arXiv 2010.02502).

A U-Net learns to see the noise in a noised picture. Sampling starts from noise alone and takes the noise that the
network sees away in some tens of deterministic steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics_models.generators.average import moving_average
from aiforensics_models.parts import Parts


@dataclass(frozen=True, slots=True)
class DiffusionConfig:
    """Knobs of the diffusion model.

    Attributes
    ----------
    side
        Side of a picture in pixels: 32 or 64.
    width
        Channels at full resolution; twice as many below.
    times
        Noise levels in training.
    steps
        Steps of DDIM in sampling.
    rate
        Learning rate of Adam.
    average
        Decay of the moving average of the weights, in the long run.
    """

    side: int = 32
    width: int = 48
    times: int = 1000
    steps: int = 50
    rate: float = 2e-4
    average: float = 0.999


class Diffusion(Parts):
    """U-Net, noise schedule and training.

    Parameters
    ----------
    config
        Knobs.
    device
        Where PyTorch runs.
    """

    kind = "diffusion"

    def __init__(self, config: DiffusionConfig, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.network = UNet(config).to(self.device)
        self.averaged = moving_average(self.network, config.average)
        self.kept = signal_kept(config.times).to(self.device)
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=config.rate)
        self.parts = {"network": self.network, "averaged": self.averaged, "optimiser": self._optimiser}

    def step(self, pictures: Tensor) -> dict[str, float]:
        """One step on real pictures.

        Parameters
        ----------
        pictures
            (n, 3, side, side) in [-1, 1].

        Returns
        -------
        `loss`: the mean squared error of the noise.
        """
        self.network.train()
        time = torch.randint(self.config.times, (len(pictures),), device=self.device)
        noise = torch.randn_like(pictures)
        kept = self.kept[time].view(-1, 1, 1, 1)
        noised = kept.sqrt() * pictures + (1 - kept).sqrt() * noise
        loss = F.mse_loss(self.network(noised, time), noise)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self.averaged.update_parameters(self.network)
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """(n, 3, side, side) standard normal → pictures in [-1, 1], by DDIM without fresh noise."""
        self.averaged.eval()
        x = noise.to(self.device)
        times = torch.linspace(self.config.times - 1, 0, self.config.steps).round().long().tolist()
        for now, after in zip(times, [*times[1:], -1], strict=True):
            kept = self.kept[now]
            kept_after = self.kept[after] if after >= 0 else torch.ones((), device=self.device)
            seen = self.averaged(x, torch.full((len(x),), now, device=self.device))
            clean = ((x - (1 - kept).sqrt() * seen) / kept.sqrt()).clamp(-1, 1)
            seen = (x - kept.sqrt() * clean) / (1 - kept).sqrt()  # the noise that agrees with the clipped picture
            x = kept_after.sqrt() * clean + (1 - kept_after).sqrt() * seen
        return x.clamp(-1, 1).cpu()

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise that one picture is made of."""
        return (3, self.config.side, self.config.side)

    @property
    def sampler(self) -> nn.Module:
        """What sampling needs: the averaged U-Net."""
        return self.averaged.module


def signal_kept(times: int) -> Tensor:
    """(times,) share of the signal's variance that is left at each time: the cosine schedule (arXiv 2102.09672).

    Examples
    --------
    >>> kept = signal_kept(1000)
    >>> bool((kept[1:] < kept[:-1]).all()), round(float(kept[0]), 3), float(kept[-1]) < 1e-4
    (True, 1.0, True)
    """
    at = torch.linspace(0, 1, times + 1, dtype=torch.float64)
    curve = torch.cos((at + 0.008) / 1.008 * math.pi / 2).square()
    betas = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, dim=0).float()


class UNet(nn.Module):
    """Three resolutions, two residual blocks each, attention at the lowest, shortcuts across."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        a, b = config.width, 2 * config.width
        time = 4 * config.width
        self.frequencies = config.width
        self.time = nn.Sequential(nn.Linear(config.width, time), nn.SiLU(), nn.Linear(time, time))
        self.first = nn.Conv2d(3, a, 3, 1, 1)
        self.down = nn.ModuleList([Block(a, a, time), Block(a, b, time), Block(b, b, time)])
        self.shrink = nn.ModuleList([nn.Conv2d(c, c, 3, 2, 1) for c in (a, b)])
        self.middle = nn.ModuleList([Block(b, b, time), Attention(b), Block(b, b, time)])
        self.up = nn.ModuleList([Block(b + b, b, time), Block(b + b, b, time), Block(b + a, a, time)])
        self.last = nn.Sequential(nn.GroupNorm(8, a), nn.SiLU(), nn.Conv2d(a, 3, 3, 1, 1))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(n, 3, side, side) and (n,) times → the noise that is seen, (n, 3, side, side)."""
        t = self.time(waves(time, self.frequencies))
        x = self.first(x)
        x0 = self.down[0](x, t)  # (n, a, s, s)
        x1 = self.down[1](self.shrink[0](x0), t)  # (n, b, s/2, s/2)
        x2 = self.down[2](self.shrink[1](x1), t)  # (n, b, s/4, s/4)
        x = self.middle[2](self.middle[1](self.middle[0](x2, t)), t)
        x = self.up[0](torch.cat([x, x2], dim=1), t)
        x = self.up[1](torch.cat([F.interpolate(x, scale_factor=2.0), x1], dim=1), t)
        x = self.up[2](torch.cat([F.interpolate(x, scale_factor=2.0), x0], dim=1), t)
        seen: Tensor = self.last(x)
        return seen


class Block(nn.Module):
    """Two convolutions with group norm; the time is added between them."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, 1, 1))
        self.time = nn.Linear(time, outputs)
        self.second = nn.Sequential(nn.GroupNorm(8, outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, 1, 1))
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(n, inputs, h, w) and (n, time) → (n, outputs, h, w)."""
        y = self.first(x) + self.time(F.silu(time))[:, :, None, None]
        out: Tensor = self.second(y) + self.shortcut(x)
        return out


class Attention(nn.Module):
    """Every place looks at every place (Vaswani et al., arXiv 1706.03762), with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.looks = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → (n, c, h, w)."""
        flat = self.looks(self.norm(x)).flatten(2).transpose(1, 2)  # (n, h·w, 3c)
        query, key, value = flat.chunk(3, dim=2)
        seen = F.scaled_dot_product_attention(query, key, value)  # (n, h·w, c)
        added: Tensor = self.out(seen.transpose(1, 2).reshape(x.shape))
        return x + added


def waves(time: Tensor, size: int) -> Tensor:
    """(n,) times → (n, size) sines and cosines of the time at frequencies from 1 down to 1/10000."""
    rates = torch.exp(-math.log(10_000) * torch.arange(size // 2, device=time.device) / (size // 2))
    angles = time[:, None].float() * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
