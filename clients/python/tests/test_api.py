import json
import re
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rollcall_server import RollcallApi, RollcallError

PATHS = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())["paths"]
ROOM = "a/b ?교%"

ARGUMENTS = {
    "counts": [["a", 7]],
    "put": [ROOM, {"endAt": 1_900_000_000_000}],
    "patch": [ROOM, {"capacity": None}],
    "command_chat": [ROOM, "chat:slow", {"intervalMs": 1000}],
    "command_timer": [ROOM, "timer:start"],
    "kick": [ROOM, "kim/lee"],
    "notify": [ROOM, "Hello"],
    "snippet": [ROOM, 3],
    "close_snippet": [ROOM, 3],
    "sweep_by_path": ["token"],
    "list": [],
    "sweep": [],
}


class Service:
    """Answers requests as a test says, because no real server fails on demand: {status, headers, body}, or None to break
    off the connection."""

    def __init__(self):
        self.requests, self.answers, service = [], [], self

        class Handler(BaseHTTPRequestHandler):
            def respond(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = {"method": self.command, "path": self.path, "headers": self.headers}
                service.requests.append({**request, "body": json.loads(body) if body else None})
                answer = service.answers.pop(0) if service.answers else {"status": 200, "body": {}}
                if answer is None:
                    return self.connection.close()
                content = json.dumps(answer["body"]).encode() if "body" in answer else b""
                self.send_response(answer["status"])
                for name, value in answer.get("headers", {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST = respond

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def problem(status, code, **headers):
    headers = {"content-type": "application/problem+json", **headers}
    return {"status": status, "headers": headers, "body": {"title": "", "status": status, "detail": "", "code": code}}


class Api(unittest.TestCase):
    def setUp(self):
        self.service = Service()
        self.addCleanup(self.service.stop)
        self.api = RollcallApi(f"{self.service.url}/app/", "secret-token", timeout_s=5)

    def refused(self, call, code, status=None, is_uncertain=False):
        with self.assertRaises(RollcallError) as error:
            call()
        refusal = error.exception
        self.assertEqual((refusal.code, refusal.status, refusal.is_uncertain), (code, status, is_uncertain))

    def test_every_operation_of_the_description_can_be_called(self):
        for path, methods in PATHS.items():
            for method, operation in methods.items():
                name = operation["operationId"]
                getattr(self.api, name)(*ARGUMENTS.get(name, [ROOM]))
                request = self.service.requests[-1]
                pattern = re.sub(r"\{\w+\}", "[^/]+", path)
                self.assertRegex(request["path"].split("?")[0], f"^/app{pattern}$")
                self.assertEqual(request["method"], method.upper(), name)
                self.assertEqual(request["headers"]["authorization"], "Bearer secret-token")
                media_types = list(operation.get("requestBody", {}).get("content", {})) or [None]
                self.assertEqual([request["headers"]["content-type"]], media_types, name)

    def test_ids_are_percent_encoded_and_those_that_would_lead_elsewhere_are_not_sent(self):
        self.api.kick(ROOM, "kim/lee")
        self.assertEqual(self.service.requests[0]["path"], "/app/rooms/a%2Fb%20%3F%EA%B5%90%25/members/kim%2Flee")
        for id in (".", "..", "", "a\u200bb"):
            with self.assertRaises(ValueError):
                self.api.kick("algebra", id)
        with self.assertRaises(ValueError):
            self.api.counts(["a,b"])
        self.assertEqual(len(self.service.requests), 1)

    def test_the_revision_of_a_definition_comes_and_goes_with_it(self):
        self.service.answers = [
            {"status": 200, "headers": {"etag": '"3"'}, "body": {"endAt": 1}},
            {"status": 304, "headers": {"etag": '"3"'}},
        ]
        self.assertEqual(self.api.put("algebra", {"endAt": 1}, if_match='"2"'), ({"endAt": 1}, '"3"'))
        self.assertIsNone(self.api.get("algebra", if_none_match='"3"'))
        self.assertEqual(self.service.requests[0]["headers"]["if-match"], '"2"')

    def test_what_had_no_effect_is_tried_again(self):
        self.service.answers = [problem(429, "RATE_LIMITED"), problem(409, "CONFLICT")]
        self.api.notify("algebra", "Hello")
        self.assertEqual(len(self.service.requests), 3)
        self.service.answers = [problem(404, "NO_SUCH_ROOM")]
        self.refused(lambda: self.api.get("algebra"), "NO_SUCH_ROOM", 404)
        self.assertEqual(len(self.service.requests), 4)

    def test_what_may_have_had_its_effect_is_tried_again_only_if_that_does_no_harm(self):
        failures = [problem(503, "UNAVAILABLE"), {"status": 502, "body": "Bad gateway"}, None]
        self.service.answers = [*failures]
        self.api.attendance("algebra")
        self.service.answers = [None]
        self.api.command_timer("algebra", "timer:start")
        first, second = (request["body"]["id"] for request in self.service.requests[-2:])
        self.assertEqual(first, second)
        self.service.requests.clear()
        self.service.answers = [*failures, None]
        notify = lambda: self.api.notify("algebra", "Hello")  # noqa: E731
        self.refused(notify, "UNAVAILABLE", 503, True)
        self.refused(notify, "UNREADABLE", 502, True)
        self.refused(notify, "UNREACHABLE", None, True)
        self.refused(lambda: self.api.delete("algebra", if_match='"1"'), "UNREACHABLE", None, True)
        self.assertEqual(len(self.service.requests), 4)

    def test_a_longer_wait_than_the_time_that_is_left_is_not_waited_for(self):
        self.service.answers = [problem(503, "OVERLOADED", **{"retry-after": "60"})]
        self.refused(lambda: self.api.attendance("algebra"), "OVERLOADED", 503, True)

    def test_no_redirect_gets_the_token(self):
        self.service.answers = [{"status": 307, "headers": {"location": "/elsewhere"}}]
        self.refused(lambda: self.api.attendance("algebra"), "UNREADABLE", 307, True)
        self.assertEqual(len(self.service.requests), 1)

    def test_pages_follow_each_other_to_the_last_one(self):
        self.service.answers = [
            {"status": 200, "body": page}
            for page in (
                {"rooms": [{"id": 1}], "next": "a"},
                {"rooms": [{"id": 2}]},
                {"messages": [{"number": 4}], "more": True, "last": 5},
                {"messages": [{"number": 6}], "more": False, "last": 6},
            )
        ]
        self.assertEqual([room["id"] for room in self.api.each_room()], [1, 2])
        self.assertEqual([message["number"] for message in self.api.each_message("algebra")], [4, 6])
        self.assertEqual(self.service.requests[1]["path"], "/app/rooms?after=a")
        self.assertEqual(self.service.requests[3]["path"], "/app/rooms/algebra/messages?after=5&limit=100")
