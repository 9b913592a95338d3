// Writes in Node what the page writes. usage: node write.mjs [BEGIN [CHARACTERS [TEMPERATURE [SEED]]]]
import { load } from './char_lm.mjs';
import { Writer } from './writer.mjs';

const [begin = '', count = 500, temperature = 0.8, seed = 1] = process.argv.slice(2);
const writer = new Writer(await load());
process.stdout.write(writer.start(begin));
const start = performance.now();
for (let i = 0; i < count; ++i) process.stdout.write(new Uint8Array([writer.next(Number(temperature), Number(seed))]));
console.error(`\n${(1000 * (performance.now() - start) / count).toFixed(0)} us a character`);
