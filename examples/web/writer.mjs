// A text by the model, byte after byte: from ids to bytes and back. For browsers and Node.
import { prime, symbols } from './char_lm_symbols.mjs';

const ids = new Map(symbols.map((byte, id) => [byte, id]));

export class Writer {
  #stream;
  #unread;  // ids that the model has yet to read

  constructor(model) {
    this.#stream = model.stream();
  }

  /** Starts anew, behind `text` without the bytes that the model has never seen. Returns the bytes it starts with. */
  start(text) {
    const known = [...new TextEncoder().encode(text)].filter((byte) => ids.has(byte));
    this.#unread = known.length ? known.map((byte) => ids.get(byte)) : prime;
    this.#stream.reset();
    return new Uint8Array(this.#unread.map((id) => symbols[id]));
  }

  /** The next byte of the text. */
  next(temperature, seed) {
    const primed = this.#unread;
    this.#unread = [];
    const settings = { temperature, seed, top_k: 0 };
    return symbols[this.#stream.generate({ P: primed.length, N: 1, prime: primed, ...settings }).ids[0]];
  }
}
