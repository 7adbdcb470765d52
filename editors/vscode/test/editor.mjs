// Drives the packed extension in a real VS Code (code-server in Chromium), as a person would:
//   SEEDLING=…/seedling CODE_SERVER=…/code-server/out/node/entry.js node test/editor.mjs [--images] [NAME…]
// Without it nothing would show that the packed extension does in VS Code what its parts do.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { open, until } from './codeserver.mjs';
import * as haste from './haste.mjs';
import { Person } from './person.mjs';

const here = new URL('.', import.meta.url).pathname;
const server = process.env.SEEDLING ?? join(here, '../../../seedling');
const vsix = process.env.VSIX ?? join(here, '../seedling-0.1.0.vsix');
const codeServer = process.env.CODE_SERVER;
if (!codeServer || !existsSync(codeServer)) throw new Error('CODE_SERVER is to be the entry.js of code-server');
for (const f of [server, vsix]) if (!existsSync(f)) throw new Error(`${f} is missing: build it first`);
process.env.SEEDLING_MODEL ??= 'small'; // what the tests expect is of it, on any machine
const only = process.argv.slice(2).filter((a) => !a.startsWith('--'));

const main = `package main

import (
	"fmt"
	"os"
)

func load(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return data, nil
}

func size(path string) (int64, error) {
	info, err := os.Stat(path)

}

func main() {
	fmt.Println("hello")
}
`;
const files = { 'main.go': main, 'stub.go': 'package main\n\n// add returns the sum of a and b.\nfunc add(a, b int) int {\n}\n',
  'other.go': 'package main\n\n// half returns one half of n.\nfunc half(n int) int {\n}\n',
  'rename.go': 'package main\n\nfunc f(count int) int {\n\tif count > 3 {\n\t\treturn count\n\t}\n\treturn count + 1\n}\n' };
