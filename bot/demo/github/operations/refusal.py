"""How the simulated GitHub says no."""


class Refused(Exception):
    """GitHub would answer this with an error; `status_code` is the one its REST API gives."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message
