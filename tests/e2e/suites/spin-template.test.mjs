import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Child } from '../harness/child.mjs';
import { Harness } from '../harness/harness.mjs';
import { pythonTool } from '../harness/python.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TEMPLATE = join(ROOT, 'templates/rollcall');

/** Fields of a template and of a parameter that Spin reads. It refuses all others. */
const FIELDS = ['manifest_version', 'id', 'description', 'tags', 'new_application', 'add_component', 'parameters'];
const PARAMETER_FIELDS = ['type', 'prompt', 'default', 'pattern', 'allowed_values'];

/** Values as somebody gives them to `spin new`. */
const VALUES = {
  'project-name': 'Study rooms',
  'project-name | kebab_case': 'study-rooms',
  rollcall: ROOT.slice(0, -1),
};

/** Does what Liquid does with the few things that the template uses, and fails at all others. */
function fill(text) {
  const parts = text.split(/\{% (raw|endraw) %\}/);
  let isRaw = false;
  return parts
    .map((part, index) => {
      if (index % 2 === 1) {
        assert.notEqual(isRaw, part === 'raw', 'raw parts are not nested');
        isRaw = part === 'raw';
        return '';
      }
      if (isRaw) return part;
      const filled = part.replace(
        /\{\{([^{}]+)\}\}/g,
        (_, name) => VALUES[name] ?? assert.fail(`no value for ${name}`),
      );
      assert.ok(!/\{[{%]/.test(filled), filled);
      return filled;
    })
    .join('');
}

describe('the template for spin new', { timeout: 900_000 }, () => {
  let [folder, harness] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rollcall-template-'));
    for (const name of await readdir(join(TEMPLATE, 'content'))) {
      await writeFile(join(folder, name), fill(await readFile(join(TEMPLATE, 'content', name), 'utf8')));
    }
  });
  after(async () => {
    await harness?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Reads a file of TOML. */
  async function readToml(file) {
    const program = 'import json, sys, tomllib; print(json.dumps(tomllib.load(open(sys.argv[1], "rb"))))';
    return JSON.parse(await new Child(pythonTool('python'), ['-c', program, file]).line(/^\{.*\}$/));
  }

  test('it has the fields that Spin reads, and every parameter has a default that fits', async () => {
    const manifest = await readToml(join(TEMPLATE, 'metadata/spin-template.toml'));
    assert.deepEqual([manifest.manifest_version, manifest.id], ['1', 'rollcall']);
    for (const field of Object.keys(manifest)) assert.ok(FIELDS.includes(field), field);
    for (const [name, parameter] of Object.entries(manifest.parameters)) {
      for (const field of Object.keys(parameter)) assert.ok(PARAMETER_FIELDS.includes(field), `${name}: ${field}`);
      assert.match(parameter.default, new RegExp(parameter.pattern));
      assert.match(VALUES[name], new RegExp(parameter.pattern));
    }
  });

  test('an app made of it is the same app, from the folder of Rollcall', async () => {
    const made = await readToml(join(folder, 'spin.toml'));
    const own = await readToml(join(ROOT, 'spin.toml'));
    assert.equal(made.application.name, 'study-rooms');
    for (const [name, { build, source, ...component }] of Object.entries(own.component)) {
      assert.ok(build);
      assert.deepEqual(made.component[name], { ...component, source: join(ROOT, source) }, name);
    }
    assert.deepEqual([made.trigger, made.variables], [own.trigger, own.variables]);
  });

  test('users enter rooms of an app made of it', async () => {
    harness = await Harness.start({ manifest: join(folder, 'spin.toml') });
    const room = await harness.room();
    const [lea, kim] = [await harness.socketIo('lea'), await harness.webSocket('kim')];
    await lea.enter(room);
    assert.equal((await kim.enter(room)).count, 2);
  });
});