const tests = {
  async 'type, see ghost text, Tab, undo'(p) {
    await p.file('main.go');
    await p.says('ready');
    await p.image('ready');
    await p.goTo(18, 1);
    await p.type('\tif err != ');
    const shown = await p.ghost();
    assert.ok(shown.trim().length > 0, 'ghost text is drawn');
    await p.image('ghost');
    const before = p.line('main.go', 18);
    await p.page.keyboard.press('Tab');
    await until('the suggestion in the document', () => p.line('main.go', 18).length > before.length);
    const taken = p.line('main.go', 18);
    assert.ok(taken.startsWith(before) && taken.includes(shown.trim().split('\n')[0].trim()), `${JSON.stringify(shown)} became ${JSON.stringify(taken)}`);
    await until('the acceptance', () => p.passed().some((m) => m.method === 'workspace/executeCommand' && m.params?.command === 'seedling.accepted'));
    await p.page.keyboard.press('Control+z');
    await until('undo', () => p.line('main.go', 18) === before);
  },

  async 'accept a word'(p) {
    await p.page.keyboard.press('Escape');
    await p.goTo(22, 23);
    await p.page.keyboard.press('Enter');
    await p.type('fmt.P'); // as the line before: that is suggested from the file itself
    const shown = (await p.ghost()).trim();
    const before = p.line('main.go', 23);
    await p.page.keyboard.press('Control+ArrowRight');
    await until('a word', () => p.line('main.go', 23) !== before);
    const word = p.line('main.go', 23).slice(before.length);
    assert.ok(word.length > 0 && shown.startsWith(word.trim()) && word.trim().length < shown.length, `${JSON.stringify(word)} of ${JSON.stringify(shown)}`);
    const rest = (await p.ghost()).trim();
    assert.ok(shown.endsWith(rest), `what is left, ${JSON.stringify(rest)}, is the rest of ${JSON.stringify(shown)}`);
    await p.image('word');
  },

  async 'several to cycle through'(p) {
    await p.page.keyboard.press('Escape');
    await p.noGhost();
    const mark = p.mark();
    await p.command('Trigger Inline Suggestion');
    await p.page.locator('.monaco-editor.focused').first().waitFor();
    const invoked = await until('the answer to who asks by hand', () => p.since(mark).find((m) => m.to === 'editor' && m.method === 'textDocument/inlineCompletion' && m.result?.items?.length > 1));
    const first = await p.ghost();
    await p.page.keyboard.press('Alt+BracketRight');
    const second = await until('another suggestion', async () => { const t = await p.ghost(); return t !== first && t; });
    assert.notEqual(first, second);
    assert.ok(invoked.result.items.length > 1);
    await p.image('cycle');
    await p.page.keyboard.press('Escape');
  },

  async 'watch the canvas'(p) {
    await p.command('Watch the Canvas');
    await until('the server to be told', () => p.passed().some((m) => m.to === 'server' && m.method === 'seedling/watchCanvas' && m.params.watch));
    await p.file('main.go');
    await p.goTo(22, 23);
    await p.page.keyboard.press('Enter');
    const mark = p.mark();
    await p.type('fmt.P');
    const canvas = await until('a canvas', () => p.since(mark).find((m) => m.method === 'seedling/canvas'));
    assert.ok(canvas.params.steps.length > 0);
    const drawn = await until('the canvas in the view', async () => {
      for (const f of p.page.frames()) {
        const note = await f.locator('#note').textContent({ timeout: 200 }).catch(() => '');
        if (/forward passes/.test(note ?? '')) return f;
      }
    });
    await until('its text', async () => (await drawn.locator('#canvas').textContent())?.length > 0);
    await until('its last step', async () => { const s = drawn.locator('#step'); return (await s.inputValue()) === (await s.getAttribute('max')); });
    await p.image('canvas');
    await p.page.keyboard.press('Escape');
  },

  async 'the status says what happens, and opens a menu'(p) {
    p.hold('initialize');
    await p.command('Seedling: Restart the Server');
    await p.says('starting');
    p.release();
    await p.says('ready');
    const entry = (name) => p.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name });
    await p.status().click();
    await entry('Pause suggestions').waitFor();
    for (const name of ['Write the function', 'Watch the canvas', 'Settings', 'Show the log', 'Restart the server']) assert.equal(await entry(name).count(), 1, name);
    await p.image('menu');
    await entry('Pause suggestions').click();
    await p.says('paused');
    await p.image('paused');
    await p.status().click();
    await entry('Resume suggestions').click();
    await p.says('ready');
  },

  async 'a setting changes without a restart'(p) {
    const starts = p.passed().filter((m) => m.started).length;
    const several = async () => {
      await p.file('main.go');
      await p.goTo(22, 23);
      await p.page.keyboard.press('Enter');
      await p.type('fmt.');
      const mark = p.mark();
      await p.command('Trigger Inline Suggestion');
      const { id } = await until('the question', () => p.since(mark).find((m) => m.to === 'server' && m.method === 'textDocument/inlineCompletion' && m.params.context.triggerKind === 1));
      const answer = await until('the answer', () => p.since(mark).find((m) => m.to === 'editor' && m.id === id && m.result));
      await p.page.keyboard.press('Escape');
      return answer.result.items.length;
    };
    assert.ok(await several() > 1, 'several suggestions');
    await p.command('Preferences: Open User Settings');
    await p.page.locator('.settings-editor .suggest-input-container .monaco-editor').first().click();
    await p.type('seedling.candidates');
    const box = p.page.locator('[data-key="seedling.candidates"] input');
    await box.waitFor();
    await box.fill('1');
    await until('the server to be told', () => p.passed().some((m) => m.method === 'workspace/didChangeConfiguration' && m.params.settings.seedling.candidates === 1));
    await p.image('settings');
    await p.command('View: Close Editor');
    assert.equal(await several(), 1, 'suggestions, when one is wanted');
    assert.equal(p.passed().filter((m) => m.started).length, starts, 'no server was started for it');
  },

  async 'the log, and the walkthrough'(p) {
    await p.command('Seedling: Show the Log');
    const log = p.page.locator('.part.panel .view-lines');
    await p.command('Seedling: Restart the Server');
    await until('the log', async () => (await log.allInnerTexts()).join('').replaceAll('\u00a0', ' ').includes('Starting '));
    await p.says('ready');
    assert.deepEqual(p.passed().filter((m) => m.method === 'window/logMessage' && m.params.type <= 2), [], 'the server complains of nothing');
    await p.image('log');
    await p.command('View: Toggle Panel Visibility');
    await p.command('Open Walkthrough');
    const box = p.page.locator('.quick-input-widget input.input');
    await box.waitFor();
    await box.fill('Start with Seedling');
    await p.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'Start with Seedling' }).first().click();
    const steps = p.page.locator('.gettingStartedContainer .getting-started-step');
    await until('four steps', async () => (await steps.count()) === 4);
    assert.deepEqual((await p.page.locator('.gettingStartedContainer .step-title').allInnerTexts()).map((t) => t.trim()), ['Type, and press Tab', 'See what it does', 'Watch the canvas', 'Make it yours']);
    await p.page.waitForTimeout(500);
    await p.image('walkthrough');
    await p.command('View: Close Editor');
  },

  async 'a server that is killed comes back'(p) {
    await p.file('main.go');
    const starts = p.passed().filter((m) => m.started);
    process.kill(starts.at(-1).started, 'SIGKILL');
    await until('another server', () => p.passed().filter((m) => m.started).length > starts.length);
    await p.says('ready');
    await p.page.keyboard.press('Escape');
    await p.goTo(22, 23);
    await p.page.keyboard.press('Enter');
    await p.type('fmt.P');
    assert.ok((await p.ghost()).trim());
    await p.page.keyboard.press('Escape');
  },

  async 'restart by command'(p) {
    const starts = p.passed().filter((m) => m.started).length;
    await p.command('Seedling: Restart the Server');
    await until('another server', () => p.passed().filter((m) => m.started).length > starts);
    await p.says('ready');
  },

  async 'write a whole function'(p) {
    await p.file('stub.go');
    await p.goTo(4, 20);
    p.hold('workspace/applyEdit');
    const capabilities = p.passed().filter((m) => m.method === 'initialize' && m.to === 'editor').at(-1).result.capabilities;
    await p.command('Seedling: Write the Function at the Cursor');
    if (!capabilities.executeCommandProvider.commands.includes('seedling.writeFunction')) {
      await p.page.locator('.notification-toast').filter({ hasText: 'writes no whole functions' }).waitFor();
      return 'this server has none: the extension says so';
    }
    const progress = p.page.locator('.notification-toast').filter({ hasText: 'Seedling: writing a function' });
    await progress.waitFor();
    assert.equal(await progress.locator('.monaco-button').filter({ hasText: 'Cancel' }).count(), 1, 'it can be cancelled');
    await p.image('progress');
    p.release();
    // The server marks the edit as one to be confirmed, so VS Code shows it first.
    const answered = () => p.passed().find((m) => m.to === 'editor' && m.method === 'workspace/executeCommand' && (m.error || m.result?.applied !== undefined));
    const panel = p.page.locator('.part.panel');
    const apply = panel.locator('.monaco-button').filter({ hasText: 'Apply' });
    await until('a preview', async () => answered()?.error || apply.isVisible());
    assert.equal(answered()?.error, undefined);
    await p.image('preview');
    assert.equal(p.text('stub.go'), files['stub.go'], 'nothing was written yet');
    await panel.locator('.monaco-checkbox, input[type=checkbox]').first().click();
    await apply.click();
    const answer = await until('the function', answered);
    assert.deepEqual([answer.error, answer.result], [undefined, { applied: true }]);
    await until('a body', () => /func add\(a, b int\) int \{\n\t.+\n\}/.test(p.text('stub.go')));
    await p.image('function');
  },

  async 'a code action on a selection, seen first and discarded'(p) {
    await p.file('other.go');
    const mark = p.mark();
    const entry = p.page.locator('.action-widget .action, .action-widget .monaco-list-row').filter({ hasText: 'Seedling: write this function' });
    await until('the entry of the menu', async () => { // which closes again when a file just opened takes the focus
      await p.goTo(3, 1);
      await p.page.keyboard.press('Shift+ArrowDown');
      await p.page.keyboard.press('Shift+ArrowDown');
      await p.page.keyboard.press('Control+Shift+r'); // Refactor...
      return entry.first().waitFor({ timeout: 8000 }).then(() => true, async () => { await p.page.keyboard.press('Escape'); return false; });
    });
    await p.image('action');
    await p.page.keyboard.press('Enter'); // it is the only one
    const discard = p.page.locator('.part.panel .monaco-button').filter({ hasText: 'Discard' });
    await discard.waitFor({ timeout: 30_000 });
    await discard.click();
    await until('the end', () => p.since(mark).find((m) => m.to === 'editor' && m.method === 'workspace/executeCommand' && m.result?.applied === false));
    assert.equal(p.text('other.go'), files['other.go'], 'nothing was written');
  },

  async 'the next edit'(p) {
    await p.file('rename.go');
    await p.goTo(3, 8);
    await p.page.keyboard.press('Control+Shift+ArrowRight');
    await p.type('total');
    const marks = p.page.locator('[class*="ced-"][class*="-after"], .view-line span[class*="ced-"]');
    await until('a place that wants the same', async () => (await marks.count()) > 0);
    await p.image('nextedit');
    await p.takeAll('rename.go', 'count');
  },
};

