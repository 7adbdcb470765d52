// What a person does and sees in a VS Code that codeserver.mjs opened.
import { join } from 'node:path';
import { until } from './codeserver.mjs';

const here = new URL('.', import.meta.url).pathname;
export const images = process.argv.includes('--images');
const ghost = '.ghost-text, .ghost-text-decoration, .suggest-preview-text, .inline-decoration-ghost-text';

export class Person {
  constructor(vscode) {
    Object.assign(this, vscode);
    this.vscode = vscode;
  }
  async image(name) {
    if (images) await this.page.screenshot({ path: join(here, 'images', `${name}.png`) });
  }
  status() { return this.page.locator('.statusbar-item[id="seedling-lsp.seedling.seedling.status"], [id*="seedling.status"]').first(); }
  async says(state) { await until(`the state ${state}`, async () => (await this.status().innerHTML().catch(() => '')).includes(`Seedling: ${state}`) || (await this.status().getAttribute('aria-label').catch(() => ''))?.includes(`Seedling: ${state}`), 60_000); }
  async command(name, timeout = 60_000) {
    await this.page.keyboard.press('F1');
    const box = this.page.locator('.quick-input-widget input.input');
    await box.waitFor();
    await box.fill(`>${name}`);
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first().click({ timeout });
  }
  async file(name) {
    const box = this.page.locator('.quick-input-widget input.input');
    await until('the list of files', async () => { // a view that is just opened takes the focus, and closes it
      await this.page.keyboard.press('Control+p');
      return box.waitFor({ timeout: 5000 }).then(() => this.page.waitForTimeout(200)).then(() => box.isVisible(), () => false);
    });
    await box.fill(name);
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first().click();
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
  /** The ghost text, when it stands still: that of an answer before the last gives way to it. */
  async ghost(timeout = 30_000) {
    const look = async () => (await this.page.locator(ghost).allInnerTexts()).join('').replaceAll('\u00a0', ' ');
    await this.page.locator(ghost).first().waitFor({ timeout });
    let shown = await look();
    return until('ghost text that stands still', async () => {
      const was = shown;
      await this.page.waitForTimeout(150);
      shown = await look();
      return shown === was && shown;
    }, timeout);
  }
  /** Waits until nothing was said to the server, nor by it, for a second. */
  async quiet() {
    await until('a second of quiet', async () => {
      const before = this.mark();
      await this.page.waitForTimeout(1000);
      return this.mark() === before;
    });
  }
  /** What stood where when a test failed, in words: a log may be all that is left of it. */
  async where() {
    const seen = await this.page.evaluate(() => ({
      focus: document.activeElement?.className,
      line: [...document.querySelectorAll('.monaco-editor .current-line')].length && [...document.querySelectorAll('.monaco-editor .view-line')].map((l) => l.textContent).join('⏎').slice(0, 1500),
      status: document.querySelector('[id*="seedling.status"] a')?.getAttribute('aria-label'),
      widgets: [...document.querySelectorAll('.quick-input-widget, .suggest-widget.visible, .notification-toast')].filter((w) => w.checkVisibility()).map((w) => w.textContent.slice(0, 200)),
    })).catch((err) => String(err));
    const said = this.passed().slice(-30).map((m) => `${m.started ? 'started' : `→${m.to} ${m.method} ${m.id ?? ''}`}`);
    return JSON.stringify({ seen, said }, null, 1);
  }
  /** A window just opened asks for nothing in its first moments, and the server is still reading the folder. */
  async settled() { await this.page.waitForTimeout(3000); }
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
  /** Goes from next edit to next edit, and makes each, until a word stands in a file no more. */
  async takeAll(name, word) {
    await until(`no ${word} in ${name}`, async () => {
      // There is no such command while the extension waits for a pause, and for the server.
      await this.command('Go to the Next Edit', 2000).catch(() => this.page.keyboard.press('Escape'));
      await this.page.waitForTimeout(600);
      return !this.text(name).includes(word);
    }, 120_000);
  }
  line(name, n) { return this.text(name).split('\n')[n - 1]; }
  mark() { return this.passed().length; }
  since(mark) { return this.passed().slice(mark); }
}
