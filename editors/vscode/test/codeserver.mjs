// A real VS Code without a desktop: code-server, with the packed extension, in Chromium.
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const here = new URL('.', import.meta.url).pathname;

/** Waits until look gives something; for events that only a file or a page shows. */
export async function until(what, look, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await look();
    if (v) return v;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

function freePort() {
  return new Promise((resolve) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

/** Installs the .vsix into a clean code-server and opens a folder of files in it. */
export async function open({ codeServer, server, vsix, files, settings = {}, user = {}, path = process.env.PATH }) {
  const dir = mkdtempSync(join(tmpdir(), 'seedling-vscode-'));
  const [work, data, ext, log] = ['work', 'data', 'ext', 'pipe.jsonl'].map((n) => join(dir, n));
  mkdirSync(work);
  mkdirSync(join(data, 'User'), { recursive: true });
  mkdirSync(join(data, 'Machine'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(work, name), text);
  writeFileSync(log, '');
  writeFileSync(join(data, 'User', 'settings.json'), JSON.stringify({
    'workbench.startupEditor': 'none', 'security.workspace.trust.enabled': false, 'telemetry.telemetryLevel': 'off',
    'chat.commandCenter.enabled': false, 'workbench.secondarySideBar.defaultVisibility': 'hidden', 'files.autoSave': 'off',
    'editor.minimap.enabled': false, 'editor.inlineSuggest.enabled': true, 'editor.quickSuggestions': { other: 'off' },
    'editor.autoClosingBrackets': 'never', 'editor.formatOnType': false, 'git.enabled': false, 'editor.wordBasedSuggestions': 'off',
    'extensions.ignoreRecommendations': true, 'seedling.stats': false, ...user,
  }));
  // A setting of the machine: VS Code takes it from here when it serves a browser.
  writeFileSync(join(data, 'Machine', 'settings.json'), JSON.stringify({ 'seedling.server.path': join(here, 'pipe.mjs'), ...settings }));
  const common = ['--user-data-dir', data, '--extensions-dir', ext];
  execFileSync(process.execPath, [codeServer, ...common, '--install-extension', vsix], { stdio: 'pipe' });
  const port = await freePort();
  const child = spawn(process.execPath, [codeServer, ...common, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`,
    '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', work], {
    env: { ...process.env, PATH: path, VSCODE_CLI: '1' /* else a shell says what PATH is */, SEEDLING_PIPE_LOG: log, SEEDLING_PIPE_SERVER: server }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const s of [child.stdout, child.stderr]) s.on('data', (b) => appendFileSync(join(dir, 'code-server.log'), b));
  let browser;
  const close = async () => {
    await browser?.close();
    const over = new Promise((r) => child.once('exit', r));
    if (child.exitCode === null && child.kill('SIGTERM')) await over;
    if (!process.env.KEEP) rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    await until('code-server', () => fetch(`http://127.0.0.1:${port}/healthz`).then((r) => r.ok, () => false));
    const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
    const page = await browser.newPage({ viewport: { width: 960, height: 540 } });
    page.setDefaultTimeout(60_000); // a busy machine takes its time
    await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(work)}`, { timeout: 120_000 });
    await page.locator('.monaco-workbench').waitFor();
    const hold = (method, text = '') => writeFileSync(`${log}.hold`, `${method}\n${text}`);
    const release = () => rmSync(`${log}.hold`, { force: true });
    return { page, work, close, dir, hold, release, passed: () => readFileSync(log, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) };
  } catch (err) {
    await close();
    throw err;
  }
}
