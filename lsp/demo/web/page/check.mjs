// Says whether the committed bundle is what the sources give.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
const to = mkdtempSync(join(tmpdir(), 'playground-'));
try {
  execFileSync(process.execPath, [join(here, 'build.mjs'), to], { stdio: 'inherit' });
  for (const f of ['page.js', 'LICENSES.txt']) {
    if (!readFileSync(join(to, f)).equals(readFileSync(join(here, '../assets', f)))) throw new Error(`assets/${f} is not what page/ gives: npm run build`);
  }
  console.log('ok   the committed bundle is what the sources give');
} finally {
  rmSync(to, { recursive: true });
}
