// The parts of NAME.mjs that are the same for all libraries: see wasm_loader.cpp.
#pragma once

namespace rondo::library {

inline constexpr const char* kWasmIntroduction =
    R"js(// {name}: a model compiled by Rondo {version}, for Node and browsers. Made by a program.
//
//     import {{ load }} from './{name}.mjs';
//     const model = await load();                  // {name}.wasm beside this file
//     const stream = model.stream({dims});
//
// A stream is one use of the model, with a state of its own, zero at first. Its functions take what they need
// by name, numbers and arrays in row-major order (f32: Float32Array, f64: Float64Array, i32: Int32Array, pred:
// Uint8Array), and give new arrays; an array given under an output's name is filled instead. What is wrong with
// the arguments is an Error.
//
{methods}//   stream.reset(); stream.save() gives bytes, from which stream.restore(bytes) goes on; stream.free()
//
// load({{ wasm }}) takes a URL, bytes or a WebAssembly.Module. model.version and model.hash tell what it is.
{weights}
)js";

inline constexpr const char* kWasmWeights =
    R"js(// The weights are in the model's memory, laid out as in the C header, one copy for all its streams: load({ weights })
// and model.weights = bytes set them, model.weights gives a copy of them.
)js";

inline constexpr const char* kWasmRuntime = R"js(
const ARRAYS = { f32: Float32Array, f64: Float64Array, i32: Int32Array, pred: Uint8Array };
const ALIGN = 64, PAGE = 65536, MOST = 2 ** 31 - 1;
const WRONG = ['', 'a null pointer', 'a misaligned pointer', 'a dim out of range', 'an index that is no row of its table',
  'bytes that are no saved state of this model with these dims'];

/** The module and its memory. Blocks that are released serve again where they are large enough. */
class Machine {
  #free = [];
  #end;

  constructor(exports) {
    this.exports = exports;
    this.#end = exports.heap_base.value;
  }

  allocate(bytes) {
    bytes = Math.ceil(Math.max(bytes, 1) / ALIGN) * ALIGN;
    const reused = this.#free.findIndex((block) => block.bytes >= bytes);
    if (reused >= 0) return this.#free.splice(reused, 1)[0];
    const { memory } = this.exports;
    const missing = this.#end + bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    const block = { at: this.#end, bytes };
    this.#end += bytes;
    return block;
  }

  release(block) {
    this.#free.push(block);
  }

  /** A view that holds until memory grows. */
  view(type, at, count) {
    return new ARRAYS[type](this.exports.memory.buffer, at, count);
  }

  call(name, ...args) {
    const status = this.exports[`${PREFIX}_${name}`](...args);
    if (status) throw new Error(`rondo: ${NAME}.${name}: ${WRONG[status]}`);
  }
}

