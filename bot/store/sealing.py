"""Credentials that are kept in the database are sealed: AES-256-GCM (NIST SP 800-38D) under a key made of SECRET_KEY.

The key is derived by HKDF (RFC 5869). What is sealed is bound to its place, so that a value that was moved to another
column or row of the table opens nowhere.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.errors import RunledgerError
from bot.settings import Settings

_VERSION = b"\x01"
_NONCE_BYTES = 12
_INFO = b"runledger: credentials in the database"


class CannotOpen(RunledgerError):
    """What is sealed was sealed under another SECRET_KEY, or changed since."""


class Sealer:
    """Seals with the first of the keys, and opens with whichever fits."""

    def __init__(self, *secret_keys: str) -> None:
        self._ciphers = [AESGCM(_derived(each)) for each in secret_keys]

    @classmethod
    def of(cls, settings: Settings) -> "Sealer | None":
        """Return the sealer of these settings, None where SECRET_KEY is not set and so nothing can be kept."""
        if settings.secret_key is None:
            return None
        both = (settings.secret_key, settings.secret_key_previous)
        return cls(*(key.get_secret_value() for key in both if key is not None))

    def seal(self, text: str, place: str) -> bytes:
        """Return `text` sealed for `place`, which names the table, the column and whose row it is."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """Return the text that was sealed for `place`. Raises CannotOpen."""
        return self._opened(sealed, place)[1]

    def renewed(self, sealed: bytes, place: str) -> bytes | None:
        """Return what a key before the first has sealed, sealed with the first, else None. Raises CannotOpen."""
        number, text = self._opened(sealed, place)
        return self.seal(text, place) if number else None

    def _opened(self, sealed: bytes, place: str) -> tuple[int, str]:
        """Return which of the keys opens it, and the text."""
        version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for number, cipher in enumerate(self._ciphers if version == _VERSION else ()):
            try:
                return number, cipher.decrypt(nonce, rest, place.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        message = "a credential in the database can't be opened: it was sealed under another SECRET_KEY"
        raise CannotOpen(message)


def _derived(secret_key: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=_INFO).derive(secret_key.encode())
