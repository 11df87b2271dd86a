"""What can go wrong, in our own words. Every message is fit for a user's eyes and holds no secret."""

UNANSWERED = "GitHub has not answered what it was sent, and may still be at it"
"""The message of the CancelledError by which a task ends then."""


class RunledgerError(Exception):
    """Something a user can read and act on; commands print it as one sentence and exit 1."""


class SettingsError(RunledgerError):
    """A setting is missing or wrong; the message names it."""


class MalformedPayload(RunledgerError):
    """A delivery's body is not what GitHub documents; it will never become right, so it is not tried again."""


class ParameterError(RunledgerError):
    """A query asks for something malformed; `parameter` names what is at fault, in the API's spelling."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter
        self.message = message


class NotFound(RunledgerError):
    """There is no such thing, or it is not the caller's to see: the two are told apart nowhere."""


class DatabaseUnavailable(RunledgerError):
    """The database can't take the work now; nothing was stored."""


class TooMuchWaiting(RunledgerError):
    """So many bytes wait for the database that one more body would not fit the memory set aside for them."""


class SignInRefused(RunledgerError):
    """GitHub does not take the code that a browser came back with, so nobody is signed in."""


class GitHubAway(RunledgerError):
    """GitHub can't be asked now what a person may see, and what is known of it is too old."""
