"""Rollcall asks the platform about each message before members see it.

The calls are signed as the Standard Webhooks specification says.
"""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any, TypedDict

TOLERANCE_S = 300
MAX_CHARS = 2000
#: More than the longest question, whose every character may be escaped.
MAX_BODY_BYTES = 64 * 1024

_PREFIX = "whsec_"
_MIN_SECRET_BYTES = 24


class ChatQuestion(TypedDict):
    """A message that a member wants to send. ``webhookId`` is the same for a message that is sent again."""

    type: str
    roomId: str
    userId: str
    commandId: str
    text: str
    webhookId: str


class WebhookError(Exception):
    """A call that is not Rollcall's, is stale, or asks something else. ``status`` is that for the response."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def allow() -> dict[str, Any]:
    """The answer that members see the message as it is."""
    return {"allow": True}


def refuse(reason: str | None = None) -> dict[str, Any]:
    """The answer that the message is refused. The author learns the reason, if there is one."""
    return {"allow": False} if reason is None else {"allow": False, "reason": reason}


def change(text: str) -> dict[str, Any]:
    """The answer that members see this text instead. Raises ``ValueError`` for a text that is no message."""
    if text.strip() == "" or len(text) > MAX_CHARS:
        raise ValueError(f"text: must have 1 to {MAX_CHARS} characters")
    return {"allow": True, "text": text}


class ChatHook:
    """Verifies Rollcall's questions about messages. Answer with status 200 and the JSON of an answer."""

    def __init__(self, *secrets: str):
        """``secrets``: Rollcall's ``chat_hook_secret``, or several while it changes.

        Raises ``ValueError`` for what is no secret. The message holds nothing of it.
        """
        if not secrets:
            raise ValueError("secrets: at least one is needed")
        self._secrets = [_read_secret(secret) for secret in secrets]

    def verify(self, body: bytes, headers: Mapping[str, str]) -> ChatQuestion:
        """Returns the question. ``body`` is the body as it came, and the names of ``headers`` may have any case.

        Raises ``WebhookError``.
        """
        if len(body) > MAX_BODY_BYTES:
            raise WebhookError(413, "the body is too large")
        webhook_id = self._check_signature(body, {name.lower(): value for name, value in headers.items()})
        return {**_read_question(body), "webhookId": webhook_id}

    def _check_signature(self, body: bytes, headers: Mapping[str, str]) -> str:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        webhook_id, timestamp, signatures = (headers.get(name, "") for name in names)
        is_recent = re.fullmatch("[0-9]{1,15}", timestamp) and abs(time.time() - int(timestamp)) <= TOLERANCE_S
        if not is_recent or not webhook_id:
            raise WebhookError(401, "the time of the call is too far from now")
        signed = f"{webhook_id}.{timestamp}.".encode("latin-1", "replace") + body
        expected = [hmac.digest(secret, signed, "sha256") for secret in self._secrets]
        given = [signature for text in signatures.split(" ") for signature in _read_signature(text)]
        # Every pair is compared, so that the time tells nothing.
        if not any([hmac.compare_digest(one, other) for one in expected for other in given]):
            raise WebhookError(401, "the signature is not that of this call")
        return webhook_id


def _read_secret(secret: str) -> bytes:
    key = _decode(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else b""
    if len(key) < _MIN_SECRET_BYTES:
        raise ValueError("secret: must be `whsec_` and the Base64 of at least 24 bytes")
    return key


def _read_signature(text: str) -> list[bytes]:
    version, _, encoded = text.partition(",")
    signature = _decode(encoded) if version == "v1" else b""
    return [signature] if signature else []


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _read_question(body: bytes) -> dict[str, str]:
    try:
        read = json.loads(body.decode())
    except ValueError:
        raise WebhookError(400, "the body is not JSON") from None
    if not isinstance(read, dict) or read.get("type") != "chat.message":
        raise WebhookError(400, "the call asks about something that is not known")
    question = {name: read.get(name) for name in ("type", "roomId", "userId", "commandId", "text")}
    if not all(isinstance(field, str) for field in question.values()):
        raise WebhookError(400, "the question lacks something")
    return question
