import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { Bridge } from '../harness/bridge.mjs';
import { Harness, HOUR, TRANSPORTS } from '../harness/harness.mjs';
import { sum } from '../harness/metrics.mjs';
import { reserveAddress } from '../harness/ports.mjs';
import { MONITORING, Prometheus, promtool } from '../harness/prometheus.mjs';
import { pythonTool } from '../harness/python.mjs';
import { Redis } from '../harness/redis.mjs';
import { until } from '../harness/wait.mjs';

const OPERATIONS = new URL('../../../docs/operations.md', import.meta.url);

/** Real time, because bridges wait for deadlines by their own clocks. */
const VARIABLES = {
  // No outage here lasts for so long, so no bridge loses its lease.
  SPIN_VARIABLE_LEASE_MS: '60000',
  SPIN_VARIABLE_GRACE_MS: '500',
  ROLLCALL_HEARTBEAT_INTERVAL_MS: '1000',
  // The tests ask faster than people.
  ROLLCALL_EVENTS_PER_SECOND: '1000',
  ROLLCALL_EVENTS_PER_SECOND_PER_USER: '1000',
};

/** No scheduler sweeps beside the bridges. */
const MANIFEST = 'spin-without-cron.toml';

/** The longest wait of an alert that an outage here fires, in scrapes. */
const SCRAPES = 10;

/** How long an outage lasts at most until its alerts fire, and how long they take to end. */
const ALERT_LIMIT_MS = 120_000;

/** More than any bridge waits for, at a quarter of a second each, before it asks for a sweep. */
const FAKE_BRIDGES = 900;

const readYaml = async (file) => {
  const script = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  const { stdout } = await promisify(execFile)(pythonTool('python'), ['-c', script, MONITORING + file]);
  return JSON.parse(stdout);
};

const readRules = async () => (await readYaml('alerts.yml')).groups.flatMap(({ rules }) => rules);

const readDashboard = async () => JSON.parse(await readFile(`${MONITORING}grafana/rollcall.json`, 'utf8'));

const panelsOf = (dashboard) => dashboard.panels.filter(({ type }) => type !== 'row');

