"""Who is who: tokens of teams, the admin's password, and what each role is."""

import hashlib
import hmac
import secrets
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

Role = Literal["visitor", "team", "admin"]

_hasher = PasswordHasher()


def new_token() -> str:
    """Draw the token of a team; it is shown once, only its hash is kept."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return the sha256 of a token in hexadecimal; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same_hash(one: str, other: str) -> bool:
    """Compare two hashes in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def new_password() -> str:
    """Draw a password for the admin."""
    return secrets.token_urlsafe(18)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, with its salt and its costs."""
    return _hasher.hash(password)


def seal(password_hash: str) -> str:
    """Return what the sessions of an admin carry: another password makes another one.

    Example: 64 hexadecimal digits, which tell nothing of the hash
    """
    return hashlib.sha256(f"admin session {password_hash}".encode()).hexdigest()


def check_password(password_hash: str, password: str) -> bool:
    """Tell whether a password is the one that was hashed."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
