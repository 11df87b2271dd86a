"""The RSA key pair of each App, made when it is first needed and kept as long as the process lasts."""

from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def _key(number: int) -> rsa.RSAPrivateKey:
    # Numbers only tell keys apart: a key cannot follow from a seed.
    _ = number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_pem(number: int) -> str:
    """Return the key of this number as GitHub hands keys out: PKCS #1 in PEM (RFC 7468)."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return _key(number).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@cache
def public_pem(number: int) -> str:
    """Return the public half in PEM, which signatures are verified with."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _key(number).public_key().public_bytes(serialization.Encoding.PEM, form).decode()
