"""A study service in Python: python service.py <url of the app> <port for the question about messages> <room>

Defines the room, prints the results of calls and a token for kim as a line of JSON, and answers questions about messages.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import time

from rollcall_server import ChatHook, RollcallApi, RollcallError, TokenSigner, WebhookError, allow, change, refuse

url, port, room = sys.argv[1:]
[key] = json.loads(os.environ["JWT_KEYS"])["keys"]
hook = ChatHook(os.environ["HOOK_SECRET"])
api = RollcallApi(url, os.environ["OPERATOR_TOKEN"])


def answer(text):
    if "rude" in text:
        return refuse("Be kind.")
    return change(text.replace("darn", "****")) if "darn" in text else allow()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            status, content = 200, answer(hook.verify(body, self.headers)["text"])
        except WebhookError as error:
            status, content = error.status, {"error": str(error)}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


definition, etag = api.put(room, {"endAt": int(time() * 1000) + 3_600_000}, if_none_match="*")
try:
    api.put(room, definition, if_none_match="*")
except RollcallError as error:
    refusal = [error.code, error.status, error.is_uncertain]
server = HTTPServer(("127.0.0.1", int(port)), Handler)
made = {
    "definition": definition,
    "isUnmodified": api.get(room, if_none_match=etag) is None,
    "refusal": refusal,
    "token": TokenSigner(key).sign("kim", username="Kim", user_role="tutor"),
}
print(json.dumps(made), flush=True)
server.serve_forever()
