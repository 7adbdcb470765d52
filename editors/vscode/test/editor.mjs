// Drives the packed extension in a real VS Code (code-server in Chromium), as a person would:
//   SEEDLING=…/seedling CODE_SERVER=…/code-server/out/node/entry.js node test/editor.mjs [--images] [NAME…]
// Without it nothing would show that the packed extension does in VS Code what its parts do.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { open, until } from './codeserver.mjs';

const here = new URL('.', import.meta.url).pathname;
const server = process.env.SEEDLING ?? join(here, '../../../seedling');
const vsix = process.env.VSIX ?? join(here, '../seedling-0.1.0.vsix');
const codeServer = process.env.CODE_SERVER;
if (!codeServer || !existsSync(codeServer)) throw new Error('CODE_SERVER is to be the entry.js of code-server');
for (const f of [server, vsix]) if (!existsSync(f)) throw new Error(`${f} is missing: build it first`);
const images = process.argv.includes('--images');
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
const ghost = '.ghost-text, .ghost-text-decoration, .suggest-preview-text, .inline-decoration-ghost-text';

class Person {
  constructor(vscode) {
    Object.assign(this, vscode);
    this.vscode = vscode;
  }
  async image(name) {
    if (images) await this.page.screenshot({ path: join(here, 'images', `${name}.png`) });
  }
  status() { return this.page.locator('.statusbar-item[id="seedling-lsp.seedling.seedling.status"], [id*="seedling.status"]').first(); }
  async says(state) { await until(`the state ${state}`, async () => (await this.status().innerHTML().catch(() => '')).includes(`Seedling: ${state}`) || (await this.status().getAttribute('aria-label').catch(() => ''))?.includes(`Seedling: ${state}`), 60_000); }
  async command(name) {
    await this.page.keyboard.press('F1');
    const box = this.page.locator('.quick-input-widget input.input');
    await box.waitFor();
    await box.fill(`>${name}`);
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first().click();
  }
  async file(name) {
    const box = this.page.locator('.quick-input-widget input.input');
    await until('the list of files', async () => { // a view that is just opened takes the focus, and closes it
      await this.page.keyboard.press('Control+p');
      return box.waitFor({ timeout: 1000 }).then(() => this.page.waitForTimeout(200)).then(() => box.isVisible(), () => false);
    });
    await box.fill(name);
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first().waitFor();
    await this.page.keyboard.press('Enter');
    await this.page.locator('.tab.active').filter({ hasText: name }).waitFor();
    await this.page.locator('.monaco-editor .view-line').first().waitFor();
  }
  async goTo(line, column) {
    await this.page.keyboard.press('Control+g');
    const box = this.page.locator('.quick-input-widget input.input');
    await box.waitFor();
    await box.fill(`:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await box.waitFor({ state: 'hidden' });
  }
  async type(text) { await this.page.keyboard.type(text); }
  async ghost() { await this.page.locator(ghost).first().waitFor({ timeout: 30_000 }); return (await this.page.locator(ghost).allInnerTexts()).join('').replaceAll('\u00a0', ' '); }
  async noGhost() { await until('no ghost text', async () => (await this.page.locator(ghost).count()) === 0); }
  /** The document as the server was told it, after every change: not what is painted. */
  text(name) {
    let doc;
    for (const m of this.passed()) {
      if (m.to !== 'server') { if (m.started) doc = undefined; continue; }
      if (m.method === 'textDocument/didOpen' && m.params.textDocument.uri.endsWith('/' + name)) doc = m.params.textDocument.text;
      if (m.method === 'textDocument/didChange' && m.params.textDocument.uri.endsWith('/' + name)) {
        for (const c of m.params.contentChanges) {
          const at = (p) => doc.split('\n').slice(0, p.line).reduce((n, l) => n + l.length + 1, 0) + p.character;
          doc = c.range ? doc.slice(0, at(c.range.start)) + c.text + doc.slice(at(c.range.end)) : c.text;
        }
      }
    }
    return doc ?? '';
  }
  line(name, n) { return this.text(name).split('\n')[n - 1]; }
  mark() { return this.passed().length; }
  since(mark) { return this.passed().slice(mark); }
}

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

  async 'a setting changes without a restart'(p) {
    const starts = p.passed().filter((m) => m.started).length;
    await p.command('Seedling: Pause or Resume Suggestions'); // changes seedling.enable
    await p.says('paused');
    await p.image('paused');
    await p.command('Seedling: Pause or Resume Suggestions');
    await p.says('ready');
    assert.equal(p.passed().filter((m) => m.started).length, starts, 'no server was started for it');
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
    const capabilities = p.passed().filter((m) => m.method === 'initialize' && m.to === 'editor').at(-1).result.capabilities;
    await p.command('Seedling: Write the Function at the Cursor');
    if (!capabilities.executeCommandProvider.commands.includes('seedling.writeFunction')) {
      await p.page.locator('.notification-toast').filter({ hasText: 'writes no whole functions' }).waitFor();
      return 'this server has none: the extension says so';
    }
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
    await p.goTo(3, 1);
    await p.page.keyboard.press('Shift+ArrowDown');
    await p.page.keyboard.press('Shift+ArrowDown');
    const mark = p.mark();
    await p.page.keyboard.press('Control+Shift+r'); // Refactor...
    const entry = p.page.locator('.action-widget .action, .action-widget .monaco-list-row').filter({ hasText: 'Seedling: write this function' });
    await entry.first().waitFor({ timeout: 30_000 });
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
    await until('all of them', async () => {
      await p.command('Go to the Next Edit');
      await p.page.waitForTimeout(600); // the extension asks again when a person pauses
      return !p.text('rename.go').includes('count');
    });
  },
};

// In a VS Code of its own, which starts without the program.
const missing = {
  async 'the program is missing'(p) {
    const toast = p.page.locator('.notification-toast').filter({ hasText: 'seedling.server.path' });
    await toast.waitFor();
    await p.says('failed');
    assert.equal(await toast.locator('.notification-list-item-buttons-container .monaco-button').count(), 1, 'one button');
    assert.ok(!p.passed().some((m) => m.started));
    await p.image('missing');
  },
};

let failed = 0;
async function drive(list, settings) {
  const wanted = Object.entries(list).filter(([name]) => !only.length || only.some((o) => name.includes(o)));
  if (!wanted.length) return;
  const vscode = await open({ codeServer, server, vsix, files, settings });
  const person = new Person(vscode);
  try {
    if (list === tests) {
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
        if (process.env.FAILURES) await person.page.screenshot({ path: join(process.env.FAILURES, `failed-${failed}.png`) });
        await person.page.keyboard.press('Escape');
      }
    }
  } finally {
    await vscode.close();
  }
}
await drive(tests, {});
await drive(missing, { 'seedling.server.path': '/nowhere/seedling' });
process.exitCode = failed ? 1 : 0;
