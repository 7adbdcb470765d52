// How a suggestion came to be, step by step.
const by = (id) => document.getElementById(id);
let steps = [];
let timer;

function draw(i) {
  by('step').value = String(i);
  const s = steps[i];
  const out = [];
  const piece = (text, kind, title) => {
    const e = document.createElement('span');
    e.textContent = text;
    e.className = kind;
    if (title) e.title = title;
    out.push(e);
  };
  if (s.done) piece(s.done, 'done');
  for (const c of s.cells ?? []) {
    if (c.masked) piece('░', 'masked');
    else piece(c.text, c.changed ? 'changed' : 'placed', c.prob ? `${(100 * c.prob).toFixed(0)} %` : 'found in the code around');
  }
  by('canvas').replaceChildren(...out);
  by('which').textContent = `${i + 1} of ${steps.length}: forward pass ${s.forward}, ${s.phase}`;
}

function run() {
  clearInterval(timer);
  let i = 0;
  draw(0);
  timer = setInterval(() => (++i < steps.length ? draw(i) : clearInterval(timer)), 200);
}

by('play').addEventListener('click', run);
by('step').addEventListener('input', () => {
  clearInterval(timer);
  draw(Number(by('step').value));
});

/** Shows a canvas of the server (seedling/canvas). */
export function showCanvas(c) {
  steps = c.steps ?? [];
  by('tokens').textContent = String(c.tokens);
  by('forwards').textContent = String(c.forwards);
  by('controls').hidden = steps.length === 0;
  by('step').max = String(Math.max(0, steps.length - 1));
  if (steps.length) run();
}
