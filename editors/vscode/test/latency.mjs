// How long a key takes to become ghost text, as a person sees it: from the key to the frame
// in which the ghost text is painted, and of that the server's share (request to answer at
// its pipes). Same variables as editor.mjs; not a test: it prints figures.
import { join } from 'node:path';
import { open } from './codeserver.mjs';

const here = new URL('.', import.meta.url).pathname;
const keys = Number(process.argv[2] ?? 40);
const lines = ['fmt.Println("hello")', 'data, err := os.ReadFile(path)'];
const file = `package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc show(path string) {\n\t${lines[1]}\n\tfmt.Println(data, err)\n\t${lines[0]}\n\n}\n`;
const v = await open({ codeServer: process.env.CODE_SERVER, server: process.env.SEEDLING ?? join(here, '../../../seedling'),
  vsix: process.env.VSIX ?? join(here, '../seedling-0.1.0.vsix'), files: { 'main.go': file } });
const seen = [];
const server = [];
try {
  const { page } = v;
  await page.keyboard.press('Control+p');
  await page.locator('.quick-input-widget input.input').fill('main.go');
  await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: 'main.go' }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.monaco-editor .view-line').first().waitFor();
  await page.locator('[id*="seedling.status"] .codicon-sparkle').waitFor({ timeout: 60_000 });
  await page.keyboard.press('Control+g');
  await page.locator('.quick-input-widget input.input').fill(':12:1');
  await page.keyboard.press('Enter');
  await page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  await page.keyboard.type('\t');
  // In the page: the time of a key, and of the first frame after it that has its ghost text.
  await page.evaluate(() => {
    window.addEventListener('keydown', (e) => {
      if (e.key.length !== 1 || e.ctrlKey) return;
      const start = performance.now();
      window.painted = undefined;
      const shown = () => [...document.querySelectorAll('.ghost-text, .ghost-text-decoration')].map((n) => n.textContent).join('');
      const before = shown();
      const look = () => {
        const now = shown();
        if (now && now !== before) requestAnimationFrame(() => (window.painted = performance.now() - start));
        else if (performance.now() - start < 1500) requestAnimationFrame(look);
        else window.painted = -1;
      };
      requestAnimationFrame(look);
    }, { capture: true });
  });
  for (let i = 0; seen.length < keys && i < 6 * keys; i++) {
    const line = lines[i % lines.length];
    for (const key of line.slice(0, 8)) {
      const from = v.passed().length;
      await page.keyboard.type(key);
      await page.waitForFunction(() => window.painted !== undefined, undefined, { timeout: 5000 });
      const ms = await page.evaluate(() => window.painted);
      if (ms < 0) continue; // nothing to show for this key, or what stands there goes on
      const news = v.passed().slice(from).filter((m) => m.method === 'textDocument/inlineCompletion');
      const ask = news.find((m) => m.to === 'server');
      const answer = ask && news.find((m) => m.to === 'editor' && m.id === ask.id);
      if (!answer) continue; // painted of what was at hand: no share of the server's
      seen.push(ms);
      server.push(answer.at - ask.at);
    }
    await page.keyboard.press('Escape');
    for (let n = 0; n < 8; n++) await page.keyboard.press('Backspace');
  }
} finally {
  await v.close();
}
const at = (a, q) => [...a].sort((x, y) => x - y)[Math.min(a.length - 1, Math.floor(q * a.length))].toFixed(1);
console.log(JSON.stringify({ keys: seen.length, painted_ms: { p50: at(seen, 0.5), p95: at(seen, 0.95) }, server_ms: { p50: at(server, 0.5), p95: at(server, 0.95) } }));
