import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Image, readStages } from '../harness/images.mjs';
import { reserveAddress } from '../harness/ports.mjs';
import { pythonTool } from '../harness/python.mjs';
import { Redis } from '../harness/redis.mjs';
import { until } from '../harness/wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BINARY = process.env.ROLLCALL_BINARY ?? `${ROOT}target/debug/rollcall`;
const COMPOSE = 'deploy/compose/compose.yaml';
const KUBERNETES = 'deploy/kubernetes/';
const MONITORING = 'deploy/monitoring/';
const WORKFLOW = '.github/workflows/release.yml';
const SECRET = `${KUBERNETES}secret.example.yaml`;
/** Not of Kubernetes itself, which has no schema for it. */
const FOREIGN = /kustomization\.yaml$|spinkube\/app\.yaml$|prometheus-adapter\.yaml$|pod-monitor\.yaml$/;

/** What a bridge does after --drain-ms: ten seconds for disconnects, two for the last heartbeat and two for traces. */
const STOP_SECONDS = 14;

const run = promisify(execFile);

/** Fails with the output of a tool that finds a mistake. */
async function check(tool, ...args) {
  const outcome = await run(pythonTool(tool), args, { cwd: ROOT }).catch((error) => error);
  assert.equal(outcome.code ?? 0, 0, `${tool} ${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`);
}

const READ_YAML =
  'import json, sys, yaml; print(json.dumps({f: list(yaml.safe_load_all(open(f))) for f in sys.argv[1:]}))';

