"""tyro's report of bad options as one line.

tyro draws a box of several lines on stderr and leaves; it has no public way to get at the reason
(`tyro._errors` is private and may change in any release). So the box is read: the only place that
depends on how it looks.
"""

from __future__ import annotations

import re

FRAME = re.compile(r"\x1b\[[0-9;]*m|[\u2500-\u257f]")  # colours and box-drawing characters
RULE = re.compile(r"-{5,}|\u2500{5,}")  # dashes where the output has no box-drawing characters
ADVICE = ("For full helptext", "Argument helptext", "Perhaps you meant", "Similar")


def one_line(box: str) -> str:
    """The gist of a box that tyro draws: its paragraphs without frame, option lists and advice."""
    paragraphs: list[list[str]] = [[]]
    for line in box.splitlines():
        text = FRAME.sub("", line).strip()
        if RULE.search(line):
            paragraphs.append([])  # under the title too
        elif text:
            paragraphs[-1].append(text)
    said = [
        " ".join(lines) for lines in paragraphs[1:] if lines and not lines[0].startswith(ADVICE)
    ]
    meant = [
        lines[1].split(" ")[0]
        for lines in paragraphs
        if len(lines) > 1 and lines[0] == "Perhaps you meant:"
    ]
    return "; ".join(said).rstrip(".") + "".join(f" (perhaps {option}?)" for option in meant)
