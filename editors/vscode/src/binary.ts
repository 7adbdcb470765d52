// Where the server's binary is. Nothing here knows VS Code, so that it is tested alone.
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';

/** What the search is given: the setting (empty: not set), PATH, and the extension's folder. */
export interface Places {
  setting: string;
  path: string;
  extension: string;
  platform: NodeJS.Platform;
}

/** A binary that was found, or why there is none, for a person. */
export type Found = { file: string; by: 'setting' | 'PATH' | 'bundled' } | { missing: string };

/**
 * Looks for the binary: where the setting says, then on PATH, then beside the extension. A
 * setting that names nothing that runs is an error: nobody wants another binary than the one
 * that they named.
 */
export function find(p: Places): Found {
  const name = p.platform === 'win32' ? 'seedling.exe' : 'seedling';
  const setting = p.setting.trim();
  if (setting !== '') {
    const file = setting === '~' || setting.startsWith('~/') ? join(homedir(), setting.slice(1)) : setting;
    if (!isAbsolute(file)) {
      return { missing: `The setting seedling.server.path is “${setting}”, which is no absolute path.` };
    }
    if (!runs(file)) {
      return { missing: `The setting seedling.server.path is “${setting}”, where there is no program.` };
    }
    return { file, by: 'setting' };
  }
  for (const dir of p.path.split(delimiter)) {
    // A relative entry would run what lies in the folder that is open.
    if (isAbsolute(dir) && runs(join(dir, name))) {
      return { file: join(dir, name), by: 'PATH' };
    }
  }
  const bundled = join(p.extension, 'bin', name);
  if (runs(bundled)) {
    return { file: bundled, by: 'bundled' };
  }
  return { missing: 'Seedling’s program was not found: it is not on PATH, and this package brings none.' };
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
