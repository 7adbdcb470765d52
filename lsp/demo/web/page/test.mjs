// Drives the playground in Chromium, as a person would:
//   SEEDLING=…/seedling node test.mjs [--image FILE]
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const server = spawn(process.env.SEEDLING, ['demo', '--web'], { stdio: ['ignore', 'pipe', 'inherit'] });
const url = await new Promise((resolve, reject) => {
  let out = '';
  server.stdout.on('data', (b) => {
    out += b;
    const m = /http:\S+/.exec(out);
    if (m) resolve(m[0]);
  });
  server.once('exit', (code) => reject(new Error(`seedling demo --web ended with ${code}: ${out}`)));
});
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 620 } });
  const problems = [];
  page.on('pageerror', (e) => problems.push(String(e)));
  page.on('console', (m) => m.type() === 'error' && problems.push(m.text()));
  page.on('request', (r) => { if (!r.url().startsWith(new URL(url).origin) && !r.url().startsWith('ws://127.0.0.1')) problems.push(`asks for ${r.url()}`); });
  await page.goto(url);
  await page.locator('.cm-content').waitFor();
  const ghost = page.locator('.ghost');
  const text = () => page.evaluate(() => document.querySelector('.cm-content').cmTile?.view?.state.doc.toString() ?? document.querySelector('.cm-content').cmView.view.state.doc.toString());
  const words = ['if ', 'err ', '!= ', 'nil ', '{', 'Enter', 'return ', 'fmt', '.'];
  let shown = '';
  for (const w of words) {
    if (w === 'Enter') await page.keyboard.press('Enter');
    else await page.keyboard.type(w);
    if (await ghost.first().waitFor({ timeout: 1500 }).then(() => true, () => false)) {
      shown = await ghost.first().textContent();
      if (shown.length > 8) break;
    }
  }
  assert.ok(shown, 'ghost text is drawn');
  await page.waitForTimeout(1500); // the canvas plays
  const at = process.argv.indexOf('--image');
  if (at > 0) await page.screenshot({ path: process.argv[at + 1] });
  assert.match(await page.locator('#key').textContent(), /ms$/);
  assert.ok((await page.locator('#canvas').textContent()).length > 0, 'the canvas is drawn');
  const before = await text();
  await page.keyboard.press('Tab');
  const after = await text();
  assert.ok(after.length === before.length + shown.length && after.includes(shown), `${JSON.stringify(shown)} was taken`);
  await page.keyboard.press('Control+z');
  assert.equal(await text(), before, 'one step of undo');
  await page.keyboard.press('Escape');
  await page.selectOption('#file', 'account.py');
  await page.locator('.cm-content').getByText('class').first().waitFor();
  await page.keyboard.type('if amount');
  await ghost.first().waitFor();
  console.log(`ok   ghost text, Tab, undo, another file; key to ghost text ${await page.locator('#median').textContent()}`);
  assert.deepEqual(problems, []);
  server.removeAllListeners('exit');
  const over = new Promise((r) => server.once('exit', r));
  server.kill('SIGINT');
  assert.equal(await over, 0, 'it ends well on Ctrl-C');
  await page.getByText('the server ended').waitFor();
  console.log('ok   the page says that the server ended');
} finally {
  await browser.close();
  server.kill();
}
