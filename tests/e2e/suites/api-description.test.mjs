import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { OPERATOR_TOKEN } from '../harness/bridge.mjs';
import { Child } from '../harness/child.mjs';
import { Harness } from '../harness/harness.mjs';
import { pythonTool } from '../harness/python.mjs';

/** A fixed seed makes runs repeatable; another seed finds other cases. */
const SEED = process.env.ROLLCALL_API_SEED ?? '1';
const EXAMPLES = process.env.ROLLCALL_API_EXAMPLES ?? '40';

/** No response may be a 5xx or differ from the description. */
const CHECKS = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance';

describe('the description of the API', { timeout: 900_000 }, () => {
  let harness;
  before(async () => {
    harness = await Harness.start({ variables: { SPIN_VARIABLE_SWEEP_TOKENS: OPERATOR_TOKEN } });
    const lea = await harness.socketIo('lea');
    await lea.enter(await harness.room());
  });
  after(() => harness?.stop());

  test('anybody can read it, and it is a valid OpenAPI 3.1 document', async () => {
    const response = await fetch(`${harness.appUrl}/openapi.json`);
    assert.equal(response.status, 200);
    const text = await response.text();
    assert.match(JSON.parse(text).openapi, /^3\.1\./);
    const file = join(harness.redis.directory, 'openapi.json');
    await writeFile(file, text);
    const run = new Child(pythonTool('openapi-spec-validator'), [file]);
    assert.equal((await run.ended).code, 0, run.lines.join('\n'));
  });

  test('no generated request gets a 5xx or a response other than described', async (t) => {
    const run = new Child(
      pythonTool('schemathesis'),
      [
        'run',
        `${harness.appUrl}/openapi.json`,
        '--header',
        `Authorization: Bearer ${OPERATOR_TOKEN}`,
        '--checks',
        CHECKS,
        '--max-examples',
        EXAMPLES,
        '--seed',
        SEED,
        '--request-timeout',
        '10',
        '--no-color',
      ],
      { cwd: harness.redis.directory },
    );
    const { code } = await run.ended;
    assert.equal(code, 0, run.lines.join('\n'));
    t.diagnostic(
      run.lines
        .filter((line) => /generated/.test(line))
        .join(' ')
        .trim(),
    );
    assert.ok(await harness.bridges[0].isHealthy());
  });
});
