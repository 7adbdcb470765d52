// Without this test the settings that VS Code shows would not be those that the server reads.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const json = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
const manifest = json('../package.json');

test('contributes.configuration is what the server generates', () => {
  assert.deepEqual(manifest.contributes.configuration[0].properties, json('../../../lsp/settings.vscode.json'),
    'stale: run `go generate ./lsp` in the repository');
});

test('every command that is bound, in a menu or a walkthrough exists', () => {
  const known = new Set(manifest.contributes.commands.map((c) => c.command));
  const used = JSON.stringify([manifest.contributes.keybindings, manifest.contributes.menus, manifest.contributes.walkthroughs]);
  for (const [, name] of used.matchAll(/(?:"command":"|command:)(seedling\.\w+)/g)) {
    assert.ok(known.has(name), name);
  }
  const source = readFileSync(new URL('../src/extension.ts', import.meta.url), 'utf8');
  for (const name of known) {
    assert.ok(source.includes(`command('${name.slice('seedling.'.length)}'`), `${name} is contributed and not registered`);
  }
});
