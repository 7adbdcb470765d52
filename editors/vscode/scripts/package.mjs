// Makes the .vsix: `npm run package`, or with the server in it, for one platform,
// `npm run package -- --bundle PATH/TO/seedling --target linux-x64`.
import { createVSIX } from '@vscode/vsce';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import './build.mjs';

const { values } = parseArgs({ options: { bundle: { type: 'string' }, target: { type: 'string' }, out: { type: 'string' } } });
if (values.bundle && !values.target) {
  throw new Error('a package with the server in it is for one platform: say --target, as in linux-x64');
}
const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
rmSync('bin', { recursive: true, force: true });
if (values.bundle) {
  const file = `bin/seedling${values.target.startsWith('win32') ? '.exe' : ''}`;
  mkdirSync('bin');
  copyFileSync(values.bundle, file);
  chmodSync(file, 0o755);
}
const packagePath = values.out ?? `${name}-${values.target ? values.target + '-' : ''}${version}.vsix`;
await createVSIX({ packagePath, dependencies: false, target: values.target });
const size = statSync(packagePath).size;
console.log(`${packagePath}: ${(size / 1000).toFixed(0)} kB`);
if (!values.bundle && size > 200_000) {
  throw new Error('the package is over 200 kB without the server: see what grew');
}
