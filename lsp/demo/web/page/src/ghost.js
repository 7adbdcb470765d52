// Ghost text in CodeMirror: asked for with every change a person makes, drawn for the text
// that was answered and no other, kept while they type along.
import { LSPPlugin } from '@codemirror/lsp-client';
import { Prec, StateEffect, StateField } from '@codemirror/state';
import { Decoration, EditorView, keymap, ViewPlugin, WidgetType } from '@codemirror/view';

class Text extends WidgetType {
  constructor(text) { super(); this.text = text; }
  eq(other) { return other.text === this.text; }
  toDOM() {
    const e = document.createElement('span');
    e.className = 'ghost';
    e.textContent = this.text;
    return e;
  }
}

const show = StateEffect.define(); // {items, index} or null

/** What is left of an item at the cursor; null when it does not go on there. */
function rest(state, item) {
  const at = state.selection.main.head;
  if (!state.selection.main.empty || at < item.from) return null;
  const before = state.sliceDoc(item.from, at);
  if (!item.text.startsWith(before) || before.length === item.text.length) return null;
  if (state.sliceDoc(at, state.doc.lineAt(at).to) !== item.tail) return null;
  return item.text.slice(before.length);
}

const shown = StateField.define({
  create: () => null,
  update(value, tr) {
    for (const e of tr.effects) if (e.is(show)) value = e.value;
    return value && rest(tr.state, value.items[value.index]) ? value : null;
  },
  provide: (f) => EditorView.decorations.from(f, (value) => (view) => {
    const left = value && rest(view.state, value.items[value.index]);
    if (!left) return Decoration.none;
    const at = view.state.selection.main.head;
    return Decoration.set([Decoration.widget({ widget: new Text(left), side: 1 }).range(at)]);
  }),
});

function items(view, plugin, answer) {
  const at = view.state.selection.main.head;
  return (answer?.items ?? answer ?? []).map((it) => {
    const [from, to] = it.range ? [plugin.fromPosition(it.range.start), plugin.fromPosition(it.range.end)] : [at, at];
    return { from, over: Math.max(0, to - at), text: it.insertText, command: it.command, tail: view.state.sliceDoc(at, view.state.doc.lineAt(at).to) };
  });
}

let turn = 0;

async function ask(view, byHand, answered) {
  const plugin = LSPPlugin.get(view);
  if (!plugin) return;
  const mine = ++turn;
  const { doc, selection } = view.state;
  const start = performance.now();
  plugin.client.sync();
  let answer = null;
  try {
    answer = await plugin.client.request('textDocument/inlineCompletion', {
      textDocument: { uri: plugin.uri }, position: plugin.toPosition(selection.main.head), context: { triggerKind: byHand ? 1 : 2 },
    });
  } catch {
    return; // cancelled by a newer one, or the server is gone, which the page says
  }
  if (mine !== turn || view.state.doc !== doc || !view.state.selection.eq(selection)) return; // it is about another text
  const list = items(view, plugin, answer);
  const server = performance.now() - start;
  view.dispatch({ effects: show.of(list.length ? { items: list, index: byHand && list.length > 1 ? 1 : 0 } : null) });
  if (list.length) requestAnimationFrame(() => answered({ key: performance.now() - start, server }));
}

function take(part) {
  return (view) => {
    const value = view.state.field(shown);
    const item = value?.items[value.index];
    const left = item && rest(view.state, item);
    if (!left) return false;
    const text = part ? (/^\s*\w+|^\s*[^\w\s]+/.exec(left)?.[0] ?? left) : left;
    const at = view.state.selection.main.head;
    const whole = text.length === left.length;
    view.dispatch({ changes: { from: at, to: at + (whole ? item.over : 0), insert: text }, selection: { anchor: at + text.length }, userEvent: 'input.complete', scrollIntoView: true });
    if (whole && item.command) LSPPlugin.get(view)?.client.request('workspace/executeCommand', item.command).catch(() => {});
    return true;
  };
}

/** answered is told {key, server} in milliseconds of each suggestion that is drawn. */
export function ghostText(answered) {
  const cycle = (step) => (view) => {
    const value = view.state.field(shown);
    if (value && value.items.length > 1) view.dispatch({ effects: show.of({ items: value.items, index: (value.index + step + value.items.length) % value.items.length }) });
    else void ask(view, true, answered);
    return true;
  };
  return [
    shown,
    ViewPlugin.define(() => ({
      update(u) {
        // Whoever deletes, undoes or walks about wants no suggestion.
        if (u.docChanged && u.transactions.some((t) => t.isUserEvent('input')) && u.state.selection.main.empty) queueMicrotask(() => void ask(u.view, false, answered));
      },
    })),
    Prec.highest(keymap.of([
      { key: 'Tab', run: take(false) },
      { key: 'Ctrl-ArrowRight', run: take(true) },
      { key: 'Escape', run: (view) => (view.state.field(shown) ? (turn++, view.dispatch({ effects: show.of(null) }), true) : false) },
      { key: 'Alt-]', run: cycle(1) },
      { key: 'Alt-[', run: cycle(-1) },
    ])),
  ];
}
