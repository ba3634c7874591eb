"""The one exception for input a user can mend."""

LONGEST = 600
"""Characters of a message; a file may hold longer names."""


class UserError(ValueError):
    """Bad input: one line that says what was found, what was expected and what to do.

    The command line prints the line and exits with status 2; no traceback. What a message repeats
    of a file is printed as it would be written in Python: no line breaks, no control characters.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


def one_line(text: str) -> str:
    """Printable, in one line, and not too long: the middle is left out."""
    if not text.isprintable():
        words = " ".join(text.split())
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 205]} ... {text[-200:]}"
