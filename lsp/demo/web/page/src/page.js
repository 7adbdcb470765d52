// The playground: wiring only.
import { closeBrackets } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { go } from '@codemirror/lang-go';
import { python } from '@codemirror/lang-python';
import { bracketMatching, defaultHighlightStyle, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { LSPClient } from '@codemirror/lsp-client';
import { tags } from '@lezer/highlight';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { showCanvas } from './canvas.js';
import { files } from './files.js';
import { ghostText } from './ghost.js';

const by = (id) => document.getElementById(id);
const times = [];

function transport(socket) {
  const handlers = new Set();
  socket.addEventListener('message', (e) => handlers.forEach((h) => h(e.data)));
  return { send: (m) => socket.send(m), subscribe: (h) => handlers.add(h), unsubscribe: (h) => handlers.delete(h) };
}

const ms = (x) => `${x.toFixed(1)} ms`;

function answered({ key, server }) {
  times.push(key);
  by('key').textContent = ms(key);
  by('server').textContent = ms(server);
  by('count').textContent = String(times.length);
  by('median').textContent = ms([...times].sort((a, b) => a - b)[times.length >> 1]);
}

const dark = HighlightStyle.define([
  { tag: tags.keyword, color: '#c58af9' }, { tag: [tags.string, tags.special(tags.string)], color: '#9ad19f' }, { tag: tags.comment, color: '#8d9891' },
  { tag: [tags.number, tags.bool, tags.null], color: '#e0b06c' }, { tag: [tags.typeName, tags.className], color: '#7fc4d6' },
], { themeType: 'dark' });
const isDark = matchMedia('(prefers-color-scheme: dark)').matches;

const client = new LSPClient({
  rootUri: null,
  extensions: [{
    clientCapabilities: { textDocument: { inlineCompletion: { dynamicRegistration: false } }, experimental: { seedlingStatus: true } },
    notificationHandlers: {
      'seedling/canvas': (_, c) => (showCanvas(c), true),
      'seedling/status': (_, s) => ((by('state').textContent = s.message ? `${s.state}: ${s.message}` : `${s.state}, model ${s.model}`), true),
      'window/logMessage': () => true,
      'window/showMessage': (_, m) => ((by('state').textContent = m.message), true),
    },
  }],
});

let view;
const states = new Map();

function open(name) {
  if (view) {
    states.set(view.file, view.state);
    view.destroy();
  }
  const f = files.find((x) => x.name === name);
  const at = f.text.indexOf('‸');
  const isGo = f.name.endsWith('.go');
  const state = states.get(name) ?? EditorState.create({
    doc: f.text.replace('‸', ''), selection: { anchor: at },
    extensions: [
      lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(), EditorView.lineWrapping,
      isGo ? [go(), indentUnit.of('\t'), EditorState.tabSize.of(4)] : [python(), indentUnit.of('    ')],
      syntaxHighlighting(isDark ? dark : defaultHighlightStyle), EditorView.theme({}, { dark: isDark }),
      ghostText(answered),
      keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
      client.plugin(`file:///playground/${f.name}`, isGo ? 'go' : 'python'),
    ],
  });
  view = new EditorView({ state, parent: by('editor') });
  view.file = name;
  view.focus();
}

for (const f of files) by('file').append(new Option(f.name));
by('file').addEventListener('change', (e) => open(e.target.value));

const socket = new WebSocket(new URL('lsp', location.href.replace(/^http/, 'ws')));
socket.addEventListener('close', () => {
  by('state').textContent = 'the server ended: start seedling demo --web again';
});
socket.addEventListener('open', async () => {
  client.connect(transport(socket));
  await client.initializing;
  await client.request('seedling/watchCanvas', { watch: true });
  by('state').textContent = 'ready';
  open(files[0].name);
});
