import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { test } from 'node:test';

import { checkId, TokenSigner } from '../dist/index.js';

const HOUR_S = 3600;
const SECRET = randomBytes(64);
const shared = (alg, bytes = 64) => ({ kty: 'oct', alg, k: SECRET.subarray(0, bytes).toString('base64url') });
const signer = (options) => new TokenSigner({ key: shared('HS256'), ...options });

function read(token) {
  const [header, claims, signature] = token.split('.');
  const parse = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  return {
    header: parse(header),
    claims: parse(claims),
    signed: Buffer.from(`${header}.${claims}`),
    signature: Buffer.from(signature, 'base64url'),
  };
}

const refused = (run, message) =>
  assert.throws(run, (error) => {
    assert.ok(error instanceof TypeError);
    assert.match(error.message, message);
    return true;
  });

test('a token holds the claims of its user and what the signer adds', () => {
  const before = Math.floor(Date.now() / 1000);
  const rollcall = { room: 12, endAt: 1_900_000_000_000, leaderId: 8, features: ['chat'] };
  const user = { userId: 7, username: 'Kim', userRole: 2, rollcall };
  const options = { issuer: 'https://study.example', audience: ['rollcall', 'chat'], kid: 'a' };
  const { header, claims } = read(signer(options).sign({ ...user, password: 'hidden' }, { expiresInS: 60 }));
  assert.deepEqual(header, { alg: 'HS256', typ: 'JWT', kid: 'a' });
  const { iat, exp, ...others } = claims;
  assert.deepEqual(others, { ...user, iss: 'https://study.example', aud: ['rollcall', 'chat'] });
  assert.ok(iat >= before && exp === iat + 60);
});

test('a token lasts an hour unless the platform says otherwise, and may begin later', () => {
  const { claims } = read(signer().sign({ userId: 'kim' }));
  assert.equal(claims.exp - claims.iat, HOUR_S);
  const notBefore = new Date(Date.now() + 60_000);
  const later = read(signer().sign({ userId: 'kim' }, { notBefore })).claims;
  assert.equal(later.nbf, Math.floor(notBefore.getTime() / 1000));
});

for (const [alg, hash, bytes] of [
  ['HS256', 'sha256', 32],
  ['HS384', 'sha384', 48],
  ['HS512', 'sha512', 64],
]) {
  test(`a shared key signs with ${alg} and is not too short`, () => {
    const key = shared(alg, bytes);
    const { header, signed, signature } = read(signer({ key }).sign({ userId: 'kim' }));
    assert.equal(header.alg, alg);
    assert.deepEqual(signature, createHmac(hash, SECRET.subarray(0, bytes)).update(signed).digest());
    refused(() => signer({ key: shared(alg, bytes - 1) }), /at least/);
    refused(() => signer({ key }).publicKeys, /must not be published/);
  });
}

for (const [alg, type, options, hash] of [
  ['RS256', 'rsa', { modulusLength: 2048 }, 'sha256'],
  ['ES256', 'ec', { namedCurve: 'P-256' }, 'sha256'],
  ['EdDSA', 'ed25519', {}, null],
]) {
  test(`a private key signs with ${alg}, as JWK and as PEM`, () => {
    const { privateKey } = generateKeyPairSync(type, options);
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'a' };
    for (const key of [jwk, privateKey.export({ format: 'pem', type: 'pkcs8' })]) {
      const signer = new TokenSigner({ key, kid: 'a' });
      const { header, signed, signature } = read(signer.sign({ userId: 'kim' }));
      const [published] = signer.publicKeys.keys;
      assert.deepEqual([header.alg, header.kid, published.alg, published.kid], [alg, 'a', alg, 'a']);
      assert.equal(published.d, undefined, 'the private part stays private');
      const publicKey = createPublicKey({ key: published, format: 'jwk' });
      assert.ok(verify(hash, signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature));
    }
    refused(() => new TokenSigner({ key: { ...jwk, alg: 'HS256' } }), /and not HS256/);
  });
}

test('keys that Rollcall cannot use are refused, and errors hold nothing of them', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const publicKey = generateKeyPairSync('ed25519').publicKey;
  for (const [key, message] of [
    [weak.export({ format: 'pem', type: 'pkcs8' }), /2048 to 4096 bits/],
    [curve.export({ format: 'jwk' }), /P-256/],
    [publicKey.export({ format: 'jwk' }), /neither/],
    ['hunter2', /neither/],
    [{ kty: 'oct', k: SECRET.toString('base64url') }, /"alg"/],
    [{ ...shared('HS256'), alg: 'none' }, /"alg"/],
    [{ ...shared('HS256'), k: `${shared('HS256').k}==` }, /Base64url/],
  ]) {
    assert.throws(
      () => new TokenSigner({ key }),
      ({ message: text, cause }) => message.test(text) && !/hunter2/.test(text) && cause === undefined,
    );
  }
});

test('users that Rollcall would refuse get no token', () => {
  const session = { room: 'algebra', endAt: 1_900_000_000_000 };
  for (const [user, message] of [
    [{}, /userId/],
    [{ userId: '' }, /empty/],
    [{ userId: 1.5 }, /integer/],
    [{ userId: 2 ** 53 }, /2\^53/],
    [{ userId: 7n }, /string or an integer/],
    [{ userId: 'é'.repeat(65) }, /128 bytes/],
    [{ userId: 'k\u202eim' }, /U\+202E/],
    [{ userId: 'k\u{e0041}im' }, /U\+E0041/],
    [{ userId: 'k\ud800im' }, /U\+D800/],
    [{ userId: 'kim', username: ['Kim'] }, /username/],
    [{ userId: 'kim', username: 'K\ud800' }, /username/],
    [{ userId: 'kim', userRole: Number.NaN }, /userRole/],
    [{ userId: 'kim', rollcall: { ...session, room: 'a\u200bb' } }, /rollcall.room/],
    [{ userId: 'kim', rollcall: { ...session, endAt: 1_900_000_000 } }, /rollcall.endAt/],
    [{ userId: 'kim', rollcall: { ...session, leaderId: '' } }, /rollcall.leaderId/],
    [{ userId: 'kim', rollcall: { ...session, capacity: 0 } }, /rollcall.capacity/],
    [{ userId: 'kim', rollcall: { ...session, duplicates: null } }, /rollcall.duplicates/],
    [{ userId: 'kim', rollcall: { ...session, timerBy: 'all' } }, /rollcall.timerBy/],
    [{ userId: 'kim', rollcall: { ...session, features: ['video'] } }, /rollcall.features/],
    [{ userId: 'kim', username: 'x'.repeat(9000) }, /8192 bytes/],
  ]) {
    refused(() => signer().sign(user), message);
  }
});

test('times that Rollcall would refuse are refused', () => {
  for (const expiresInS of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    refused(() => signer().sign({ userId: 'kim' }, { expiresInS }), /expiresInS/);
  }
  const notBefore = new Date(Date.now() + 2 * HOUR_S * 1000);
  refused(() => signer().sign({ userId: 'kim' }, { notBefore }), /notBefore/);
  refused(() => signer().sign({ userId: 'kim' }, { notBefore: new Date(Number.NaN) }), /notBefore/);
});

test('issuer and audience are texts', () => {
  refused(() => signer({ issuer: '' }), /issuer/);
  refused(() => signer({ audience: ['rollcall', 7] }), /audience/);
});

test('ids of all scripts are fine', () => {
  for (const id of ['kim', 'ä ö', '김', 'علی', 'e\u0301', '\u00a0', '👩🏽', '.', 0, -7]) checkId(id, 'id');
});
