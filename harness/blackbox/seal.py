"""The key of a black box: which events are signal of which process, encrypted.

Fernet of the package cryptography (AES-128 in CBC mode with HMAC-SHA256) encrypts the key, either
with a passphrase (by scrypt) or with a random key in a separate file. Without this secret nobody
can open the key again.

References
----------
C. Percival, S. Josefsson, "The scrypt Password-Based Key Derivation Function", RFC 7914.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from harness.card.run import Digest
from harness.challenge import Name, Positive, Utc, Value
from harness.errors import DataError, EnvironmentFaultError, UsageError, install_extra
from harness.files import disk_fault, parse_json, read_bounded, read_json

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

MAX_SEAL_BYTES = 256 * 1024**2
# Half a gigabyte of events in a key would be 60 million signal events.
MAX_OPENED_BYTES = 512 * 1024**2
MIN_PASSPHRASE = 12
FORMAT = "harness black-box key"
_EXPECTED = (
    f"the key that `harness blackbox make` wrote beside the box: a whole file of the format "
    f"{FORMAT!r}, version 1"
)
_FIX = (
    "find it, or take it from a copy: without its key a black box cannot be scored, and a new one "
    "has to be made; a key of a newer version needs a newer harness"
)
# Of scrypt: 128 MiB and about half a second to try one passphrase (OWASP's first choice).
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**17, 8, 1
_SALT_BYTES = 16
_HOW_TO_GIVE = {"passphrase": "give --passphrase-file, or type it", "key file": "give --key-file"}


class KeySignal(Value):
    """One hidden signal of a box.

    Attributes
    ----------
    packed_ids : str
        ``EvtId`` of its events, rising: base64 of little-endian int64.
    mass_gev : float or None
        Of the new particle, where answers are asked for it.
    """

    process: Name
    title: str
    n_events: int = Field(ge=1)
    packed_ids: str
    mass_gev: Positive | None = Field(default=None, exclude_if=lambda mass: mass is None)

    @property
    def ids(self) -> NDArray[np.int64]:
        """``EvtId`` of its events, rising.

        Raises
        ------
        DataError
            They are not one number for each event.
        """
        try:
            ids = np.frombuffer(base64.b64decode(self.packed_ids), "<i8").astype(np.int64)
        except ValueError as error:
            raise DataError(f"the numbers of {self.process} in the key are broken") from error
        if len(ids) != self.n_events:
            what = f"the key numbers {len(ids):,} events of {self.process}"
            raise DataError(what, expected=f"{self.n_events:,}, as it says itself")
        return ids


class BoxKey(Value):
    """Everything that scoring a result needs; the box itself is not needed.

    Attributes
    ----------
    n_events : int
        Events of the box; their ``EvtId`` are 0 to n_events - 1.
    n_allowed : int
        Events that a result may name.
    max_latency_us : float or None
        None where the challenge has no FPGA.
    luminosity_fb : float or None
        Integrated luminosity that the box stands for [1/fb].
    signals : tuple of KeySignal
        Empty for a box without new physics.
    """

    version: Literal[1] = 1
    challenge: Name
    challenge_title: str
    synthetic: bool
    made: Utc
    made_with: str
    box_name: str
    box_checksum: Digest
    n_events: int = Field(ge=1)
    working_point: Positive
    n_allowed: int = Field(ge=1)
    max_latency_us: Positive | None
    luminosity_fb: Positive | None = Field(default=None, exclude_if=lambda value: value is None)
    signals: tuple[KeySignal, ...]

    @property
    def n_signal(self) -> int:
        """Events of all signals."""
        return sum(signal.n_events for signal in self.signals)


class _Scrypt(Value):
    kind: Literal["passphrase"] = "passphrase"
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    # Bounded: a key from elsewhere must not keep this machine busy for hours.
    n: int = Field(ge=2**14, le=2**20)
    r: int = Field(ge=1, le=16)
    p: int = Field(ge=1, le=4)

    @field_validator("n")
    @classmethod
    def _is_power_of_two(cls, n: int) -> int:
        if n.bit_count() != 1:
            raise ValueError("a power of two")
        return n


class _KeyFile(Value):
    kind: Literal["key file"] = "key file"


class _Seal(Value):
    """A sealed key as a file."""

    format: Literal["harness black-box key"] = "harness black-box key"
    version: Literal[1] = 1
    box_name: str
    box_checksum: Digest
    protection: Annotated[_Scrypt | _KeyFile, Field(discriminator="kind")]
    checksum: Digest
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """What opens a key: a passphrase, or the file of a random key."""

    passphrase: str | None = None
    key_file: Path | None = None


def check_secret(secret: Secret) -> None:
    """Reject a secret that cannot be used, before any work is done.

    Raises
    ------
    UsageError
        The passphrase is too short, or there is neither passphrase nor key file.
    EnvironmentFaultError
        The package cryptography is not installed.
    """
    _require_cryptography()
    if secret.key_file is None and len(secret.passphrase or "") < MIN_PASSPHRASE:
        raise UsageError(
            f"the passphrase has {len(secret.passphrase or '')} characters",
            expected=f"{MIN_PASSPHRASE} at least",
            fix="use four or five random words, or a random key in a file: --key-file",
        )


def seal_key(key: BoxKey, secret: Secret, path: Path) -> None:
    """Encrypt `key` into the file at `path`; a key file that is not there is made.

    Raises
    ------
    UsageError
        The secret cannot be used, or `path` exists: a key is never written over.
    EnvironmentFaultError
        A file cannot be written.
    """
    check_secret(secret)
    protection = _new_protection(secret)
    token = _fernet(protection, secret, path).encrypt(key.model_dump_json().encode())
    seal = _Seal(
        box_name=key.box_name,
        box_checksum=key.box_checksum,
        protection=protection,
        checksum=_digest(token),
        token=token.decode(),
    )
    _write_new(path, seal.model_dump_json(indent=1).encode() + b"\n")


def _new_protection(secret: Secret) -> _Scrypt | _KeyFile:
    from cryptography.fernet import Fernet

    if secret.key_file is None:
        salt = secrets.token_hex(_SALT_BYTES)
        return _Scrypt(salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    if not secret.key_file.exists():
        _write_new(secret.key_file, Fernet.generate_key() + b"\n")
    return _KeyFile()


def open_key(path: Path, secret: Secret) -> BoxKey:
    """Decrypt the key in the file at `path`.

    Raises
    ------
    DataError
        The file is missing, damaged or no key, or was made by a newer version.
    UsageError
        The secret does not open it.
    """
    from cryptography.fernet import InvalidToken

    seal = _read_seal(path)
    try:
        opened = _fernet(seal.protection, secret, path).decrypt(seal.token.encode())
    except InvalidToken:
        raise UsageError(
            f"the {seal.protection.kind} does not open the key",
            where=str(path),
            expected=f"the {seal.protection.kind} that the box {seal.box_name} was made with",
            fix="find it: without it nobody, not even the authors of harness, can score this "
            "box or find out what is in it, and a new box has to be made",
        ) from None
    return parse_json(
        opened,
        BoxKey,
        source=f"{path}, its content",
        max_bytes=MAX_OPENED_BYTES,
        expected=_EXPECTED,
        fix=_FIX,
    )


def kind_of_secret(path: Path) -> Literal["passphrase", "key file"]:
    """Return the kind of secret that opens the key at `path`.

    Raises
    ------
    DataError
        There is no sound key.
    """
    return _read_seal(path).protection.kind


def _read_seal(path: Path) -> _Seal:
    seal = read_json(path, _Seal, max_bytes=MAX_SEAL_BYTES, expected=_EXPECTED, fix=_FIX)
    if _digest(seal.token.encode()) != seal.checksum:
        what = "its checksum differs from the one that it states"
        raise DataError(what, where=str(path), expected=_EXPECTED, fix=_FIX)
    return seal


def _fernet(protection: _Scrypt | _KeyFile, secret: Secret, path: Path) -> Fernet:
    _require_cryptography()
    if isinstance(protection, _KeyFile) and secret.key_file is not None:
        return _fernet_of_file(secret.key_file)
    if isinstance(protection, _Scrypt) and secret.passphrase is not None:
        return _fernet_of_passphrase(secret.passphrase, protection)
    raise UsageError(
        f"this key is opened by a {protection.kind}",
        where=str(path),
        fix=_HOW_TO_GIVE[protection.kind],
    )


def _fernet_of_passphrase(passphrase: str, protection: _Scrypt) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    salt = bytes.fromhex(protection.salt)
    kdf = Scrypt(salt=salt, length=32, n=protection.n, r=protection.r, p=protection.p)
    return Fernet(base64.urlsafe_b64encode(kdf.derive(passphrase.encode())))


def _fernet_of_file(path: Path) -> Fernet:
    from cryptography.fernet import Fernet

    content = read_bounded(
        path,
        expected="the key file that the box was made with",
        fix="find it: without it the box cannot be scored, and a new one has to be made",
    )
    try:
        return Fernet(content.strip())
    except ValueError as error:
        raise DataError(
            "it holds no Fernet key",
            where=str(path),
            expected="32 bytes in url-safe base64, as `harness blackbox make` writes them",
        ) from error


def _write_new(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UsageError(
            "the file is there already",
            where=str(path),
            expected="a new name: a key is never written over",
        ) from None
    except OSError as error:
        raise disk_fault(path, error) from error


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _require_cryptography() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise EnvironmentFaultError(
            "the package cryptography is not installed",
            expected="the extra `blackbox`",
            fix=install_extra("blackbox"),
        )