async function bytesOf(wasm) {
  if (!(wasm instanceof URL || typeof wasm === 'string')) return wasm;
  const url = new URL(wasm, import.meta.url);
  if (url.protocol === 'file:' && globalThis.process) return (await import('node:fs/promises')).readFile(url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`rondo: ${NAME}: ${url}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

export async function load({ wasm = `./${NAME}.wasm`, weights } = {}) {
  const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(await bytesOf(wasm));
  return new Model(new Machine((await WebAssembly.instantiate(module)).exports), weights);
}

class Model {
  #machine;
  #blocks = {};  // and whether the weights have changed since they were prepared

  constructor(machine, weights) {
    this.#machine = machine;
    if (WEIGHTS_BYTES) this.#blocks.weights = machine.allocate(WEIGHTS_BYTES);
    if (PREPARED_BYTES) this.#blocks.prepared = machine.allocate(PREPARED_BYTES);
    this.#blocks.changed = true;
    if (OPTIMIZER_BYTES) this.#blocks.optimizer = machine.allocate(OPTIMIZER_BYTES);
    if (INIT) machine.call('init', ...INIT.map((name) => this.#blocks[name].at));
    if (weights) this.weights = weights;
    else if (WEIGHTS_BYTES && !INIT?.includes('weights')) throw new Error(`rondo: ${NAME}: load({ weights }) needs weights`);
  }

  stream(dims = {}) {
    return new Stream(this.#machine, this.#blocks, dims);
  }

  get weights() {
    return this.#weights().slice();
  }

  set weights(bytes) {
    const source = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    if (source.length !== WEIGHTS_BYTES)
      throw new Error(`rondo: ${NAME}: weights are ${WEIGHTS_BYTES} bytes, not ${source.length}`);
    this.#weights().set(source);
    this.#blocks.changed = true;
  }

  #weights() {
    if (!WEIGHTS_BYTES) throw new Error(`rondo: ${NAME}: its weights are in the module`);
    return this.#machine.view('pred', this.#blocks.weights.at, WEIGHTS_BYTES);
  }

  get hash() {
    return BigInt.asUintN(64, this.#machine.exports[`${PREFIX}_model_hash`]());
  }

  get version() {
    const { exports } = this.#machine;
    const text = new Uint8Array(exports.memory.buffer, exports[`${PREFIX}_version`]());
    return String.fromCharCode(...text.subarray(0, text.indexOf(0)));
  }
}

class Stream {
  static {
    for (const name of Object.keys(ENTRIES))
      this.prototype[name] = function (args = {}) {
        return this.#call(name, args);
      };
  }

  #machine;
  #shared;
  #own = {};
  #dims = {};

  constructor(machine, shared, dims) {
    this.#machine = machine;
    this.#shared = shared;
    for (const name of STATE?.dims ?? []) this.#dims[name] = checkedDim('stream', name, dims[name]);
    if (!STATE) return;
    this.#block('state', STATE.bytes(this.#dims));
    this.reset();
  }

  reset() {
    if (STATE) this.#machine.call('reset', ...this.#state());
  }

  save() {
    const bytes = STATE.saved(this.#dims);
    const { at } = this.#block('saved', bytes);
    this.#machine.call('save', ...this.#state(), at);
    return this.#machine.view('pred', at, bytes).slice();
  }

  restore(saved) {
    const bytes = STATE.saved(this.#dims);
    checkLength('restore', 'saved', saved, bytes);
    const { at } = this.#block('saved', bytes);
    this.#machine.view('pred', at, bytes).set(saved);
    this.#machine.call('restore', ...this.#state(), at);
  }

  /** Gives the memory back to other streams; this one is of no more use. */
  free() {
    for (const block of Object.values(this.#own)) this.#machine.release(block);
    this.#own = {};
  }

  #state() {
    return [this.#own.state.at, ...STATE.dims.map((name) => BigInt(this.#dims[name]))];
  }

  /** The stream's block of that name, of so many bytes at least. */
  #block(name, bytes) {
    if (this.#own[name]?.bytes >= bytes) return this.#own[name];
    if (this.#own[name]) this.#machine.release(this.#own[name]);
    return (this.#own[name] = this.#machine.allocate(bytes));
  }

  #call(name, args) {
    const { params, scratch } = ENTRIES[name];
    const dims = this.#takenDims(name, params, args);
    const arrays = params.filter(({ role }) => role === 'input' || role === 'output').map((p) => ({
      ...p, given: args[p.name], count: p.shape.reduce((product, n) => product * (dims[n] ?? n), 1) }));
    for (const { role, name: array, given, count } of arrays)
      if (role === 'input' || given) checkLength(name, array, given, count);
    // All blocks first: views end where memory grows.
    const at = { scratch: this.#block('scratch', scratch(dims)).at, state: this.#own.state?.at };
    for (const block of ['weights', 'prepared', 'optimizer']) at[block] = this.#shared[block]?.at;
    this.#prepare(params.map(({ role }) => role));
    for (const array of arrays)
      at[array.name] = this.#block(`${name}.${array.name}`, array.count * ARRAYS[array.type].BYTES_PER_ELEMENT).at;
    for (const { role, name: array, type, given, count } of arrays)
      if (role === 'input') this.#machine.view(type, at[array], count).set(given);
    this.#machine.call(name, ...params.map(({ role, name: param, usual }) => role === 'dim' ? BigInt(dims[param])
      : role === 'scalar' ? Number(args[param] ?? usual) : at[param ?? role]));
    const results = {};
    for (const { role, name: array, type, given, count } of arrays) {
      if (role !== 'output') continue;
      results[array] = given ?? new ARRAYS[type](count);
      results[array].set(this.#machine.view(type, at[array], count));
    }
    return results;
  }

  /** Before a call with parameters of these roles. */
  #prepare(roles) {
    const shared = this.#shared;
    if (roles.includes('weights')) shared.changed = true;
    if (!roles.includes('prepared') || !shared.changed) return;
    this.#machine.call('prepare', shared.weights.at, shared.prepared.at);
    shared.changed = false;
  }

  /** The dims of a call; throws where an argument is missing or of no use. */
  #takenDims(name, params, args) {
    const dims = { ...this.#dims };
    for (const { role, name: param, usual } of params) {
      if (role === 'dim' && !(param in this.#dims)) dims[param] = checkedDim(name, param, args[param]);
      if (role === 'scalar' && !Number.isFinite(Number(args[param] ?? usual)))
        throw new TypeError(`rondo: ${NAME}.${name}: ${param} is a number, not ${args[param]}`);
    }
    for (const arg of Object.keys(args))
      if (arg in this.#dims || !params.some(({ name: param }) => param === arg))
        throw new TypeError(`rondo: ${NAME}.${name} takes no ${arg}`);
    return dims;
  }
}

function checkedDim(where, name, value) {
  if (Number.isInteger(value) && value >= 0 && value <= MOST) return value;
  throw new TypeError(`rondo: ${NAME}.${where}: ${name} is a number from 0 to 2^31 - 1, not ${value}`);
}

function checkLength(where, name, array, count) {
  if (array?.length !== count)
    throw new TypeError(`rondo: ${NAME}.${where}: ${name} has ${count} elements, not ${array?.length ?? 'none'}`);
}
)js";

}  // namespace rondo::library
