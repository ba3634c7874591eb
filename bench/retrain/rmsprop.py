"""TensorFlow 1's RMSProp, which trained NAS-Bench-101. torch's differs where epsilon is as large as
1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


class TensorFlowRMSprop(torch.optim.Optimizer):
    """ms = decay ms + (1 - decay) g^2, from 1; mom = momentum mom + lr g / sqrt(ms + eps); w = w -
    mom.

    torch's adds epsilon outside the root, begins at 0 and multiplies by the rate of the moment, not
    of each gradient.
    weight_decay: added to the gradient, as TensorFlow's l2_loss over all variables does.
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        decay: float,
        momentum: float,
        eps: float,
        weight_decay: float,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "decay": decay,
                "momentum": momentum,
                "eps": eps,
                "weight_decay": weight_decay,
            },
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["mean_square"] = torch.ones_like(weight)
                    self.state[weight]["moment"] = torch.zeros_like(weight)
            squares = [self.state[weight]["mean_square"] for weight in weights]
            moments = [self.state[weight]["moment"] for weight in weights]
            grads = torch._foreach_add(
                [weight.grad for weight in weights], weights, alpha=group["weight_decay"]
            )
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, grads, grads, value=1 - group["decay"])
            roots = torch._foreach_add(squares, group["eps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(moments, group["momentum"])
            torch._foreach_addcdiv_(moments, grads, roots, value=group["lr"])
            torch._foreach_sub_(weights, moments)