// In VS Codes of their own, which start without the program: nowhere, and where a setting is wrong.
const nowhere = {
  async 'the program is missing, and is chosen'(p) {
    const toast = p.page.locator('.notification-toast').filter({ hasText: 'was not found' });
    await toast.waitFor();
    await p.says('failed');
    const buttons = toast.locator('.notification-list-item-buttons-container .monaco-button');
    assert.equal(await buttons.count(), 1, 'one button');
    assert.ok(!p.passed().some((m) => m.started));
    await p.image('missing');
    await buttons.click();
    const box = p.page.locator('.quick-input-widget input.input');
    await box.waitFor();
    // The dialog puts its own folder into the box when it has read it, over what was typed.
    await until('the dialog to take the program', async () => {
      if (!(await box.isVisible())) return true;
      await box.fill(join(here, 'pipe.mjs'));
      await p.page.waitForTimeout(500);
      if ((await box.inputValue()) === join(here, 'pipe.mjs')) await box.press('Enter');
      await p.page.waitForTimeout(500);
      return !(await box.isVisible());
    });
    await until('the program that was chosen', () => p.passed().some((m) => m.started));
    await p.says('ready');
  },
};
const wrong = {
  async 'a setting that names nothing'(p) {
    const toast = p.page.locator('.notification-toast').filter({ hasText: 'seedling.server.path' });
    await toast.waitFor();
    await p.says('failed');
    assert.equal(await toast.locator('.notification-list-item-buttons-container .monaco-button').count(), 1, 'one button');
    assert.ok(!p.passed().some((m) => m.started));
  },
};

