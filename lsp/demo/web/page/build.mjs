// Bundles the page into a folder: node build.mjs DIR
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const to = process.argv[2] ?? join(here, '../assets');
mkdirSync(to, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here, entryPoints: ['src/page.js'], outfile: join(to, 'page.js'), bundle: true, minify: true, format: 'iife',
  target: 'es2022', legalComments: 'none', logLevel: 'warning', metafile: true, write: true,
});
// What is bundled asks for its licence to be kept.
const packages = new Set(Object.keys(metafile.inputs).map((f) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(f)?.[1]).filter(Boolean));
const texts = [...packages].sort().map((p) => {
  const dir = join(here, 'node_modules', p);
  const file = readdirSync(dir).find((f) => /^licen[sc]e/i.test(f));
  const { version } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  return `${p} ${version}\n\n${file && existsSync(join(dir, file)) ? readFileSync(join(dir, file), 'utf8').trim() : 'no licence file'}\n`;
});
writeFileSync(join(to, 'LICENSES.txt'), texts.join('\n---\n\n'));