describe('monitoring', { timeout: 900_000, concurrency: 2 }, () => {
  describe('the files for Prometheus and Grafana', { concurrency: 1 }, () => {
    test('promtool accepts them, and the rules do in each situation what their tests say', async () => {
      await promtool('check', 'config', 'prometheus.yml');
      await promtool('check', 'rules', '--lint-fatal', 'alerts.yml');
      await promtool('test', 'rules', 'alerts.test.yml');
    });

    test('each alert has tests, a severity and a section for operators, and no section is left over', async () => {
      const rules = await readRules();
      const { tests } = await readYaml('alerts.test.yml');
      const tested = tests.flatMap(({ alert_rule_test: cases = [] }) => cases);
      const page = await readFile(OPERATIONS, 'utf8');
      for (const { alert, labels, annotations } of rules) {
        const fires = tested.filter(({ alertname }) => alertname === alert).map((each) => each.exp_alerts.length > 0);
        assert.deepEqual([...new Set(fires)].sort(), [false, true], `${alert} fires in one test and not in another`);
        assert.ok(['page', 'ticket'].includes(labels.severity), alert);
        assert.ok(annotations.summary && annotations.description, alert);
        assert.match(annotations.runbook_url, new RegExp(`/docs/operations\\.md#${alert.toLowerCase()}$`));
      }
      const sections = [...page.matchAll(/^#### (Rollcall\w+)$/gm)].map(([, name]) => name);
      assert.deepEqual(
        sections,
        rules.map(({ alert }) => alert),
      );
    });

    test('each panel says what it shows and in which unit, and asks the data source that the viewer chooses', async () => {
      const dashboard = await readDashboard();
      assert.equal(dashboard.uid, 'rollcall');
      const ids = dashboard.panels.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      const panels = panelsOf(dashboard);
      assert.ok(panels.length > 20);
      for (const { title, description, datasource, fieldConfig, targets } of panels) {
        assert.match(description, /^[A-Z0-9].*\.$/, title);
        assert.equal(datasource.uid, `\${datasource}`, title);
        assert.ok(fieldConfig.defaults.unit, title);
        for (const { expr } of targets) assert.match(expr, /job=~"\$job", instance=~"\$instance"/, title);
      }
    });
  });

  describe('alerts', { concurrency: 1 }, () => {
    const harness = new Harness();
    let prometheus;
    /** Of metrics. */
    let addresses;
    let room;
    let users;
    before(async () => {
      addresses = await Promise.all([reserveAddress(), reserveAddress(), reserveAddress()]);
      const [app, a, b] = addresses;
      // Prometheus takes some seconds until it scrapes for the first time.
      prometheus = await Prometheus.start({ 'app:9090': app, 'bridge-a:9090': a, 'bridge-b:9090': b });
      harness.redis = await Redis.start({ persistent: true });
      for (const index of addresses.keys()) await start(index);
      await Promise.all(harness.bridges.map((bridge) => bridge.ready()));
      room = await harness.room();
      const connect = (transport, name) => harness.connect(transport, `${name}-${transport}`, { bridge: 1 });
      const names = ['lea', 'kim', 'bo'];
      users = await Promise.all(TRANSPORTS.flatMap((transport) => names.map((name) => connect(transport, name))));
      await until(async () => (await prometheus.query('count(up == 1) == 3')).length > 0, 'all bridges are up');
      await calm();
    });
    after(async () => {
      await prometheus?.stop();
      await harness.stop();
    });

    /** Everybody enters the room, or asks again to. */
    const joinAll = () => Promise.all(users.map((member) => member.join(room)));

    /** Whether an alert with these labels fires. */
    const isAmong = (firing, expected) =>
      firing.some((labels) => Object.entries(expected).every(([name, value]) => labels[name] === value));

    /** Waits until these alerts fire, while users try to enter. Returns all that fire then. */
    async function fire(...expected) {
      let firing = [];
      const doFire = async () => {
        await joinAll();
        firing = await prometheus.firing();
        return expected.every((alert) => isAmong(firing, alert));
      };
      await until(doFire, () => `${JSON.stringify(expected)} among ${JSON.stringify(firing)}`, ALERT_LIMIT_MS);
      return firing;
    }

    /** Waits until no alert fires. */
    async function calm() {
      let firing;
      const isCalm = async () => {
        await joinAll();
        firing = await prometheus.firing();
        return firing.length === 0;
      };
      await until(isCalm, () => `no alert: ${JSON.stringify(firing)}`, ALERT_LIMIT_MS);
    }

    /** Starts a bridge, after a crash at the same addresses. The first bridge runs the app. */
    async function start(index) {
      const former = harness.bridges[index];
      const place = index === 0 ? { appListen: former && new URL(former.appUrl).host } : { app: harness.appUrl };
      harness.bridges[index] = await Bridge.start({
        redis: harness.redis,
        manifest: MANIFEST,
        variables: VARIABLES,
        listen: former?.address,
        metrics: addresses[index],
        ...place,
      });
    }

    test('nothing fires while users come, go, vanish and are refused', async () => {
      const began = performance.now();
      const vanishing = await harness.webSocket('vanishing', { bridge: 2 });
      // In a room of its own, which only a sweep settles.
      await vanishing.enter(await harness.room());
      vanishing.terminate();
      await assert.rejects(harness.client('Socket.IO', { auth: { token: 'x' } }).connected());
      const soFar = (expression) =>
        prometheus.query(expression.replace('SO_FAR', `${Math.floor(performance.now() - began)}ms`));
      const isWatched = async () => {
        await joinAll();
        assert.equal((await users[0].join('another')).code, 'IN_ANOTHER_ROOM');
        assert.equal((await users[1].leave()).success, true);
        const [scrapes] = await soFar('min(count_over_time(up[SO_FAR]))');
        return scrapes?.value[1] > SCRAPES;
      };
      await until(isWatched, 'Prometheus has seen the bridges for a while', ALERT_LIMIT_MS);
      assert.deepEqual(await soFar('count_over_time(ALERTS{alertstate="firing"}[SO_FAR])'), []);
    });

    test('Redis is killed: no bridge is ready, each says what it lacks, and events fail', async () => {
      await harness.redis.crash();
      const job = 'rollcall-bridge';
      const part = 'redis';
      const firing = await fire(
        { alertname: 'RollcallUnavailable', job },
        { alertname: 'RollcallEventsFailing', job },
        ...addresses.slice(1).map((instance) => ({ alertname: 'RollcallBridgeNotReady', instance, part })),
      );
      assert.ok(!isAmong(firing, { alertname: 'RollcallBridgeDown' }), JSON.stringify(firing));
      await harness.redis.restart();
      await calm();
    });

    test('the app is killed: no bridge is ready, and the app does not answer', async () => {
      await harness.bridges[0].child.kill('SIGKILL');
      const [app, ...instances] = addresses;
      await fire(
        { alertname: 'RollcallUnavailable', job: 'rollcall-bridge' },
        { alertname: 'RollcallBridgeDown', instance: app },
        ...instances.map((instance) => ({ alertname: 'RollcallBridgeNotReady', instance, part: 'app' })),
      );
      await start(0);
      await calm();
    });

    test('one bridge of two is killed, and nobody sweeps: users can enter, and sessions do not end', async () => {
      const { client } = harness.redis;
      const fakes = Array.from({ length: FAKE_BRIDGES }, (_, n) => `fake-${n}`);
      const leaseEnd = (await harness.redis.now()) + HOUR;
      // Each bridge leaves the sweep to those that have been there for longer.
      await client.hSet('rollcall:{0}:leased', Object.fromEntries(fakes.map((fake) => [fake, '0'])));
      await client.zAdd(
        'rollcall:{0}:leases',
        fakes.map((value) => ({ value, score: leaseEnd })),
      );
      for (const bridge of harness.bridges) {
        const from = await sum(bridge, 'rollcall_app_events_total{kind="heartbeat",outcome="ok"}');
        const isNext = async () =>
          (await sum(bridge, 'rollcall_app_events_total{kind="heartbeat",outcome="ok"}')) > from + 1;
        await until(isNext, 'the bridge knows its rank');
      }
      const short = await harness.room({ lastsMs: 1000 });
      await (await harness.webSocket('late', { bridge: 1 })).enter(short);
      await harness.bridges[2].child.kill('SIGKILL');
      const firing = await fire(
        { alertname: 'RollcallDeadlinesLate', job: 'rollcall-bridge' },
        { alertname: 'RollcallBridgeDown', instance: addresses[2] },
      );
      for (const alertname of ['RollcallUnavailable', 'RollcallEventsFailing', 'RollcallBridgeNotReady'])
        assert.ok(!isAmong(firing, { alertname }), `${alertname} among ${JSON.stringify(firing)}`);
      await client.zRem('rollcall:{0}:leases', fakes);
      await client.hDel('rollcall:{0}:leased', fakes);
      await start(2);
      await calm();
    });

    test('each expression of the dashboard has a result, with the labels that its legend names', async () => {
      for (const { title, targets } of panelsOf(await readDashboard())) {
        for (const { expr, legendFormat = '' } of targets) {
          const filled = expr.replaceAll('"$job"', '"rollcall.*"').replaceAll('"$instance"', '".+"');
          const result = await prometheus.query(filled.replaceAll('$__rate_interval', '5m'));
          const about = `${title}: ${filled}`;
          assert.ok(!filled.includes('$__interval'), about);
          assert.ok(
            result.some(({ value: [, text] }) => text !== 'NaN'),
            `${about} has no result`,
          );
          for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
            for (const { metric } of result) assert.ok(metric[label], `${about} has no label ${label}`);
        }
      }
    });

    test('bridges export each series that an alert names, with its labels', async () => {
      for (const { alert, expr } of await readRules()) {
        const selectors = expr.match(/\b(?:up|(?:rollcall|process)_[a-z_]+)\b(?:\{[^}]*\})?/g);
        assert.ok(selectors.length > 0, alert);
        for (const selector of selectors) {
          const found = await prometheus.query(`last_over_time(${selector}[1h])`);
          assert.ok(found.length > 0, `${alert}: ${selector}`);
        }
      }
    });
  });
});
