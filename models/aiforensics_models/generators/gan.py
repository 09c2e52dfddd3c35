"""A small generative adversarial network after DCGAN (Radford, Metz and Chintala, ICLR 2016, arXiv 1511.06434).

The generator widens a vector of noise by transposed convolutions, the discriminator mirrors it, and both learn against
each other with the non-saturating loss of Goodfellow et al. (arXiv 1406.2661). Sampling uses a moving average of the
generator's weights, which wander less than the weights themselves.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics_models.generators.average import moving_average
from aiforensics_models.generators.widths import widths_of
from aiforensics_models.parts import Parts


@dataclass(frozen=True, slots=True)
class GanConfig:
    """Knobs of the GAN; the defaults are the paper's where it names them.

    Attributes
    ----------
    side
        Side of a picture in pixels: 32 or 64.
    width
        Channels of the layer next to the pixels; doubled at every layer inwards.
    latent
        Numbers in a vector of noise.
    rate, beta
        Learning rate and first decay of Adam, for both networks.
    smoothing
        Real pictures are labelled 1 - smoothing, so that the discriminator is never sure.
    average
        Decay of the moving average of the generator, in the long run.
    """

    side: int = 32
    width: int = 64
    latent: int = 128
    rate: float = 2e-4
    beta: float = 0.5
    smoothing: float = 0.1
    average: float = 0.995


class Gan(Parts):
    """Generator, discriminator and their training.

    Parameters
    ----------
    config
        Knobs.
    device
        Where PyTorch runs.
    """

    kind = "gan"

    def __init__(self, config: GanConfig, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.generator = Generator(config).to(self.device)
        self.discriminator = Discriminator(config).to(self.device)
        self.averaged = moving_average(self.generator, config.average)
        betas = (config.beta, 0.999)
        self._for_generator = torch.optim.Adam(self.generator.parameters(), lr=config.rate, betas=betas)
        self._for_discriminator = torch.optim.Adam(self.discriminator.parameters(), lr=config.rate, betas=betas)
        self.parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "averaged": self.averaged,
            "for_generator": self._for_generator,
            "for_discriminator": self._for_discriminator,
        }

    def step(self, pictures: Tensor) -> dict[str, float]:
        """One step of both networks on real pictures.

        Parameters
        ----------
        pictures
            (n, 3, side, side) in [-1, 1].

        Returns
        -------
        `discriminator` and `generator` losses, and `fooled`, the share of fakes that pass for real.
        """
        self.generator.train()
        noise = torch.randn(len(pictures), self.config.latent, device=self.device)
        fakes = self.generator(noise)

        real_odds = self.discriminator(pictures)
        fake_odds = self.discriminator(fakes.detach())
        ones, zeros = torch.ones_like(real_odds), torch.zeros_like(fake_odds)
        loss = F.binary_cross_entropy_with_logits(real_odds, ones * (1 - self.config.smoothing))
        loss = loss + F.binary_cross_entropy_with_logits(fake_odds, zeros)
        _descend(self._for_discriminator, loss)

        log_odds = self.discriminator(fakes)
        fooling = F.binary_cross_entropy_with_logits(log_odds, ones)  # maximise log D(G(z)), the non-saturating loss
        _descend(self._for_generator, fooling)
        self.averaged.update_parameters(self.generator)
        return {
            "discriminator": float(loss.detach()),
            "generator": float(fooling.detach()),
            "fooled": float((log_odds.detach() > 0).float().mean()),
        }

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """(n, latent) standard normal → (n, 3, side, side) in [-1, 1]."""
        self.averaged.eval()
        made: Tensor = self.averaged(noise.to(self.device))
        return made.cpu()

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise that one picture is made of."""
        return (self.config.latent,)

    @property
    def sampler(self) -> nn.Module:
        """What sampling needs: the averaged generator."""
        return self.averaged.module


class Generator(nn.Module):
    """Noise → picture: a dense layer to 4×4, then transposed convolutions that double the side."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        widths = widths_of(config.side, config.width)[::-1]  # from 4×4 outwards
        self.first = nn.Sequential(
            nn.Linear(config.latent, widths[0] * 16, bias=False),
            nn.Unflatten(1, (widths[0], 4, 4)),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        layers += [nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_start)

    def forward(self, noise: Tensor) -> Tensor:
        """(n, latent) → (n, 3, side, side) in [-1, 1]."""
        made: Tensor = self.layers(self.first(noise))
        return made


class Discriminator(nn.Module):
    """Picture → log-odds that it is real: convolutions that halve the side, no pooling."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for place, width in enumerate(widths_of(config.side, config.width)):
            layers.append(nn.Conv2d(channels, width, 4, 2, 1, bias=place == 0))
            if place:  # no batch norm next to the pixels
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2))
            channels = width
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 16, 1))
        self.apply(_start)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, side, side) in [-1, 1] → (n,) log-odds."""
        log_odds: Tensor = self.layers(pictures)[:, 0]
        return log_odds


def _start(module: nn.Module) -> None:
    """Start from a normal distribution with a deviation of 0.02."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
