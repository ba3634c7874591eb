"""`rlnas completion`: the shell completes commands, options, names of runs and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Positional

Shell = Literal["bash", "zsh", "fish"]


@dataclass(frozen=True)
class Completion:
    """Print what makes a shell complete the words of `rlnas`: commands, options, names of runs,
    files.

    Examples:
      source <(rlnas completion)
      rlnas completion zsh > ~/.rlnas-completion; echo 'source ~/.rlnas-completion' >> ~/.zshrc
      rlnas completion fish > ~/.config/fish/completions/rlnas.fish
    """

    shell: Positional[Shell] = "bash"
    """For which."""

    def run(self) -> None:
        from rlnas.analysis.completion.script import script

        print(script(self.shell), end="")
