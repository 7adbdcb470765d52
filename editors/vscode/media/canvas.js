// Draws the states of the canvas that the extension sends.
(() => {
  const by = (id) => document.getElementById(id);
  const [note, pre, controls, play, slider, which] = ['note', 'canvas', 'controls', 'play', 'step', 'which'].map(by);
  let steps = [];
  let timer;

  function draw(i) {
    slider.value = String(i);
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
    pre.replaceChildren(...out);
    which.textContent = ` ${i + 1} of ${steps.length}: forward pass ${s.forward}, block ${s.block + 1}, ${s.phase}`;
  }

  function run() {
    clearInterval(timer);
    let i = 0;
    draw(0);
    timer = setInterval(() => {
      if (++i >= steps.length) return clearInterval(timer);
      draw(i);
    }, 250);
  }

  play.addEventListener('click', run);
  slider.addEventListener('input', () => {
    clearInterval(timer);
    draw(Number(slider.value));
  });
  window.addEventListener('message', ({ data }) => {
    if (data.note) note.textContent = data.note;
    if (!data.canvas) return;
    steps = data.canvas.steps ?? [];
    const c = data.canvas;
    note.textContent = `${c.file}, line ${c.position.line + 1}: ${c.tokens} tokens in ${c.forwards} forward passes, ${c.ms.toFixed(1)} ms`;
    controls.hidden = steps.length === 0;
    slider.max = String(Math.max(0, steps.length - 1));
    pre.replaceChildren();
    if (steps.length) run();
  });
  acquireVsCodeApi().postMessage('there');
})();
