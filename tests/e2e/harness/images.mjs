// The images of deploy/Containerfile without a container runtime: the files of a final stage, and its entry point.

import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Child } from './child.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The user of the images. Only root can become this user. */
const USER = process.getuid() === 0 ? { uid: 65532, gid: 65532 } : {};

/** The stages by name, each with its instructions in order. */
export async function readStages() {
  const text = await readFile(join(ROOT, 'deploy/Containerfile'), 'utf8');
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter(Boolean);
  const stages = {};
  let stage = [];
  for (const line of lines) {
    const [, instruction, rest] = line.match(/^(\w+) +(.*)$/);
    if (instruction === 'FROM') {
      stage = [];
      stages[rest.match(/ AS (\S+)$/)[1]] = stage;
    }
    stage.push([instruction, rest]);
  }
  return stages;
}

/** A stage's files in a folder, and how it runs. */
export class Image {
  static async stage(name) {
    const image = new Image();
    image.folder = await mkdtemp(join(tmpdir(), 'rollcall-image-'));
    image.root = join(image.folder, 'root');
    image.temporary = join(image.folder, 'tmp');
    for (const folder of [image.root, image.temporary]) await mkdir(folder);
    await chmod(image.folder, 0o755);
    if (USER.uid) await chown(image.temporary, USER.uid, USER.gid);
    const stages = await readStages();
    await copyFiles(stages, name, image.root);
    const last = (instruction) => stages[name].findLast(([each]) => each === instruction)?.[1];
    image.user = last('USER');
    image.workingDirectory = last('WORKDIR');
    image.entryPoint = JSON.parse(last('ENTRYPOINT'));
    image.command = JSON.parse(last('CMD'));
    image.environment = Object.fromEntries(
      [...(last('ENV') ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, key, value]) => [key, value]),
    );
    return image;
  }

  /** Puts the components that other suites have compiled where the image keeps them: a start takes seconds less. */
  async warmUp() {
    const [from, to] = [join(ROOT, 'target/component-cache'), join(this.temporary, 'components')];
    if (!existsSync(from)) return;
    await cp(from, to, { recursive: true, filter: (path) => !path.includes('.wip-') });
    if (!USER.uid) return;
    for (const path of ['.', ...(await readdir(to, { recursive: true }))])
      await chown(join(to, path), USER.uid, USER.gid);
  }

  /** Runs the entry point as the image's user, who may write to /tmp only. `replace` is applied to each variable. */
  run(environment, replace, command = this.command) {
    const inside = (path) =>
      path.replace(/^\/tmp(?=\/|$)/, this.temporary).replace(/^\/(?=rollcall\/|usr\/)/, `${this.root}/`);
    const variables = Object.entries({ ...this.environment, ...environment });
    const env = Object.fromEntries(variables.map(([name, value]) => [name, inside(replace(value))]));
    const [program, ...args] = [...this.entryPoint, ...command].map(inside);
    return new Child(program, args, { cwd: join(this.root, this.workingDirectory), env, ...USER });
  }

  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Does what the COPY instructions of a stage do. */
async function copyFiles(stages, name, root) {
  for (const [instruction, rest] of stages[name]) {
    if (instruction !== 'COPY') continue;
    const [from, ...words] = rest.split(/ +/);
    const target = words.pop();
    for (const source of words) await copy(stages, from.replace('--from=', ''), source, join(root, target), target);
  }
}

async function copy(stages, from, source, to, target) {
  if (!['binary', 'components'].includes(from)) {
    await copyFiles(stages, from, to.slice(0, -target.length));
    return;
  }
  // What cargo has built for the tests stands for what it builds in the image.
  const path = join(ROOT, source.replace(/^\/rollcall\//, '').replace('target/release/', 'target/debug/'));
  const files = path.endsWith('*.wasm')
    ? (await readdir(dirname(path))).filter((file) => file.endsWith('.wasm')).map((file) => join(dirname(path), file))
    : [path];
  for (const file of files) {
    const destination = target.endsWith('/') ? join(to, file.split('/').at(-1)) : to;
    await mkdir(dirname(destination), { recursive: true });
    await cp(file, destination);
  }
}
