"""What GitHub may answer instead of what was asked for. Each is made once, where the answer comes in.

The messages are fit for a log: GitHub's own words in them went through the redactor, and neither a header nor an
object of the HTTP library hangs on to them.
"""

from datetime import datetime

from bot.errors import RunledgerError


class GitHubError(RunledgerError):
    """GitHub did not do what it was asked to."""


class NotFound(GitHubError):
    """404: it is not there, or not ours to see; GitHub does not tell the two apart."""


class Gone(NotFound):
    """410, or 451: it was there once and will not come back."""


class InstallationGone(GitHubError):
    """The App is no longer installed there."""


class InstallationSuspended(GitHubError):
    """The account's owner, or GitHub, has suspended the installation; it may come back."""


class InstallationRefused(GitHubError):
    """GitHub makes no token for the installation, as for an address that its owner does not allow."""


class Unauthorized(GitHubError):
    """401: GitHub does not take our credentials, after everything that may help was tried."""


class Forbidden(GitHubError):
    """403, and not for asking too much; `permissions` is what GitHub says would do, such as `checks=write`."""

    def __init__(self, message: str, permissions: str | None = None) -> None:
        super().__init__(message)
        self.permissions = permissions


class Conflict(GitHubError):
    """409: it can't be done as things stand now."""


class Unprocessable(GitHubError):
    """422: GitHub understands and declines; `errors` are its reasons, a line each."""

    def __init__(self, message: str, errors: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class BadRequest(GitHubError):
    """Any other answer that blames us; asking again would not help."""


class RateLimited(GitHubError):
    """Nothing may be sent before `until`, which is further off than the caller wants to wait."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"GitHub takes no requests before {until:%Y-%m-%d %H:%M:%S} UTC")
        self.until = until


class GitHubUnavailable(GitHubError):
    """No answer, or none that can be used. `maybe_taken` tells that GitHub may have done it all the same.

    `maybe_later` tells that it may still do it.
    """

    def __init__(self, message: str, *, maybe_taken: bool = True, maybe_later: bool = True) -> None:
        super().__init__(message)
        self.maybe_taken = maybe_taken
        self.maybe_later = maybe_taken and maybe_later
