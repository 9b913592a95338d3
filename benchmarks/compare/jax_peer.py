"""XLA by way of JAX: a cell is its equations, time is lax.scan, and one jitted function is timed."""
import os
import sys

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])  # XLA has a thread for each core that it may use
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + f" --xla_cpu_multi_thread_eigen={str(THREADS > 1).lower()}"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.nn import sigmoid  # noqa: E402

from peer import Data, Unable, serve  # noqa: E402


def lstm(state, zx, wh):
    h, c = state
    i, f, g, o = jnp.split(zx + h @ wh, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    h = sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def gru(state, zx, wh, bh):
    h, = state
    xr, xz, xn = jnp.split(zx, 3, axis=-1)
    hr, hz, hn = jnp.split(h @ wh + bh, 3, axis=-1)
    z = sigmoid(xz + hz)
    h = (1 - z) * jnp.tanh(xn + sigmoid(xr + hr) * hn) + z * h
    return (h,), h


def rnn(state, zx, wh):
    h = jnp.tanh(zx + state[0] @ wh)
    return (h,), h


CELLS = {"lstm": lstm, "gru": gru, "rnn": rnn}


def start(row):
    return (jnp.zeros((row.batch, row.hidden)),) * (2 if row.cell in ("lstm", "own-lstm") else 1)


def sequence(row, layers, x):
    """The products with the inputs of all steps before the loop, as XLA does not take them out of it."""
    cell = CELLS[row.cell]
    for wx, wh, b, *bh in layers:
        x = jax.lax.scan(lambda state, zx: cell(state, zx, wh, *bh), start(row), x @ wx + b)[1]
    return x


def own_sequence(row, layers, x):
    """As a user writes a cell: all of it in its step. Two steps of the loop at once are fastest on most rows."""
    (wx, wh, b), = layers
    return jax.lax.scan(lambda state, xt: lstm(state, xt @ wx + b, wh), start(row), x, unroll=2)[1]


def call_of(function, *arguments):
    def call():
        return jax.block_until_ready(function(*arguments))
    return call


def make_stream(row, data):
    (wx, wh, b, *bh), = data.layers
    step = jax.jit(lambda state, x: CELLS[row.cell](state, x @ wx + b, wh, *bh))
    x, state = data.x[0], start(row)

    def call():
        nonlocal state
        state, y = step(state, x)
        return jax.block_until_ready(y)
    return call, [call() for _ in range(4)]


def make_layers(row):
    data = Data(row)
    if row.mode == "stream":
        return make_stream(row, data)
    run = own_sequence if row.cell == "own-lstm" else sequence
    layers, x = jax.tree.map(jnp.asarray, data.layers), jnp.asarray(data.x)
    if row.mode == "infer":
        call = call_of(jax.jit(lambda x: run(row, layers, x)), x)  # the weights are constants
        return call, [call()]
    dy = jnp.asarray(data.dy)
    call = call_of(jax.jit(jax.grad(lambda layers, x: (run(row, layers, x) * dy).sum(), (0, 1))), layers, x)
    gradients, dx = call()
    return call, [d for layer in gradients for d in layer] + [dx]


def make_language_model(row):
    random = np.random.default_rng(1)

    def weights(*shape):
        return jnp.asarray(random.uniform(-0.1, 0.1, shape), jnp.float32)
    columns = 4 * row.hidden
    model = {"embedding": weights(row.vocabulary, row.input),
             "layers": [[weights(row.hidden if layer else row.input, columns), weights(row.hidden, columns), weights(columns)]
                        for layer in range(row.layers)],
             "head": [weights(row.hidden, row.vocabulary), weights(row.vocabulary)]}
    ids, targets = (jnp.asarray(random.integers(row.vocabulary, size=(row.steps, row.batch))) for _ in range(2))

    def loss(model):
        w, b = model["head"]
        logits = sequence(row, model["layers"], model["embedding"][ids]) @ w + b
        chosen = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
        return (jax.nn.logsumexp(logits, -1) - chosen).mean()

    def sgd(w, d):
        return w - 1e-3 * d

    def adam(w, d, m, v, t):
        m, v = 0.9 * m + 0.1 * d, 0.999 * v + 0.001 * d * d
        return w - 1e-3 * m / (1 - 0.9 ** t) / (jnp.sqrt(v / (1 - 0.999 ** t)) + 1e-8), m, v

    def update(model, slots, t):
        d = jax.grad(loss)(model)
        if row.optimizer == "sgd":
            return jax.tree.map(sgd, model, d), slots, t
        new = jax.tree.map(lambda w, d, m, v: adam(w, d, m, v, t), model, d, *slots)
        model, *slots = jax.tree.transpose(jax.tree.structure(d), None, new)
        return model, slots, t + 1

    step = jax.jit(update, donate_argnums=(0, 1))  # in place
    now = (model, [jax.tree.map(jnp.zeros_like, model) for _ in range(2 * (row.optimizer == "adam"))], jnp.float32(1))

    def call():
        nonlocal now
        now = jax.block_until_ready(step(*now))
    call()
    return call, None


def make(row):
    if row.vocabulary:
        return make_language_model(row)
    if row.cell not in ("lstm", "gru", "rnn", "own-lstm"):
        raise Unable(f"no {row.cell}")
    return make_layers(row)


if __name__ == "__main__":
    serve(make)
