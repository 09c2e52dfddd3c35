"""A small convolutional variational auto-encoder (Kingma and Welling, ICLR 2014, arXiv 1312.6114).

The encoder gives each picture a normal distribution over a latent vector, the decoder draws a picture from a vector,
and both maximise the evidence lower bound. Samples look soft, which is the trace that such decoders leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics_models.generators.widths import widths_of
from aiforensics_models.parts import Parts


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """Knobs of the VAE.

    Attributes
    ----------
    side
        Side of a picture in pixels: 32 or 64.
    width
        Channels of the layer next to the pixels; doubled at every layer inwards.
    latent
        Numbers in the latent vector.
    rate
        Learning rate of Adam.
    deviation
        Standard deviation of the decoder's normal distribution, in units of [-1, 1]: the smaller, the more a pixel's
        error weighs against the latent vector's distance from the prior.
    """

    side: int = 32
    width: int = 48
    latent: int = 128
    rate: float = 1e-3
    deviation: float = 0.12


class Vae(Parts):
    """Encoder, decoder and their training.

    Parameters
    ----------
    config
        Knobs.
    device
        Where PyTorch runs.
    """

    kind = "vae"

    def __init__(self, config: VaeConfig, device: str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.encoder = Encoder(config).to(self.device)
        self.decoder = Decoder(config).to(self.device)
        weights = [*self.encoder.parameters(), *self.decoder.parameters()]
        self._optimiser = torch.optim.Adam(weights, lr=config.rate)
        self.parts = {"encoder": self.encoder, "decoder": self.decoder, "optimiser": self._optimiser}

    def step(self, pictures: Tensor) -> dict[str, float]:
        """One step on real pictures.

        Parameters
        ----------
        pictures
            (n, 3, side, side) in [-1, 1].

        Returns
        -------
        `loss` (negative lower bound, in nats per pixel value), its part `divergence`, and `error`, the mean absolute
        error of the reconstruction in grey levels.
        """
        self.encoder.train()
        self.decoder.train()
        mean, log_variance = self.encoder(pictures)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        again = self.decoder(latent)
        values = pictures[0].numel()
        error = F.mse_loss(again, pictures, reduction="sum") / (2 * self.config.deviation**2)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        loss = (error + divergence) / (len(pictures) * values)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        return {
            "loss": float(loss.detach()),
            "divergence": float(divergence.detach()) / (len(pictures) * values),
            "error": float((again.detach() - pictures).abs().mean()) * 127.5,
        }

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """(n, latent) standard normal → (n, 3, side, side) in [-1, 1]: the decoder's mean."""
        self.decoder.eval()
        made: Tensor = self.decoder(noise.to(self.device))
        return made.cpu()

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise that one picture is made of."""
        return (self.config.latent,)

    @property
    def sampler(self) -> nn.Module:
        """What sampling needs: the decoder."""
        return self.decoder


class Encoder(nn.Module):
    """Picture → mean and log variance of its latent vector."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in widths_of(config.side, config.width):
            layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.SiLU()]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.moments = nn.Linear(channels * 16, 2 * config.latent)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, side, side) in [-1, 1] → mean and log variance, both (n, latent)."""
        mean, log_variance = self.moments(self.layers(pictures)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 8)


class Decoder(nn.Module):
    """Latent vector → picture: a dense layer to 4×4, then doubling by nearest neighbour and convolutions."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = widths_of(config.side, config.width)[::-1]
        self.first = nn.Sequential(
            nn.Linear(config.latent, widths[0] * 16), nn.Unflatten(1, (widths[0], 4, 4)), nn.SiLU()
        )
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths, [*widths[1:], widths[-1]], strict=True):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(inputs, outputs, 3, 1, 1),
                nn.BatchNorm2d(outputs),
                nn.SiLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 3, 3, 1, 1), nn.Tanh())

    def forward(self, latent: Tensor) -> Tensor:
        """(n, latent) → (n, 3, side, side) in [-1, 1]."""
        made: Tensor = self.layers(self.first(latent))
        return made
