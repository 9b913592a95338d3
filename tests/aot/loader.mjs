// Uses the modules amp and learner through their loaders, and checks what these promise. Prints what does not
// hold.
import { readFileSync } from 'node:fs';
import { load } from './amp.mjs';
import { load as loadLearner } from './learner.mjs';

const { x, y } = JSON.parse(readFileSync('expected.json'));
let failed = false;

function expect(good, what) {
  if (good) return;
  console.log(what);
  failed = true;
}

function expectError(action, message) {
  try {
    action();
  } catch (error) {
    return expect(error.message === message, `${error.message} instead of ${message}`);
  }
  expect(false, `no error: ${message}`);
}

const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);
const close = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= 1e-5);

const amp = await load();
const header = readFileSync('amp.h', 'utf8');
expect(header.includes(`AMP_RONDO_VERSION "${amp.version}"`), 'version');
expect(header.includes(`UINT64_C(0x${amp.hash.toString(16).padStart(16, '0')})`), 'hash');

const whole = amp.stream().run({ T: x.length, x }).y;
expect(whole instanceof Float32Array && close(whole, y), 'run differs from native code');

// Streams are independent; blocks of any size give the bits of single steps, through memory that grows.
const one = amp.stream(), two = amp.stream();
const steps = new Float32Array(x.length), blocks = [];
for (let t = 0; t < x.length; ++t) one.step({ x: [x[t]], y: steps.subarray(t, t + 1) });
for (let t = 0, size = 1; t < x.length; t += size++)
  blocks.push(...two.run({ T: Math.min(size, x.length - t), x: x.slice(t, t + size) }).y);
expect(same(steps, whole) && same(blocks, whole), 'blocks and steps differ');
expect(one.run({ T: 0, x: [] }).y.length === 0, 'no steps');
const long = amp.stream().run({ T: 100 * x.length, x: Array(100).fill(x).flat() }).y;
expect(same(long.slice(0, x.length), whole), 'a sequence that makes memory grow differs');

two.reset();
two.run({ T: 50, x: x.slice(0, 50) });
const saved = two.save();
const rest = two.run({ T: 150, x: x.slice(50) }).y;
expect(same(rest, whole.slice(50)), 'a second block differs');
const other = (await load({ wasm: readFileSync('amp.wasm') })).stream();
other.restore(saved);
expect(same(other.run({ T: 150, x: x.slice(50) }).y, rest), 'a restored stream differs');
two.free();

saved[0] ^= 1;
expectError(() => other.restore(saved),
  'rondo: amp.restore: bytes that are no saved state of this model with these dims');
expectError(() => one.run({ T: 2, x: [1] }), 'rondo: amp.run: x has 2 elements, not 1');
expectError(() => one.run({ x: [1] }), 'rondo: amp.run: T is a number from 0 to 2^31 - 1, not undefined');
expectError(() => one.step({ x: [1], z: 1 }), 'rondo: amp.step takes no z');
expectError(() => amp.weights, 'rondo: amp: its weights are in the module');

// Training changes the weights of all streams of a model, and of no other model.
const weights = readFileSync('learner_weights.bin');
const learner = await loadLearner({ weights }), fresh = await loadLearner({ weights });
const pupil = learner.stream({ B: 2 });
const batch = x.flatMap((value) => [value, -value]);
let first, last;
for (let update = 0; update < 60; ++update) {
  pupil.reset();
  last = pupil.train_step({ T: 200, x: batch, target: batch.map((value) => value / 2), lr: 1e-2 }).loss[0];
  first ??= last;
}
expect(last < 0.2 * first, `the loss goes from ${first} to ${last}`);
const T = x.length;
expect(close(fresh.stream({ B: 1 }).run({ T, x }).y, y), 'weights from outside');
expect(!close(learner.stream({ B: 1 }).run({ T, x }).y, y), 'training leaves the weights');
fresh.weights = learner.weights;
expect(same(fresh.stream({ B: 1 }).run({ T, x }).y, learner.stream({ B: 1 }).run({ T, x }).y), 'weights as bytes');
expectError(() => learner.stream(), 'rondo: learner.stream: B is a number from 0 to 2^31 - 1, not undefined');
expectError(() => (fresh.weights = [1]), `rondo: learner: weights are ${weights.length} bytes, not 1`);
process.exit(failed ? 1 : 0);
