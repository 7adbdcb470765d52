// The search for the server's program.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';

const dir = mkdtempSync(join(tmpdir(), 'seedling-binary-'));
after(() => rmSync(dir, { recursive: true, force: true }));
await build({ entryPoints: [new URL('../src/binary.ts', import.meta.url).pathname], outfile: join(dir, 'binary.mjs'), format: 'esm', platform: 'node', bundle: true });
const { find } = await import(join(dir, 'binary.mjs'));

function program(...parts) {
  const file = join(dir, ...parts);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '#!/bin/sh\n');
  chmodSync(file, 0o755);
  return file;
}
const none = { setting: '', path: join(dir, 'empty'), extension: join(dir, 'empty'), platform: 'linux' };

test('the setting wins over PATH, PATH over what the package brought', () => {
  const set = program('set', 'mine');
  const onPath = program('path', 'seedling');
  const bundled = program('extension', 'bin', 'seedling');
  const all = { ...none, path: ['', 'relative', join(dir, 'path')].join(delimiter), extension: join(dir, 'extension') };
  assert.deepEqual(find({ ...all, setting: ` ${set} ` }), { file: set, by: 'setting' });
  assert.deepEqual(find(all), { file: onPath, by: 'PATH' });
  assert.deepEqual(find({ ...all, path: '' }), { file: bundled, by: 'bundled' });
});

test('a setting that names nothing is said, and nothing else is run', () => {
  program('path', 'seedling');
  for (const setting of ['/nowhere/seedling', 'relative/seedling', dir]) {
    assert.match(find({ ...none, setting, path: join(dir, 'path') }).missing, /seedling\.server\.path/);
  }
});

test('nothing anywhere, nor a file that is no program', () => {
  writeFileSync(join(dir, 'seedling'), '');
  assert.match(find({ ...none, path: dir }).missing, /not found/);
  assert.match(find({ ...none, platform: 'win32', path: join(dir, 'path') }).missing, /not found/);
});
