// Typed in haste, with brackets and quotes closed by the editor as a new VS Code does it: what
// people hate is a key that is lost, a bracket that stands there twice, text that flickers.
import assert from 'node:assert/strict';
import { until } from './codeserver.mjs';

export const user = { 'editor.autoClosingBrackets': 'languageDefined' };

const page = `package main

import (
	"fmt"
	"os"
)

func load(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	fmt.Println(path, "loaded")
	return data, nil
}

func main() {
	x

	y
}
`;
const names = ['main', 'on', 'off', 'along', 'closed', 'order', 'several'];
export const files = Object.fromEntries(names.map((n) => [`${n}.go`, page])); // each test has its own
const x = page.split('\n').findIndex((l) => l === '\tx') + 1;

/** Random whole numbers below n, the same in every run. */
function randoms(seed) {
  let state = seed;
  return (n) => (state = (state * 1103515245 + 12345) % 2147483648, Math.floor(state / 65536) % n);
}
const keys = ['r', 'e', 't', 'f', 'm', 't', '.', ' ', '(', ')', '{', '}', '[', '"', ',', 'i', 'f', 'é', 'Enter', 'Backspace', 'Backspace', 'Control+Backspace',
  'ArrowLeft', 'ArrowRight', 'ArrowUp', 'End', 'Home', 'Delete', 'Escape', 'Control+z', 'Control+y', 'Alt+BracketRight'];

