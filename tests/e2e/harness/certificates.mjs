// Certificates for 127.0.0.1.

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { generate } from 'selfsigned';

/** A certificate and its key, as PEM. Without an authority, it is self-signed. */
export async function makeCertificate({ ca } = {}) {
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    ca,
  });
  return { cert, key };
}

/** The certificate of a private authority and its key, as PEM. */
export async function makeAuthority() {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'authority' }], {
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  return { cert, key };
}

/** The files from which a bridge reads a certificate and its key. */
export class CertificateFiles {
  static async create(pair) {
    const files = new CertificateFiles();
    files.folder = await mkdtemp(join(tmpdir(), 'rollcall-tls-'));
    [files.cert, files.key] = ['tls.crt', 'tls.key'].map((name) => join(files.folder, name));
    await files.put(pair);
    return files;
  }

  get flags() {
    return ['--tls-cert', this.cert, '--tls-key', this.key];
  }

  /** Replaces the certificate, the key, or both. */
  async put({ cert, key }) {
    for (const [file, text] of [
      [this.cert, cert],
      [this.key, key],
    ]) {
      if (text === undefined) continue;
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    }
  }

  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }
}