// In a VS Code of its own, which finds the program on PATH.
const cell = (type, source) => ({ cell_type: type, metadata: {}, source, ...(type === 'code' && { execution_count: null, outputs: [] }) });
const onPath = {
  async 'the program is found on PATH'(p) {
    await p.file('area.go');
    await p.says('ready');
    assert.equal(p.passed().filter((m) => m.started).length, 1);
  },

  async 'the status says that the model thinks'(p) {
    await p.file('main.go');
    await p.goTo(22, 23);
    await p.page.keyboard.press('Enter');
    p.hold('seedling/status', '"state":"ready"');
    await p.type('fmt.P');
    await p.says('thinking');
    p.release();
    await p.says('ready');
    await p.ghost();
  },

  async 'the next edit in another file'(p) {
    await p.file('area.go');
    await p.settled();
    await p.goTo(4, 6);
    await p.page.keyboard.press('Control+Shift+ArrowRight');
    await p.type('surface');
    const elsewhere = (m) => m.to === 'editor' && m.method === 'textDocument/copilotInlineEdit' && m.result?.edits?.[0]?.textDocument.uri.endsWith('/room.go');
    await until('a place in the other file', () => p.passed().some(elsewhere));
    const sign = p.page.locator('.view-line span[class*="ced-"]'); // it says where
    await until('a word of where it is', async () => (await sign.count()) > 0);
    await p.image('elsewhere');
    await p.takeAll('room.go', 'area');
    assert.match(p.text('room.go'), /return surface\(w, h\) \* 2/);
    assert.match(p.text('area.go'), /func surface\(/);
  },

  async 'in a cell of a notebook, with the cells before it'(p) {
    await p.file('notes.ipynb');
    const cells = p.page.locator('.notebookOverlay .code-cell-row');
    await until('two cells', async () => (await cells.count()) === 2);
    await cells.nth(1).locator('.view-lines').click();
    await p.page.keyboard.press('Control+End');
    const mark = p.mark();
    await p.type('print(average(va');
    const shown = await p.ghost();
    await p.image('notebook');
    const asked = p.since(mark).filter((m) => m.to === 'server' && m.method === 'textDocument/inlineCompletion');
    assert.ok(asked.length > 0 && asked.every((m) => m.params.textDocument.uri.startsWith('vscode-notebook-cell:')), JSON.stringify(asked.map((m) => m.params.textDocument)));
    assert.ok(shown.startsWith('lues'), `${shown} knows nothing of the cell before`);
    await p.page.keyboard.press('Tab');
    await until('the suggestion in the cell', () => p.since(mark).filter((m) => m.to === 'server' && m.method === 'notebookDocument/didChange').some((m) => JSON.stringify(m.params).includes('lues')));
  },
};
const pathFiles = { 'main.go': main,
  'area.go': 'package main\n\n// area multiplies.\nfunc area(w, h int) int {\n\treturn w * h\n}\n',
  'room.go': 'package main\n\nfunc paint(w, h int) int {\n\treturn area(w, h) * 2\n}\n',
  'notes.ipynb': JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { language_info: { name: 'python' } }, cells: [
    cell('code', 'def average(values):\n    return sum(values) / len(values)\n\nvalues = [1, 2, 3]\nprint(average(values))'), cell('code', '')] }) };

