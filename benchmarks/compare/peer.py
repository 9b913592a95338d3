"""What the peers in Python share: a row, its numbers, and the talk with compare.py, as in peer.h."""
import sys
import time

import numpy as np


class Row:
    def __init__(self, line):
        values = dict(word.split("=", 1) for word in line.split()[1:])
        for key, value in values.items():
            setattr(self, key, int(value) if value.isdigit() else value)
        self.gates = {"lstm": 4, "own-lstm": 4, "gru": 3}.get(self.cell, 1)


class Data:
    """Gates in the order i f g o (LSTM) and r z n (GRU); matrices are [inputs, gates * hidden]."""

    def __init__(self, row):
        values, at = np.fromfile(row.data, dtype=np.float32), 0

        def take(*shape):
            nonlocal at
            count = int(np.prod(shape))
            at += count
            return values[at - count:at].reshape(shape)

        self.layers = []
        columns = row.gates * row.hidden
        for layer in range(row.layers):
            weights = [take(row.input if layer == 0 else row.hidden, columns), take(row.hidden, columns), take(columns)]
            if row.cell == "gru":
                weights.append(take(columns))
            self.layers.append(weights)
        self.x = take(row.steps, row.batch, row.input)
        self.dy = take(row.steps, row.batch, row.hidden) if row.mode == "train" else None


class Unable(Exception):
    """A row that this peer does not do."""


def seconds_a_call(call, wanted):
    start = time.perf_counter()
    calls, batch, taken = 0, 1, 0.0
    while taken < wanted:
        for _ in range(batch):
            call()
        calls += batch
        taken = time.perf_counter() - start
        if taken < wanted / 8:
            batch *= 2
    return taken / calls


def serve(make):
    """make(row) gives the call to time and the results of a first call, or None where weights are not shared."""
    call = None
    for line in sys.stdin:
        try:
            if line.startswith("setup "):
                row = Row(line)
                call = None
                call, results = make(row)
                if results is not None:
                    np.concatenate([np.asarray(r, dtype=np.float32).ravel() for r in results]).tofile(row.out)
                print("ready", flush=True)
            elif line.startswith("time "):
                print(seconds_a_call(call, float(line.split()[1])), flush=True)
            else:
                print("no such command", flush=True)
        except Exception as error:  # the harness leaves the peer out of this row and says why
            print("no", type(error).__name__, " ".join(str(error).split())[:300], flush=True)
