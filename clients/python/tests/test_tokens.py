import base64
import hashlib
import hmac
import json
import secrets
import time
import unittest

from rollcall_server import TokenSigner, check_id

SECRET = secrets.token_bytes(64)


def shared_key(alg, length=64, **others):
    k = base64.urlsafe_b64encode(SECRET[:length]).rstrip(b"=").decode()
    return {"kty": "oct", "alg": alg, "k": k, **others}


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims_of(token):
    return json.loads(decode(token.split(".")[1]))


class Tokens(unittest.TestCase):
    def test_a_token_holds_the_claims_of_its_user_and_what_the_signer_adds(self):
        before = int(time.time())
        signer = TokenSigner(shared_key("HS256", kid="a"), issuer="study", audience=["rollcall", "chat"])
        session = {"room": 12, "endAt": 1_900_000_000_000, "leaderId": 8, "features": ["chat"]}
        token = signer.sign(7, username="Kim 교실", user_role=2, session=session, expires_in_s=60)
        self.assertEqual(json.loads(decode(token.split(".")[0])), {"alg": "HS256", "typ": "JWT", "kid": "a"})
        claims = claims_of(token)
        iat, exp = claims.pop("iat"), claims.pop("exp")
        self.assertTrue(iat >= before and exp == iat + 60)
        user = {"userId": 7, "username": "Kim 교실", "userRole": 2, "rollcall": session}
        self.assertEqual(claims, {**user, "iss": "study", "aud": ["rollcall", "chat"]})

    def test_a_token_lasts_an_hour_unless_the_platform_says_otherwise_and_may_begin_later(self):
        signer, later = TokenSigner(shared_key("HS256")), time.time() + 60.5
        claims = claims_of(signer.sign("kim"))
        self.assertEqual(claims["exp"] - claims["iat"], 3600)
        self.assertEqual(claims_of(signer.sign("kim", not_before=later))["nbf"], int(later))

    def test_each_shared_algorithm_signs_and_demands_its_length(self):
        for alg, hash_, length in (
            ("HS256", hashlib.sha256, 32),
            ("HS384", hashlib.sha384, 48),
            ("HS512", hashlib.sha512, 64),
        ):
            token = TokenSigner(shared_key(alg, length)).sign("kim")
            signed, signature = token.rsplit(".", 1)
            self.assertEqual(decode(signature), hmac.digest(SECRET[:length], signed.encode(), hash_))
            with self.assertRaisesRegex(ValueError, "at least"):
                TokenSigner(shared_key(alg, length - 1))

    def test_keys_that_rollcall_cannot_use_are_refused_and_errors_hold_nothing_of_them(self):
        key = shared_key("HS256")
        for bad in ({}, {**key, "kty": "RSA"}, {**key, "alg": "none"}, {**key, "k": "hunter2=="}, {**key, "k": 7}):
            with self.assertRaises(ValueError) as refused:
                TokenSigner(bad)
            self.assertNotIn("hunter2", str(refused.exception))

    def test_users_that_rollcall_would_refuse_get_no_token(self):
        sign = TokenSigner(shared_key("HS256")).sign
        session = {"room": "algebra", "endAt": 1_900_000_000_000}
        for named, arguments in (
            ("empty", {"user_id": ""}),
            ("string or an integer", {"user_id": True}),
            ("string or an integer", {"user_id": 1.5}),
            ("2\\^53", {"user_id": 2**53}),
            ("128 bytes", {"user_id": "é" * 65}),
            ("U\\+202E", {"user_id": "k\u202eim"}),
            ("U\\+E0041", {"user_id": "k\U000e0041im"}),
            ("U\\+D800", {"user_id": "k\ud800im"}),
            ("username", {"username": ["Kim"]}),
            ("username", {"username": "K\ud800"}),
            ("user_role", {"user_role": float("nan")}),
            ("session.room", {"session": {**session, "room": "a\u200bb"}}),
            ("session.endAt", {"session": {**session, "endAt": 1_900_000_000}}),
            ("session.leaderId", {"session": {**session, "leaderId": ""}}),
            ("session.capacity", {"session": {**session, "capacity": 0}}),
            ("session.duplicates", {"session": {**session, "duplicates": None}}),
            ("session.features", {"session": {**session, "features": ["video"]}}),
            ("expires_in_s", {"expires_in_s": 0}),
            ("expires_in_s", {"expires_in_s": float("nan")}),
            ("not_before", {"not_before": time.time() + 7200}),
            ("8192 bytes", {"username": "x" * 9000}),
        ):
            with self.subTest(arguments), self.assertRaisesRegex((TypeError, ValueError), named):
                sign(**{"user_id": "kim", **arguments})

    def test_ids_of_all_scripts_are_fine(self):
        for id in ("kim", "ä ö", "김", "علی", "e\u0301", "\u00a0", "👩🏽", 0, -7):
            check_id(id, "id")
