"""Ids of users and rooms, by Rollcall's rules."""

import re

#: The id of a user or of a room. A number and its text are the same id.
Id = str | int

MAX_ID_BYTES = 128
MAX_SAFE_INTEGER = 2**53 - 1

#: Characters that people cannot see, as of Unicode 16. The tables of Python may be those of an older Unicode.
_RANGES = """
    0-1f 7f-9f ad 34f 600-605 61c 6dd 70f 890-891 8e2 115f-1160 17b4-17b5 180b-180f 200b-200f 2028-202e 2060-206f
    3164 d800-f8ff fdd0-fdef fe00-fe0f feff ffa0 fff0-fffb fffe-ffff 110bd 110cd 13430-1343f 1bca0-1bca3 1d173-1d17a
    e0000-e0fff f0000-10ffff
"""


def _character_class() -> str:
    ranges = [*_RANGES.split(), *(f"{plane:x}fffe-{plane:x}ffff" for plane in range(1, 15))]
    bounds = [bounds.split("-") for bounds in ranges]
    return "".join(f"\\U{int(first, 16):08x}-\\U{int(last, 16):08x}" for first, *_, last in (b * 2 for b in bounds))


_HIDDEN = re.compile(f"[{_character_class()}]")


def check_id(id: Id, name: str) -> None:
    """Checks an id as Rollcall does. ``name`` says in the error what the id is.

    Raises ``TypeError`` for what is neither text nor an integer, and ``ValueError`` for what else Rollcall would refuse.
    """
    if isinstance(id, bool) or not isinstance(id, (str, int)):
        raise TypeError(f"{name}: must be a string or an integer")
    if isinstance(id, int):
        if abs(id) > MAX_SAFE_INTEGER:
            raise ValueError(f"{name}: a number must be an integer of up to 2^53 - 1")
        return
    if id == "":
        raise ValueError(f"{name}: an id must not be empty")
    if hidden := _HIDDEN.search(id):
        raise ValueError(f"{name}: an id must not contain U+{ord(hidden[0]):04X}, which people cannot see")
    if len(id.encode()) > MAX_ID_BYTES:
        raise ValueError(f"{name}: an id must not be longer than {MAX_ID_BYTES} bytes")