/** What is painted in the line of the cursor, in every frame from now on: {text, ghost}. */
async function film(p) {
  await p.page.evaluate(() => {
    window.frames_ = [];
    const ghosts = '.ghost-text, .ghost-text-decoration, .inline-decoration-ghost-text';
    const look = () => {
      const cursor = document.querySelector('.monaco-editor.focused .cursor')?.getBoundingClientRect();
      const line = [...document.querySelectorAll('.monaco-editor.focused .view-line')].find((l) => {
        const r = l.getBoundingClientRect();
        return cursor && Math.abs(r.top - cursor.top) < 4;
      });
      if (line) {
        const frame = JSON.stringify({ text: line.textContent.replaceAll('\u00a0', ' ').trimEnd(), ghost: [...line.querySelectorAll(ghosts)].map((g) => g.textContent).join('').replaceAll('\u00a0', ' ') });
        if (window.frames_.at(-1) !== frame) window.frames_.push(frame);
      }
      if (window.frames_) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  return async () => (await p.page.evaluate(() => { const f = window.frames_; window.frames_ = undefined; return f; })).map((f) => JSON.parse(f));
}

/** Types words until there is ghost text of some length; gives it. */
async function along(p, words, length) {
  for (const w of words) {
    const mark = p.mark();
    await (w === 'Enter' ? p.page.keyboard.press(w) : p.type(w));
    const answer = await until('an answer', () => {
      const news = p.since(mark).filter((m) => m.method === 'textDocument/inlineCompletion');
      const asked = news.filter((m) => m.to === 'server').at(-1);
      return asked && news.find((m) => m.to === 'editor' && m.id === asked.id);
    }, 5000).catch(() => undefined); // what is typed along is not always asked about
    if (answer && !answer.result?.items?.length) continue;
    const shown = await p.ghost(3000).catch(() => '');
    if (shown.split('\n')[0].trimEnd().length >= length) return shown;
  }
  throw new Error('no ghost text to type along');
}

/** Opens a file and empties its line x, but for the indentation. */
async function empty(p, name) {
  await p.file(name);
  await p.goTo(x, 100);
  await p.page.keyboard.press('Shift+Home');
  await p.page.keyboard.press('Backspace');
  await until('an empty line', () => p.line(name, x) === '\t');
}

export const tests = {
  async 'what is typed along does not flicker, nor change'(p) {
    await empty(p, 'along.go');
    const shown = (await along(p, ['if ', 'err ', '!= ', 'nil ', '{', 'Enter', 'return ', 'nil, ', 'fmt', '.'], 8)).split('\n')[0];
    const end = await film(p);
    const typed = shown.slice(0, -1);
    for (const c of typed) {
      await p.page.keyboard.press(c === ' ' ? 'Space' : c);
      await p.page.waitForTimeout(30);
    }
    const frames = await end();
    await p.page.keyboard.press('Escape');
    assert.ok(frames.length > 3, 'frames');
    assert.equal(new Set(frames.map((f) => f.text)).size, 1, `what stands there changes: ${JSON.stringify(frames)}`);
    // In the end all of it may stand there: the editor closed the last bracket.
    const bare = frames.findIndex((f) => !f.ghost);
    assert.ok(bare < 0 || bare === frames.length - 1, `frame ${bare} of ${frames.length} has no ghost text`);
  },

  async 'brackets and quotes that the editor closed do not stand there twice'(p) {
    for (const typed of ['data, err := os.ReadFile(', 'fmt.Println(pa']) {
      await empty(p, 'closed.go');
      await p.type(typed);
      const shown = (await p.ghost()).split('\n')[0].trim();
      const before = p.line('closed.go', x);
      await p.page.keyboard.press('Tab');
      await until('the suggestion', () => p.line('closed.go', x) !== before);
      const line = p.line('closed.go', x);
      const count = (sign) => line.split(sign).length;
      assert.ok(line.startsWith(`\t${typed}`) && line.includes(shown.replace(/[)"]+$/, '')), `${typed} and ${shown} gave ${line}`);
      assert.ok(count('(') === count(')') && count('"') % 2 === 1, `${typed} and ${shown} gave ${line}`);
      await p.page.keyboard.press('Escape');
    }
  },

  async 'keys before and behind Tab keep their places'(p) {
    await empty(p, 'order.go');
    const shown = await along(p, ['data', ', err', ' := ', 'os.', 'Read'], 6);
    assert.ok(!shown.includes('\n'), shown);
    const before = p.line('order.go', x) + shown[0];
    await p.page.keyboard.press(shown[0]); // typed along, taken, and on, with no pause
    await p.page.keyboard.press('Tab');
    await p.type(' // z');
    await until('all of it', () => p.line('order.go', x).endsWith('// z'));
    assert.equal(p.line('order.go', x).replace(/\s+\/\/ z$/, ''), (before + shown.slice(1)).trimEnd());
    const all = p.line('order.go', x);
    for (let i = 0; i < 12 && p.line('order.go', x) !== before; i++) {
      const was = p.line('order.go', x);
      await p.page.keyboard.press('Control+z');
      await until('a step back', () => p.line('order.go', x) !== was);
    }
    assert.equal(p.line('order.go', x), before, `undone, of ${all}`);
    await p.noGhost(); // nobody asked for it: what was just undone is not offered at once
  },

  async 'with several cursors'(p) {
    await empty(p, 'several.go');
    await p.command('Add Cursor Below');
    const typed = 'data, err := os.Read';
    await p.type(typed);
    await p.ghost();
    await p.page.keyboard.press('Tab');
    const both = () => [x, x + 1].map((n) => p.line('several.go', n).trim());
    await until('both lines', () => both().every((l) => l.length > typed.length));
    assert.equal(both()[0], both()[1], 'each line has it');
    assert.ok(both()[0].startsWith(typed), both()[0]);
    await p.page.keyboard.press('Escape');
    await p.page.keyboard.press('Escape');
  },

  async 'whoever takes nothing has typed what they typed, however fast'(p) {
    const texts = {};
    for (const name of ['off.go', 'on.go']) {
      await p.command('Seedling: Pause or Resume Suggestions'); // first they are paused
      await p.says(name === 'on.go' ? 'ready' : 'paused');
      await empty(p, name);
      const mark = p.mark();
      for (const seed of [1, 2, 3]) {
        const random = randoms(seed);
        for (let i = 0; i < 80; i++) {
          const key = keys[random(keys.length)];
          await (key === 'é' ? p.page.keyboard.insertText(key) : p.page.keyboard.press(key));
          if (random(6) === 0) await p.page.waitForTimeout(random(60)); // an answer may come here
        }
      }
      await p.page.keyboard.press('Escape');
      await p.quiet();
      texts[name] = p.text(name);
      const answers = p.since(mark).filter((m) => m.to === 'editor' && m.method === 'textDocument/inlineCompletion' && m.result?.items?.length);
      assert.equal(answers.length > 0, name === 'on.go', `${answers.length} suggestions in ${name}`);
    }
    assert.equal(texts['on.go'], texts['off.go']);
  },
};
