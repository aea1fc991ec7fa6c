"""The key of a black box: which events are signal of which process, encrypted.

The key is sealed by Fernet of the package cryptography (AES-128 in CBC mode with HMAC-SHA256)
under a passphrase, by way of scrypt, or under a random key in a file of its own. Without the one
or the other nobody can open it again.

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
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness.blackbox.make import MadeBox, Source, count_named
from harness.card.records import Digest
from harness.challenge import Challenge, Name, Positive, Utc, Value, utc
from harness.errors import DataError, EnvironmentFaultError, Problem, UsageError
from harness.files import disk_fault, parse_json, read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class KeySignal(Value):
    """One hidden signal of a box.

    Attributes
    ----------
    packed_ids : str
        ``EvtId`` of its events, rising: base64 of little-endian int64.
    """

    process: Name
    title: str
    n_events: int = Field(ge=1)
    packed_ids: str

    @property
    def ids(self) -> NDArray[np.int64]:
        """``EvtId`` of its events, rising."""
        return np.frombuffer(base64.b64decode(self.packed_ids), "<i8").astype(np.int64)


class BoxKey(Value):
    """All that scoring a result takes: the box is not needed.

    Attributes
    ----------
    n_events : int
        Events of the box; their ``EvtId`` are 0 to n_events - 1.
    n_allowed : int
        Events that a result may name.
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
    max_latency_us: Positive
    signals: tuple[KeySignal, ...] = Field(min_length=1)

    @property
    def n_signal(self) -> int:
        """Events of all signals."""
        return sum(signal.n_events for signal in self.signals)


class _Scrypt(Value):
    kind: Literal["passphrase"] = "passphrase"
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    # Bounded: a key from elsewhere must not make this machine work for hours.
    n: int = Field(ge=2**14, le=2**20)
    r: int = Field(ge=1, le=16)
    p: int = Field(ge=1, le=4)


class _KeyFile(Value):
    kind: Literal["key file"] = "key file"


class _Seal(Value):
    """A sealed key as it lies on the disk."""

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


def key_of(challenge: Challenge, box: MadeBox, signals: Sequence[Source]) -> BoxKey:
    """Return the key of a box that was made."""
    titles = {signal.process: signal.title for signal in signals}
    return BoxKey(
        challenge=challenge.name,
        challenge_title=challenge.title,
        synthetic=challenge.synthetic,
        made=utc(datetime.now(UTC)),
        made_with=f"harness {harness.__version__}",
        box_name=box.path.name,
        box_checksum=box.checksum,
        n_events=box.contents.n_events,
        working_point=challenge.working_point,
        n_allowed=count_named(challenge.working_point, box.contents.n_events),
        max_latency_us=challenge.target.max_latency_ns / 1000.0,
        signals=tuple(
            KeySignal(
                process=name,
                title=titles[name],
                n_events=len(ids),
                packed_ids=base64.b64encode(ids.astype("<i8").tobytes()).decode(),
            )
            for name, ids in box.event_ids.items()
        ),
    )


def check_secret(secret: Secret) -> None:
    """Refuse a secret that is none, before any work is done.

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
            Problem(
                what=f"the passphrase has {len(secret.passphrase or '')} characters",
                expected=f"{MIN_PASSPHRASE} at least",
                fix="four or five random words will do, or a random key in a file: --key-file",
            )
        )


def seal_key(key: BoxKey, secret: Secret, path: Path) -> None:
    """Encrypt `key` into the file at `path`; a key file that is not there is made.

    Raises
    ------
    UsageError
        The secret is none, or `path` is there already: a key is never written over.
    EnvironmentFaultError
        A file can't be written.
    """
    check_secret(secret)
    protection: _Scrypt | _KeyFile
    if secret.key_file is not None:
        protection = _KeyFile()
        if not secret.key_file.exists():
            _write_new(secret.key_file, _new_fernet_key())
    else:
        salt = secrets.token_hex(_SALT_BYTES)
        protection = _Scrypt(salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    token = _fernet(protection, secret, path).encrypt(key.model_dump_json().encode())
    seal = _Seal(
        box_name=key.box_name,
        box_checksum=key.box_checksum,
        protection=protection,
        checksum=_digest(token),
        token=token.decode(),
    )
    _write_new(path, seal.model_dump_json(indent=1).encode() + b"\n")


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
            Problem(
                what=f"the {seal.protection.kind} does not open the key",
                where=str(path),
                expected=f"the {seal.protection.kind} that the box {seal.box_name} was made with",
                fix="find it: without it nobody, the authors of harness included, can score this "
                "box or tell what is in it, and a new box has to be made",
            )
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
    """Tell what the key at `path` is opened by.

    Raises
    ------
    DataError
        There is no sound key.
    """
    return _read_seal(path).protection.kind


def _read_seal(path: Path) -> _Seal:
    seal = read_json(path, _Seal, max_bytes=MAX_SEAL_BYTES, expected=_EXPECTED, fix=_FIX)
    if _digest(seal.token.encode()) != seal.checksum:
        what = "its checksum is another than it says"
        raise DataError(Problem(what=what, where=str(path), expected=_EXPECTED, fix=_FIX))
    return seal


def _fernet(protection: _Scrypt | _KeyFile, secret: Secret, path: Path) -> Fernet:
    _require_cryptography()
    from cryptography.fernet import Fernet

    if isinstance(protection, _KeyFile):
        if secret.key_file is None:
            raise UsageError(
                Problem(
                    what="this key is opened by a key file", where=str(path), fix="give --key-file"
                )
            )
        return _fernet_of_file(secret.key_file)
    if secret.passphrase is None:
        raise UsageError(
            Problem(
                what="this key is opened by a passphrase",
                where=str(path),
                fix="give --passphrase-file, or type it",
            )
        )
    return Fernet(base64.urlsafe_b64encode(_stretch(secret.passphrase, protection)))


def _stretch(passphrase: str, protection: _Scrypt) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    kdf = Scrypt(
        salt=bytes.fromhex(protection.salt),
        length=32,
        n=protection.n,
        r=protection.r,
        p=protection.p,
    )
    return kdf.derive(passphrase.encode())


def _fernet_of_file(path: Path) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        with path.open("rb") as file:
            return Fernet(file.read(1024).strip())
    except OSError as error:
        raise DataError(
            Problem(
                what=error.strerror or str(error),
                where=str(path),
                expected="the key file that the box was made with",
                fix="find it: without it the box can't be scored, and a new one has to be made",
            )
        ) from error
    except ValueError as error:
        raise DataError(
            Problem(
                what="it holds no Fernet key",
                where=str(path),
                expected="32 bytes in url-safe base64, as `harness blackbox make` writes them",
            )
        ) from error


def _new_fernet_key() -> bytes:
    from cryptography.fernet import Fernet

    return Fernet.generate_key() + b"\n"


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, and that is not there yet."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UsageError(
            Problem(
                what="the file is there already",
                where=str(path),
                expected="a new name: a key is never written over",
            )
        ) from None
    except OSError as error:
        raise disk_fault(path, error) from error


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _require_cryptography() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise EnvironmentFaultError(
            Problem(
                what="the package cryptography is not installed",
                expected="the extra `blackbox`",
                fix="pip install 'harness[blackbox]'",
            )
        )
