"""Calls the HTTP API of Rollcall."""

import email.utils
import http.client
import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .ids import Id, check_id

Json = dict[str, Any]

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0

#: The service was busy with something else.
_WITHOUT_EFFECT = ("CONFLICT", "RATE_LIMITED", "TOO_MANY_FROM_ADDRESS")


class RollcallError(Exception):
    """A call had no success.

    ``code`` is one of Rollcall's codes, or ``TIMED_OUT``, ``UNREACHABLE`` or ``UNREADABLE`` (the response of something
    else, such as a proxy). ``status`` is the HTTP status, if a response came. ``is_uncertain`` says whether the call
    may have had its effect nevertheless.
    """

    def __init__(self, code: str, message: str, status: int | None, is_uncertain: bool):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.is_uncertain = is_uncertain


@dataclass
class _Response:
    status: int
    etag: str | None
    body: Any


@dataclass
class _Failure:
    code: str
    message: str
    status: int | None
    is_without_effect: bool
    is_temporary: bool
    retry_after_s: float = 0.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """No route of Rollcall redirects, and the token is for nobody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class RollcallApi:
    """Each method is one operation, and raises ``RollcallError``. Ids that Rollcall would refuse raise ``ValueError``.

    A call that failed for a moment is tried again, for at most ``timeout_s``, if that is safe: unless an attempt may have
    had its effect and a second effect would matter, as of a notice, or of a change with conditions. ``if_match`` and
    ``if_none_match`` are such conditions. Definitions come as pairs of the definition and its ``ETag``.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 15.0, attempt_timeout_s: float = 5.0):
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("url: must begin with https:// or http://")
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._attempt_timeout_s = attempt_timeout_s
        self._opener = urllib.request.build_opener(_NoRedirects)

    def list(self, *, limit: int | None = None, after: str | None = None) -> Json:
        """Lists live rooms, a page at a time."""
        return self._call("GET", "/rooms", query={"limit": limit, "after": after}).body

    def each_room(self) -> Iterator[Json]:
        """Lists all live rooms."""
        return _each(self.list, "rooms")

    def counts(self, ids: Iterable[Id]) -> Json:
        """Counts the members of up to 100 rooms."""
        ids = [*ids]
        for id in ids:
            check_id(id, "ids")
            if "," in str(id):
                raise ValueError("ids: an id with a comma cannot be asked for")
        return self._call("GET", "/rooms/counts", query={"ids": ",".join(map(str, ids))}).body

    def get(
        self, id: Id, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> tuple[Json, str] | None:
        """Reads a definition. Returns ``None`` if ``if_none_match`` names its revision."""
        response = self._call("GET", _room(id), headers=_conditions(if_match, if_none_match))
        return None if response.status == 304 else (response.body, response.etag)

    def put(
        self, id: Id, definition: Json, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> tuple[Json, str]:
        """Sets a definition, which a live session adopts at once."""
        response = self._change("PUT", id, if_match, if_none_match, "application/json", definition)
        return response.body, response.etag

    def patch(
        self, id: Id, patch: Json, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> tuple[Json, str]:
        """Changes the fields of a definition that the patch names. ``None`` removes a field."""
        response = self._change("PATCH", id, if_match, if_none_match, "application/merge-patch+json", patch)
        return response.body, response.etag

    def delete(self, id: Id, *, if_match: str | None = None, if_none_match: str | None = None) -> None:
        """Deletes a definition and ends its session."""
        self._change("DELETE", id, if_match, if_none_match)

    def end(self, id: Id) -> None:
        """Ends the session now, and keeps the definition with that end."""
        self._call("POST", f"{_room(id)}/end")

    def members(self, id: Id, *, limit: int | None = None, after: str | None = None) -> Json:
        """Reads the state of a live room with a page of its members."""
        return self._call("GET", f"{_room(id)}/members", query={"limit": limit, "after": after}).body

    def each_member(self, id: Id) -> Iterator[Json]:
        """Lists all members of a live room."""
        return _each(lambda after: self.members(id, after=after), "members")

    def kick(self, id: Id, user: Id) -> None:
        """Removes a member. The user may enter again if the definition allows it."""
        self._call("DELETE", f"{_room(id)}/members/{_segment(user, 'user')}")

    def notify(self, id: Id, text: str) -> None:
        """Sends a notice to all members: plain text of 1 to 2000 characters."""
        self._call("POST", f"{_room(id)}/notices", body={"text": text}, is_repeatable=False)

    def command_timer(self, id: Id, command: str, data: Json | None = None, *, command_id: str | None = None) -> Json:
        """Changes the timer, as in ``command_timer("algebra", "timer:set", {"mode": "pomodoro"})``."""
        return self._call("POST", f"{_room(id)}/timer", body=_command(command, data, command_id)).body

    def command_chat(self, id: Id, command: str, data: Json, *, command_id: str | None = None) -> Json:
        """Moderates the chat, as in ``command_chat("algebra", "chat:slow", {"intervalMs": 5000})``."""
        return self._call("POST", f"{_room(id)}/chat", body=_command(command, data, command_id)).body

    def history(
        self, id: Id, *, before: int | None = None, after: int | None = None, limit: int | None = None
    ) -> Json:
        """Reads messages: the latest, or those next to a number."""
        query = {"before": before, "after": after, "limit": limit}
        return self._call("GET", f"{_room(id)}/messages", query=query).body

    def each_message(self, id: Id, *, after: int = 0) -> Iterator[Json]:
        """Lists all messages, or those after a number, oldest first."""
        more = True
        while more:
            page = self.history(id, after=after, limit=100)
            yield from page["messages"]
            after, more = page.get("last", after), page["more"]

    def snippets(self, id: Id) -> Json:
        """Lists the snippets of code, without their texts."""
        return self._call("GET", f"{_room(id)}/snippets").body

    def snippet(self, id: Id, number: int) -> Json:
        """Reads a snippet and its text."""
        return self._call("GET", f"{_room(id)}/snippets/{int(number)}").body

    def close_snippet(self, id: Id, number: int) -> None:
        """Closes a snippet of a live room."""
        self._call("DELETE", f"{_room(id)}/snippets/{int(number)}")

    def attendance(self, id: Id) -> Json:
        """Reads the attendance."""
        return self._call("GET", f"{_room(id)}/attendance").body

    def sweep(self) -> Json:
        """Settles what is due, with a token for sweeps."""
        return self._call("POST", "/sweep").body

    def sweep_by_path(self, token: str) -> Json:
        """Settles what is due, with a token in the path."""
        return self._call("GET", f"/sweep/{_segment(token, 'token')}").body

    def _change(
        self,
        method: str,
        id: Id,
        if_match: str | None,
        if_none_match: str | None,
        media_type: str | None = None,
        body: Json | None = None,
    ) -> _Response:
        headers = _conditions(if_match, if_none_match)
        # After an attempt that had its effect, the same conditions fail.
        return self._call(
            method, _room(id), headers=headers, body=body, media_type=media_type, is_repeatable=not headers
        )

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Json | None = None,
        media_type: str | None = "application/json",
        is_repeatable: bool = True,
    ) -> _Response:
        search = urlencode({name: value for name, value in (query or {}).items() if value is not None})
        request = urllib.request.Request(self._url + path + (f"?{search}" if search else ""), method=method)
        for name, value in {"authorization": f"Bearer {self._token}", **(headers or {})}.items():
            request.add_header(name, value)
        if body is not None and media_type:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", media_type)
        until = time.monotonic() + self._timeout_s
        attempts, was_uncertain = 0, False
        while True:
            attempts += 1
            limit_s = max(0.001, min(self._attempt_timeout_s, until - time.monotonic()))
            outcome = self._attempt(request, limit_s)
            if isinstance(outcome, _Response):
                return outcome
            was_uncertain |= not outcome.is_without_effect
            pause_s = _pause_after(outcome, attempts)
            is_safe = outcome.is_without_effect or is_repeatable
            if not is_safe or not outcome.is_temporary or time.monotonic() + pause_s >= until:
                raise RollcallError(outcome.code, outcome.message, outcome.status, was_uncertain)
            time.sleep(pause_s)

    def _attempt(self, request: urllib.request.Request, limit_s: float) -> _Response | _Failure:
        try:
            try:
                with self._opener.open(request, timeout=limit_s) as response:
                    return _read(response.status, response.headers, response.read())
            except urllib.error.HTTPError as response:
                with response:
                    return _read(response.code, response.headers, response.read())
        except TimeoutError:
            return _Failure("TIMED_OUT", "no response came in time", None, False, True)
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                return _Failure("TIMED_OUT", "no response came in time", None, False, True)
            is_unsent = isinstance(error.reason, ConnectionRefusedError)
            return _Failure("UNREACHABLE", str(error.reason), None, is_unsent, True)
        except (OSError, http.client.HTTPException) as error:
            return _Failure("UNREACHABLE", str(error) or "the connection broke", None, False, True)


def _read(status: int, headers: Mapping[str, str], content: bytes) -> _Response | _Failure:
    retry_after_s = _read_retry_after(headers.get("retry-after", ""))
    is_refusal = headers.get("content-type", "").startswith("application/problem+json")
    try:
        body = json.loads(content) if content else None
        if is_refusal:
            # What is unavailable may have become so after the effect.
            is_without_effect = status != 503
            is_temporary = body["code"] in _WITHOUT_EFFECT or status == 503
            return _Failure(body["code"], body["detail"], status, is_without_effect, is_temporary, retry_after_s)
        if 200 <= status < 300 or status == 304:
            return _Response(status, headers.get("etag"), body)
    except (ValueError, KeyError, TypeError):
        pass
    message = f"the response with the status {status} is not Rollcall's"
    return _Failure("UNREADABLE", message, status, status == 429, status == 429 or status >= 500, retry_after_s)


def _read_retry_after(text: str) -> float:
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _pause_after(failure: _Failure, attempts: int) -> float:
    """Doubles, with jitter, because many callers fail at once."""
    longest_s = min(_FIRST_PAUSE_S * 2 ** (attempts - 1), _LONGEST_PAUSE_S)
    return max(failure.retry_after_s, longest_s / 2) + random.random() * longest_s / 2


def _each(read: Callable[..., Json], name: str) -> Iterator[Json]:
    after = None
    while True:
        page = read(after=after)
        yield from page.get(name) or ()
        after = page.get("next")
        if after is None:
            return


def _command(command: str, data: Json | None, command_id: str | None) -> Json:
    """A command with an id has no second effect."""
    return {"command": command, "data": data or {}, "id": command_id or str(uuid.uuid4())}


def _conditions(if_match: str | None, if_none_match: str | None) -> dict[str, str]:
    conditions = {"if-match": if_match, "if-none-match": if_none_match}
    return {name: value for name, value in conditions.items() if value is not None}


def _room(id: Id) -> str:
    return f"/rooms/{_segment(id, 'id')}"


def _segment(id: Id, name: str) -> str:
    """URLs resolve ``.`` and ``..``, percent-encoded too, so that another path would be called."""
    check_id(id, name)
    if id in (".", ".."):
        raise ValueError(f"{name}: cannot be named in a URL")
    return quote(str(id), safe="")
