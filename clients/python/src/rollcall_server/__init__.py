"""What the server of a study platform needs of Rollcall. Standard library alone.

- ``tokens`` signs the tokens of users, and ``ids`` checks what Rollcall would refuse.
- ``chat_hook`` verifies that Rollcall asks about a message, and answers.
- ``api`` calls the HTTP API.
"""

from .api import RollcallApi, RollcallError
from .chat_hook import ChatHook, WebhookError, allow, change, refuse
from .ids import check_id
from .tokens import TokenSigner

__all__ = [
    "ChatHook",
    "RollcallApi",
    "RollcallError",
    "TokenSigner",
    "WebhookError",
    "allow",
    "change",
    "check_id",
    "refuse",
]
