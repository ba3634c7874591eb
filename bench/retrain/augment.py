"""Augmentation of a batch as tensor operations, where the batch is; every draw from one
generator."""

from __future__ import annotations

import torch
from torch.nn import functional

from rlnas.bench.retrain.presets import Settings


def crop_and_flip(
    images: torch.Tensor, padding: int, flip: bool, generator: torch.Generator
) -> torch.Tensor:
    """Each of images [n, c, h, w], of any dtype, shifted by up to `padding` pixels each way (what
    comes in is 0), and mirrored with chance 1/2: one gather."""
    n, _, height, width = images.shape
    device = images.device
    rows = torch.arange(height, device=device).expand(n, height)
    columns = torch.arange(width, device=device).expand(n, width)
    if padding:
        shift = torch.randint(0, 2 * padding + 1, (2, n, 1), generator=generator, device=device)
        rows, columns = rows + shift[0], columns + shift[1]
        images = functional.pad(images, (padding,) * 4)
    if flip:
        mirrored = torch.randint(0, 2, (n, 1), generator=generator, device=device).bool()
        columns = torch.where(mirrored, columns.flip(1), columns)
    place = torch.arange(n, device=device)[:, None, None]
    # Advanced indices on both sides of a slice: the channels come last, and go back to their place.
    return images[place, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """Each of images [n, c, h, w] with a square of `side` pixels set to 0 around a random pixel,
    cut at the border (DeVries and Taylor 2017, as in DARTS)."""
    n, _, height, width = images.shape
    device = images.device

    def blank(length: int) -> torch.Tensor:
        start = torch.randint(0, length, (n, 1), generator=generator, device=device) - side // 2
        pixels = torch.arange(length, device=device)
        return (pixels >= start) & (pixels < start + 2 * (side // 2))

    square = blank(height)[:, :, None] & blank(width)[:, None, :]
    return images.masked_fill(square[:, None], 0)


def before_scaling(
    images: torch.Tensor, settings: Settings, generator: torch.Generator
) -> torch.Tensor:
    """What is done to raw pixels, so that padding is black, as in both benchmarks."""
    if settings.crop_padding or settings.flip:
        return crop_and_flip(images, settings.crop_padding, settings.flip, generator)
    return images


def after_scaling(
    images: torch.Tensor, settings: Settings, generator: torch.Generator
) -> torch.Tensor:
    """What is done to standardised pixels: there 0 is the mean colour."""
    return cutout(images, settings.cutout, generator) if settings.cutout else images
