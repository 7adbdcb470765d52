#!/usr/bin/env node
// Stands between VS Code and the server: passes everything on, and writes one JSON line for
// each message to $SEEDLING_PIPE_LOG, with the time at which it passed. So the test waits for
// what happened, and the latency script tells the server's share from the editor's. What the
// server sends from a message on whose method stands in the file $SEEDLING_PIPE_LOG.hold (and that
// holds the text on its second line, if there is one) waits as long as that file is there: so a
// test sees what is on the screen meanwhile.
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';

const log = process.env.SEEDLING_PIPE_LOG;
const server = spawn(process.env.SEEDLING_PIPE_SERVER, process.argv.slice(2), { stdio: ['pipe', 'pipe', 'inherit'] });
const note = (o) => appendFileSync(log, JSON.stringify({ at: performance.timeOrigin + performance.now(), ...o }) + '\n');
note({ started: server.pid, pipe: process.pid });

/** Calls back with each whole message of a stream. */
function messages(heard) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.indexOf('\r\n\r\n');
      const length = end < 0 ? undefined : Number(/content-length: *(\d+)/i.exec(rest.subarray(0, end).toString())?.[1]);
      if (length === undefined || rest.length < end + 4 + length) return;
      heard(JSON.parse(rest.subarray(end + 4, end + 4 + length).toString()), rest.subarray(0, end + 4 + length));
      rest = rest.subarray(end + 4 + length);
    }
  };
}
const asked = new Map();
const toServer = messages((m) => {
  if (m.method && m.id !== undefined) asked.set(m.id, m.method);
  note({ to: 'server', method: m.method, id: m.id, params: m.params });
});
const queue = [];
const held = () => { // mostly the file is not there
  try { return readFileSync(`${log}.hold`, 'utf8').trim().split('\n'); } catch { return []; }
};
function send() {
  for (;;) {
    const [first] = queue;
    if (!first) return;
    const [method, text] = held();
    if (first.method === method && (!text || first.bytes.includes(text))) return void setTimeout(send, 20);
    queue.shift();
    note({ to: 'editor', ...first.said });
    process.stdout.write(first.bytes);
  }
}
const toEditor = messages((m, bytes) => {
  const method = m.method ?? asked.get(m.id);
  queue.push({ method, bytes, said: { method, id: m.id, params: m.params, result: m.result, error: m.error } });
  if (queue.length === 1) send();
});
process.stdin.on('data', (b) => { toServer(b); server.stdin.write(b); });
process.stdin.on('end', () => server.stdin.end());
server.stdout.on('data', toEditor);
server.on('exit', (code) => process.exit(code ?? 1));
process.on('SIGTERM', () => server.kill('SIGTERM'));
