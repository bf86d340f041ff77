// Manifests of the app beside the project's own.

import { mkdir, readFile, writeFile } from 'node:fs/promises';

const ROOT = new URL('../../../', import.meta.url);

/** Writes the project's manifest without its schedules, and returns the path. */
export async function manifestWithoutCron() {
  const text = await readFile(new URL('spin.toml', ROOT), 'utf8');
  const tables = text.split(/^(?=\[)/m).filter((table) => !table.startsWith('[[trigger.cron]]'));
  const changed = tables.join('').replaceAll('source = "target/', `source = "${new URL('target/', ROOT).pathname}`);
  const folder = new URL('target/e2e/', ROOT);
  await mkdir(folder, { recursive: true });
  const path = new URL(`without-cron-${process.pid}.toml`, folder).pathname;
  await writeFile(path, changed);
  return path;
}
