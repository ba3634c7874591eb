"""Named settings of the transformer agent."""

from __future__ import annotations

from agents.dqn import DQNConfig
from agents.networks import NetworkConfig

PRESETS = {
    # Ours: minutes on two cores.
    "default": DQNConfig(),
    # Ours: seconds, for tests and first looks.
    "smoke": DQNConfig(
        network=NetworkConfig(width=16, layers=1, heads=2, feed_forward=32),
        steps=8_192,
        actors=32,
        learning_starts=1_024,
        batch_size=32,
        capacity=4_096,
        target_every=1_024,
    ),
    # What is known of Cassimon et al. 2024 and their follow-up (see `agents.dqn`), gaps filled by RLlib's Ape-X;
    # layers, heads, widths of feed-forward blocks, horizon, gamma, actors are ours all the same.
    "paper": DQNConfig(
        network=NetworkConfig(width=256, layers=3, heads=8, feed_forward=1024),
        steps=10_000_000,
        actors=256,
        learning_starts=50_000,
        batch_size=512,
        capacity=25_088,
        learning_rate=5e-5,
        alpha=6.0,
    ),
}
