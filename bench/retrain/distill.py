"""Training by another network's answers (Hinton et al. 2015, arXiv 1503.02531)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from rlnas.bench.retrain.fit import Fit, outputs


class Distilled(Fit):
    """Regression on a teacher's logits, as in N2N (arXiv 1709.06030; Ba and Caruana 2014); the
    labels are not looked at.

    teacher: on the engine's device, in evaluation; it stays as it is.
    """

    def __init__(self, teacher: nn.Module, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.teacher = teacher.eval()

    def losses(
        self, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits, _ = outputs(self.forward(images))
        with torch.no_grad():
            wanted, _ = outputs(self.teacher(images))
        loss = nn.functional.mse_loss(logits, wanted)
        return logits, loss, loss
