"""The one exception for input a user can mend."""


class UserError(ValueError):
    """Bad input: one line that says what was found, what was expected and what to do.

    The command line prints the line and exits with status 2; no traceback.
    """
