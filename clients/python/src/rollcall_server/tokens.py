"""Signs the tokens with which users come to Rollcall."""

import base64
import binascii
import hashlib
import hmac
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from .ids import Id, check_id

MAX_TOKEN_BYTES = 8 * 1024

#: The hash of each algorithm, and the least bytes of its key (RFC 7518, section 3.2).
_ALGORITHMS = {"HS256": (hashlib.sha256, 32), "HS384": (hashlib.sha384, 48), "HS512": (hashlib.sha512, 64)}

EARLIEST_END_MS = 1_000_000_000_000  # 2001: times before are seconds mistaken for milliseconds.
LATEST_END_MS = 99_999_999_999_999
MAX_CAPACITY = 2**32 - 1
_CHOICES = {"duplicates": ("refuse", "takeover", "share"), "timerBy": ("leader", "host", "anyone")}
_FEATURES = ("timer", "status", "chat", "code", "lobby")


class TokenSigner:
    """Signs tokens with one shared key: a JSON Web Key with ``kty`` ``oct``, ``alg``, ``k`` and perhaps ``kid``."""

    def __init__(self, key: Mapping[str, Any], *, issuer: str | None = None, audience: str | list[str] | None = None):
        """Raises ``ValueError`` for a key that Rollcall cannot use. The message holds nothing of the key."""
        algorithm = _ALGORITHMS.get(key.get("alg", "")) if key.get("kty") == "oct" else None
        if algorithm is None:
            raise ValueError(f'key: must be a shared key ("oct") with "alg", one of {", ".join(_ALGORITHMS)}')
        self._hash, least_bytes = algorithm
        self._secret = _decode_key(key.get("k"))
        if len(self._secret) < least_bytes:
            raise ValueError(f'key: "k" must hold at least {least_bytes} bytes for {key["alg"]}')
        self._header = _given(alg=key["alg"], typ="JWT", kid=key.get("kid"))
        self._registered = _given(iss=issuer, aud=audience)

    def sign(
        self,
        user_id: Id,
        *,
        username: str | int | float | None = None,
        user_role: str | int | float | None = None,
        session: Mapping[str, Any] | None = None,
        expires_in_s: float = 3600,
        not_before: float | None = None,
    ) -> str:
        """Signs a token for a user.

        ``session`` is the claim ``rollcall``: ``{room, endAt, leaderId?, duplicates?, capacity?, timerBy?, features?}``.
        ``not_before`` is in seconds since 1970. Raises ``ValueError`` or ``TypeError`` for what Rollcall would refuse.
        """
        check_id(user_id, "user_id")
        _check_label(username, "username")
        _check_label(user_role, "user_role")
        if session is not None:
            _check_session(session)
        now_s = int(time.time())
        if not 1 <= expires_in_s < 2**53 - now_s:
            raise ValueError("expires_in_s: must be a number of seconds, at least 1")
        expires_at_s = int(now_s + expires_in_s)
        if not_before is not None and not not_before < expires_at_s:
            raise ValueError("not_before: must be a time before the token expires")
        claims = _given(userId=user_id, username=username, userRole=user_role, rollcall=session, **self._registered)
        claims |= _given(iat=now_s, nbf=None if not_before is None else int(not_before), exp=expires_at_s)
        signed = f"{_encode_json(self._header)}.{_encode_json(claims)}"
        token = f"{signed}.{_encode(hmac.digest(self._secret, signed.encode(), self._hash))}"
        if len(token) > MAX_TOKEN_BYTES:
            raise ValueError(f"the token has more than {MAX_TOKEN_BYTES} bytes")
        return token


def _decode_key(text: Any) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, TypeError, ValueError):
        key = b""
    if _encode(key) != text:
        raise ValueError('key: "k" is not Base64url without padding')
    return key


def _check_label(label: Any, name: str) -> None:
    if isinstance(label, bool) or not (label is None or isinstance(label, (str, int, float))):
        raise TypeError(f"{name}: must be a string or a number")
    if isinstance(label, float) and not math.isfinite(label):
        raise ValueError(f"{name}: must be a finite number")
    if isinstance(label, str) and not _is_well_formed(label):
        raise ValueError(f"{name}: half of a surrogate pair is no text")


def _is_well_formed(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _check_session(session: Mapping[str, Any]) -> None:
    check_id(session.get("room"), "session.room")
    _check_integer(session.get("endAt"), "session.endAt", EARLIEST_END_MS, LATEST_END_MS)
    if session.get("leaderId") is not None:
        check_id(session["leaderId"], "session.leaderId")
    if session.get("capacity") is not None:
        _check_integer(session["capacity"], "session.capacity", 1, MAX_CAPACITY)
    for name, choices in _CHOICES.items():
        if name in session and session[name] not in choices:
            raise ValueError(f"session.{name}: must be one of {', '.join(choices)}")
    if not set(session.get("features") or ()) <= set(_FEATURES):
        raise ValueError(f"session.features: must be of {', '.join(_FEATURES)}")


def _check_integer(value: Any, name: str, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name}: must be an integer from {least} to {most}")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _encode_json(part: Mapping[str, Any]) -> str:
    return _encode(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
