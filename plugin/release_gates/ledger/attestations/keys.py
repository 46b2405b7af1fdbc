"""Private keys: files that nobody else can read, outside of every project, read only to sign."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from release_gates.errors import TrustError
from release_gates.ledger.attestations.envelope import unavailable

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

LARGEST_BYTES = 10_000


def make_key(path: Path, project: Path) -> str:
    """Write a new private key (mode 0600) and return its public half, 64 hexadecimal digits.

    ``TrustError`` for a path inside of the project, or one that exists.
    """
    try:
        from securesystemslib.signer import CryptoSigner
    except ImportError:
        raise unavailable() from None
    _refuse_project(path, project)
    signer = CryptoSigner.generate_ed25519()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(signer.private_bytes)
    except OSError as error:
        raise _refused(path, f"the key cannot be written ({error.strerror})", "Name a new file.") from None
    return public_of(signer)


def read_key(path: Path, project: Path) -> CryptoSigner:
    """Return the private key of a file; its name for others is its public key.

    ``TrustError`` unless it is a plain file of ours that nobody else can read, outside of the project.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from securesystemslib.signer import CryptoSigner
    except ImportError:
        raise unavailable() from None
    _refuse_project(path, project)
    data = _secret(path)
    try:
        private = load_pem_private_key(data, None)
        own = CryptoSigner(private)
        if own.public_key.keytype != "ed25519":
            raise ValueError(own.public_key.keytype)
        own.public_key.keyid = public_of(own)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        # What the library says may quote the file.
        raise _refused(path, "it holds no private Ed25519 key", "`release-gates keygen` makes one.") from None
    return own


def public_of(signer: CryptoSigner) -> str:
    """Return the public half of a key, as ``trust.toml`` names it."""
    return str(signer.public_key.keyval["public"])


def _secret(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise _refused(path, "it is no plain file", "Name the file that keygen wrote.")
            if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid != os.geteuid():
                raise _refused(path, "others can read it, or it is another user's", f"chmod 600 {path}")
            return file.read(LARGEST_BYTES)
    except OSError as error:
        raise _refused(path, f"the key cannot be read ({error.strerror})", "") from None


def _refuse_project(path: Path, project: Path) -> None:
    if path.absolute().parent.resolve().is_relative_to(project.resolve()):
        raise _refused(
            path,
            "it lies in the project, where candidates and commits can see it",
            "Keep private keys elsewhere.",
        )


def _refused(path: Path, why: str, hint: str) -> TrustError:
    return TrustError(f"{path}: {why}.", slug="key-file", hint=hint)