// A package for one platform, with the program in it, in a VS Code that has no other.
const packed = {
  async 'a package that brings the program'(p) {
    await p.file('main.go');
    await p.says('ready');
    await p.settled();
    await p.goTo(22, 23);
    await p.page.keyboard.press('Enter');
    await p.type('fmt.P');
    assert.ok((await p.ghost()).trim());
    await p.command('Seedling: Show the Log');
    await until('where it was found', async () => /extensions?\/.*bin\/seedling \(bundled\)|bin\/seedling \(bundled\)/.test((await p.page.locator('.part.panel .view-lines').allInnerTexts()).join('').replaceAll('\u00a0', ' ')));
  },
};

let failed = 0;
async function drive(list, opened = {}) {
  const wanted = Object.entries(list).filter(([name]) => !only.length || only.some((o) => name.includes(o)));
  if (!wanted.length) return;
  const vscode = await open({ codeServer, server, vsix, files, ...opened, user: { 'seedling.deadlineMs': 10_000, ...opened.user } }); // a busy machine may take its time
  const person = new Person(vscode);
  try {
    if (list === tests || list === haste.tests) {
      await person.file('main.go');
      await person.says('ready');
    }
    for (const [name, run] of wanted) {
      const start = Date.now();
      try {
        const said = await run(person);
        console.log(`ok   ${name} (${Date.now() - start} ms)${said ? `: ${said}` : ''}`);
      } catch (err) {
        failed++;
        console.log(`FAIL ${name}: ${err.stack}`);
        console.log(await person.where());
        if (process.env.FAILURES) await person.page.screenshot({ path: join(process.env.FAILURES, `failed-${failed}.png`) });
        await person.page.keyboard.press('Escape');
      } finally {
        person.release();
      }
    }
  } finally {
    await vscode.close();
  }
}
await drive(tests);
await drive(haste.tests, haste);
// Where no program named seedling is, with the folders of all others.
const path = process.env.PATH.split(delimiter).filter((d) => !existsSync(join(d, 'seedling'))).join(delimiter);
await drive(nowhere, { settings: { 'seedling.server.path': '' }, path });
await drive(wrong, { settings: { 'seedling.server.path': '/nowhere/seedling' } });
const bin = mkdtempSync(join(tmpdir(), 'seedling-path-'));
symlinkSync(join(here, 'pipe.mjs'), join(bin, 'seedling'));
try {
  await drive(onPath, { files: pathFiles, settings: { 'seedling.server.path': '' }, path: [bin, path].join(delimiter) });
} finally {
  rmSync(bin, { recursive: true });
}
if (!only.length || Object.keys(packed).some((name) => only.some((o) => name.includes(o)))) {
  const dir = mkdtempSync(join(tmpdir(), 'seedling-package-'));
  try {
    const platform = join(dir, 'platform.vsix');
    execFileSync('npm', ['run', 'package', '--', '--bundle', server, '--target', `linux-${process.arch}`, '--out', platform], { cwd: join(here, '..'), stdio: 'pipe' });
    await drive(packed, { vsix: platform, settings: { 'seedling.server.path': '' }, path });
  } finally {
    rmSync(dir, { recursive: true });
    rmSync(join(here, '../bin'), { recursive: true, force: true });
  }
}
process.exitCode = failed ? 1 : 0;
