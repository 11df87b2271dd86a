"""What is shown once and kept as a hash. It is 256 random bits, so a plain SHA-256 of it can't be turned back."""

import hashlib
import secrets

RANDOM_BYTES = 32


def new_secret(prefix: str = "") -> str:
    """Return a secret that nobody can guess, fit for URLs and cookies."""
    return prefix + secrets.token_urlsafe(RANDOM_BYTES)


def hash_of(secret: str) -> str:
    """Return what is kept of a secret, whatever text somebody sends as one."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