describe('the files of deploy/', { timeout: 900_000 }, () => {
  /** The documents of each YAML file. */
  let files = {};
  let kubernetes = [];
  let compose;
  let secrets = {};
  const cleanUp = [];

  before(async () => {
    const entries = await readdir(join(ROOT, KUBERNETES), { recursive: true });
    kubernetes = entries.filter((file) => file.endsWith('.yaml')).map((file) => KUBERNETES + file);
    const read = await run(pythonTool('python'), ['-c', READ_YAML, COMPOSE, ...kubernetes], { cwd: ROOT });
    files = JSON.parse(read.stdout);
    compose = files[COMPOSE][0];
    const folder = await mkdtemp(join(tmpdir(), 'rollcall-secrets-'));
    cleanUp.push(() => rm(folder, { recursive: true }));
    const file = join(folder, '.env');
    await run(join(ROOT, 'deploy/compose/make-secrets'), [file]);
    const text = await readFile(file, 'utf8');
    secrets = Object.fromEntries([...text.matchAll(/^(\w+)='?(.*?)'?$/gm)].map(([, name, value]) => [name, value]));
    await run(join(ROOT, 'deploy/compose/make-secrets'), [file]);
    assert.equal(await readFile(file, 'utf8'), text, 'secrets are made once');
  });
  after(async () => {
    for (const clean of cleanUp.reverse()) await clean();
  });

  const documents = () => kubernetes.flatMap((file) => files[file]);
  const named = (kind, name) => documents().find((each) => each.kind === kind && each.metadata.name === name);
  const containerOf = (name) => named('Deployment', name).spec.template.spec.containers[0];

  test('the checkers of images, Compose, Kubernetes and workflows find no mistake', async () => {
    await Promise.all([
      check('hadolint', 'deploy/Containerfile'),
      check('check-jsonschema', '--builtin-schema', 'vendor.compose-spec', COMPOSE),
      check('check-jsonschema', '--builtin-schema', 'vendor.github-workflows', WORKFLOW),
      check('zizmor', '--offline', '--quiet', WORKFLOW),
      check('kubernetes-validate', '--strict', '--quiet', ...kubernetes.filter((file) => !FOREIGN.test(file))),
    ]);
  });

  test('images run as another user than root, and begin with a pinned base', async () => {
    const stages = await readStages();
    for (const name of ['bridge', 'app']) {
      assert.ok(
        stages[name].some(([instruction, rest]) => instruction === 'USER' && rest === '65532:65532'),
        name,
      );
      assert.ok(!stages[name].some(([instruction]) => ['RUN', 'ADD'].includes(instruction)), `${name} has no shell`);
    }
    const text = await readFile(join(ROOT, 'deploy/Containerfile'), 'utf8');
    assert.match(text, /^ARG DISTROLESS_IMAGE=\S+@sha256:[0-9a-f]{64}$/m);
    assert.ok(!text.includes(':latest'));
    const workflow = await readFile(join(ROOT, WORKFLOW), 'utf8');
    for (const [, target] of workflow.matchAll(/target: (\w+), image/g)) assert.ok(stages[target], target);
  });

  test('every variable exists, and every secret is in the example', async () => {
    const { stdout: help } = await run(BINARY, ['bridge', '--help']);
    const manifest = await readFile(join(ROOT, 'spin.toml'), 'utf8');
    const services = Object.values(compose.services).filter(({ image }) => /rollcall/.test(image));
    const deployed = ['rollcall-bridge', 'rollcall-app'].flatMap((name) => containerOf(name).env);
    const spinApp = named('SpinApp', 'rollcall-app');
    const image = (await readStages()).bridge.find(([instruction]) => instruction === 'ENV')[1];
    const names = [
      ...services.flatMap(({ environment }) => Object.keys(environment)),
      ...deployed.map(({ name }) => name),
      ...spinApp.spec.variables.map(({ name }) => `SPIN_VARIABLE_${name.toUpperCase()}`),
      ...[...image.matchAll(/(\w+)=/g)].map(([, name]) => name),
    ];
    assert.ok(names.length > 20, names.join());
    for (const name of names) {
      const variable = name.match(/^SPIN_VARIABLE_(\w+)$/)?.[1].toLowerCase();
      if (variable) assert.match(manifest, new RegExp(`^${variable} = \\{`, 'm'), name);
      else assert.ok(help.includes(name), `${name} is no variable of the bridge`);
    }
    const example = Object.keys(files[SECRET][0].stringData);
    const text = JSON.stringify(documents());
    const keys = [...text.matchAll(/"secretKeyRef":\{"name":"rollcall","key":"([\w.-]+)"\}/g)].map(([, key]) => key);
    assert.ok(keys.length > 10, keys.join());
    for (const key of keys) assert.ok(example.includes(key), key);
  });

  test('every kustomization names files that exist, and leaves out none', async () => {
    const listed = new Set();
    for (const file of kubernetes.filter((name) => name.endsWith('kustomization.yaml'))) {
      for (const resource of files[file][0].resources) {
        const path = join(dirname(file), resource);
        await access(join(ROOT, path));
        listed.add(path);
      }
    }
    const inFolders = kubernetes.filter(
      (file) => dirname(file) !== dirname(SECRET) && !file.endsWith('kustomization.yaml'),
    );
    for (const file of inFolders) assert.ok(listed.has(file), `${file} is in no kustomization`);
  });

  test('Kubernetes and Compose wait until a bridge has drained', () => {
    const { spec } = named('Deployment', 'rollcall-bridge').spec.template;
    const [container] = spec.containers;
    const drainMs = Number(container.env.find(({ name }) => name === 'ROLLCALL_DRAIN_MS').value);
    const needed = container.lifecycle.preStop.sleep.seconds + drainMs / 1000 + STOP_SECONDS;
    assert.ok(spec.terminationGracePeriodSeconds > needed, `${spec.terminationGracePeriodSeconds} > ${needed}`);
    // The default of --drain-ms is five seconds.
    assert.ok(Number.parseInt(compose.services['bridge-a'].stop_grace_period, 10) > 5 + STOP_SECONDS);
    for (const [probe, path] of [
      ['startupProbe', '/healthz'],
      ['livenessProbe', '/healthz'],
      ['readinessProbe', '/readyz'],
    ]) {
      assert.deepEqual(container[probe].httpGet, { path, port: 'metrics' });
    }
    assert.equal(container.ports.find(({ name }) => name === 'metrics').containerPort, 9090);
  });

  test('the images run the app and bridges as Compose and Kubernetes do', async () => {
    const redis = await Redis.start();
    cleanUp.push(() => redis.stop());
    const image = await Image.stage('bridge');
    cleanUp.push(() => image.remove());
    assert.equal(image.user, '65532:65532');
    await image.warmUp();
    const appAddress = await reserveAddress();
    const withSecrets = (value) => value.replace(/\$\{(\w+):\?[^}]*\}/, (_, name) => secrets[name]);

    async function start(environment) {
      const [listen, metrics] = [await reserveAddress(), await reserveAddress()];
      const addresses = {
        '0.0.0.0:8080': listen,
        '0.0.0.0:9090': metrics,
        '0.0.0.0:3000': appAddress,
        'redis:6379': redis.address,
        'app:3000': appAddress,
        'rollcall-app:80': appAddress,
      };
      const fill = (value) => Object.entries(addresses).reduce((text, [from, to]) => text.replace(from, to), value);
      const child = image.run(environment, (value) => fill(withSecrets(value)));
      cleanUp.push(() => child.kill('SIGKILL'));
      const isReady = async () => {
        assert.ok(!child.hasEnded, child.lines.join('\n'));
        const response = await fetch(`http://${metrics}/readyz`).catch(() => undefined);
        return response?.ok;
      };
      await until(isReady, () => `the bridge is ready:\n${child.lines.join('\n')}`);
      return child;
    }

    await start(compose.services.app.environment);
    const values = {
      'bridge-secret': secrets.ROLLCALL_BRIDGE_SECRET,
      'redis-url': `redis://${redis.address}`,
    };
    const inKubernetes = containerOf('rollcall-bridge').env.map(({ name, value, valueFrom }) => [
      name,
      value ?? values[valueFrom.secretKeyRef.key],
    ]);
    const bridges = [compose.services['bridge-a'].environment, Object.fromEntries(inKubernetes)];
    const [bridge] = await Promise.all(bridges.map(start));
    const token = image.run(compose.services.app.environment, withSecrets, ['token', '--user', 'ada']);
    await token.line(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    await bridge.kill('SIGTERM');
    assert.equal((await bridge.ended).code, 0);
  });

  test('Prometheus scrapes every bridge of Compose and Kubernetes, with the same alerts, and all mounted files exist', async () => {
    const read = await run(
      pythonTool('python'),
      ['-c', READ_YAML, `${MONITORING}prometheus.yml`, `${MONITORING}alerts.yml`],
      {
        cwd: ROOT,
      },
    );
    const [[config], [alerts]] = Object.values(JSON.parse(read.stdout));
    const targets = config.scrape_configs.flatMap(({ static_configs: [{ targets: addresses }] }) => addresses);
    const bridges = Object.entries(compose.services).filter(([, { environment }]) => environment?.ROLLCALL_APP);
    assert.deepEqual(targets.sort(), bridges.map(([name]) => `${name}:9090`).sort());
    for (const { volumes = [] } of Object.values(compose.services))
      for (const [path] of volumes.map((volume) => volume.split(':')).filter(([path]) => path.startsWith('.')))
        await access(join(ROOT, dirname(COMPOSE), path));

    const { spec } = named('PodMonitor', 'rollcall-bridge');
    const { metadata, spec: pod } = named('Deployment', 'rollcall-bridge').spec.template;
    assert.deepEqual(spec.selector.matchLabels, metadata.labels);
    assert.match(metadata.labels[spec.jobLabel], /^rollcall/);
    const ports = pod.containers[0].ports.map(({ name }) => name);
    assert.ok(ports.includes(spec.podMetricsEndpoints[0].port));
    const { stdout } = await run(join(ROOT, KUBERNETES, 'prometheus-rule'));
    const file = join(await mkdtemp(join(tmpdir(), 'rollcall-rule-')), 'rule.yaml');
    cleanUp.push(() => rm(dirname(file), { recursive: true }));
    await writeFile(file, stdout);
    const printed = await run(pythonTool('python'), ['-c', READ_YAML, file]);
    const [rule] = JSON.parse(printed.stdout)[file];
    assert.deepEqual([rule.kind, rule.spec], ['PrometheusRule', alerts]);
  });

  test('the image of the app holds every file that its manifest names', async () => {
    const image = await Image.stage('app');
    cleanUp.push(() => image.remove());
    const { args } = containerOf('rollcall-app');
    const from = args.find((arg) => arg.startsWith('--from=')).replace('--from=', '');
    assert.equal(from, image.command[image.command.indexOf('--from') + 1]);
    const manifest = await readFile(join(image.root, from), 'utf8');
    assert.ok(!manifest.includes('[[trigger.cron]]'));
    const sources = [...manifest.matchAll(/^source = "(.+)"$/gm)].map(([, source]) => source);
    assert.ok(sources.length > 5);
    for (const source of sources) await access(join(dirname(join(image.root, from)), source));
  });
});
