import base64
import hmac
import json
import time
import unittest

from rollcall_server import ChatHook, WebhookError, allow, change, refuse

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
OTHER = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
QUESTION = {"type": "chat.message", "roomId": "교실", "userId": "7", "commandId": "c-1", "text": "Hello"}


def call(body=json.dumps(QUESTION).encode(), timestamp=None, secret=SECRET):
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"call-1.{timestamp}.".encode() + body, "sha256")).decode()
    return body, {"Webhook-Id": "call-1", "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


class Questions(unittest.TestCase):
    def refused(self, body, headers, status, hook=ChatHook(SECRET)):
        with self.assertRaises(WebhookError) as error:
            hook.verify(body, headers)
        self.assertEqual(error.exception.status, status)

    def test_a_signed_question_is_read(self):
        self.assertEqual(ChatHook(SECRET).verify(*call()), {**QUESTION, "webhookId": "call-1"})

    def test_any_of_several_secrets_and_of_several_signatures_will_do(self):
        body, headers = call()
        self.assertEqual(ChatHook(OTHER, SECRET).verify(body, headers)["text"], "Hello")
        self.refused(body, headers, 401, ChatHook(OTHER))
        several = f"v1,{base64.b64encode(bytes(32)).decode()} v1a,x v1 {headers['webhook-signature']}"
        self.assertEqual(ChatHook(SECRET).verify(body, {**headers, "webhook-signature": several})["text"], "Hello")

    def test_unsigned_altered_and_stale_calls_are_refused(self):
        body, headers = call()
        for name in headers:
            self.refused(body, {other: value for other, value in headers.items() if other != name}, 401)
            self.refused(body, {**headers, name: headers[name] + "0"}, 401)
        self.refused(body.replace(b"Hello", b"Hullo"), headers, 401)
        for timestamp in (time.time() - 302, time.time() + 302):
            self.refused(*call(timestamp=int(timestamp)), 401)
        for timestamp in ("", "1e9", " 7", "²", "9" * 30):
            self.refused(*call(timestamp=timestamp), 401)
        self.assertEqual(ChatHook(SECRET).verify(*call(timestamp=int(time.time()) - 295))["text"], "Hello")

    def test_a_signed_call_that_is_no_question_is_refused(self):
        for body in (b"", b"{", b"null", b"[]", b"\xff", b'{"type":"chat.edit"}', b'{"type":"chat.message"}'):
            self.refused(*call(body), 400)
        self.refused(*call(b" " * (64 * 1024 + 1)), 413)

    def test_weak_secrets_are_refused(self):
        for secrets in ((), ("",), ("whsec_c2hvcnQ=",), (SECRET.removeprefix("whsec_"),), (SECRET + "%",)):
            with self.assertRaises(ValueError):
                ChatHook(*secrets)

    def test_an_answer_is_what_rollcall_takes(self):
        self.assertEqual(allow(), {"allow": True})
        self.assertEqual(change("H****"), {"allow": True, "text": "H****"})
        self.assertEqual(refuse(), {"allow": False})
        self.assertEqual(refuse("Be kind."), {"allow": False, "reason": "Be kind."})
        for text in ("", " \n", "x" * 2001):
            with self.assertRaises(ValueError):
                change(text)
