// Lets the character language model write into the page, in the browser alone.
//
// What the address asks for is written at once: ?begin=The&temperature=0.5&seed=3&count=400
import { load } from './char_lm.mjs';
import { Writer } from './writer.mjs';

const element = (id) => document.getElementById(id);
const number = (id) => Number(element(id).value);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const writer = new Writer(await load());
let current = 0;  // the number of the text that is being written

const show = () => (element('degrees').value = number('temperature').toFixed(2));

/** Writes until it is stopped, another text begins, or `count` characters are there. */
async function write(count = Infinity) {
  const mine = ++current;
  const text = element('text');
  const decoder = new TextDecoder();
  text.textContent = decoder.decode(writer.start(element('begin').value), { stream: true });
  for (let done = 1, time = 0; done <= count; ++done) {
    await pause(10);
    if (current !== mine) return;
    const start = performance.now();
    const byte = writer.next(number('temperature'), number('seed'));
    time += performance.now() - start;
    text.append(decoder.decode(new Uint8Array([byte]), { stream: true }));
    element('status').textContent = `${done} characters, ${(1000 * time / done).toFixed(0)} µs each`;
  }
}

element('temperature').addEventListener('input', show);
element('stop').addEventListener('click', () => ++current);
element('settings').addEventListener('submit', (event) => {
  event.preventDefault();
  write();
});

const asked = new URLSearchParams(location.search);
for (const id of ['begin', 'temperature', 'seed']) if (asked.has(id)) element(id).value = asked.get(id);
show();
element('status').textContent = 'Ready.';
if (asked.has('count')) write(Number(asked.get('count')));
