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
  async ghost(timeout = 30_000) { await this.page.locator(ghost).first().waitFor({ timeout }); return (await this.page.locator(ghost).allInnerTexts()).join('').replaceAll('\u00a0', ' '); }
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
