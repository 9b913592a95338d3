"""ONNX Runtime: its LSTM, GRU and RNN operators; a user's own LSTM as a Scan."""
import sys

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from peer import Data, Unable, serve

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
ORDER = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn": [0]}  # ONNX's i o f c and z r h
KIND = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


def tensor(name, array):
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def session(nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, "row", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def reordered(matrix, row):
    """[columns of all gates, ...] with the gates in ONNX's order, and a leading direction."""
    return matrix.reshape(row.gates, row.hidden, *matrix.shape[1:])[ORDER[row.cell]].reshape(1, *matrix.shape)


def layers(row, data):
    nodes, weights, y = [], [], "x"
    for i, w in enumerate(data.layers):
        bias = [reordered(w[2], row), reordered(w[3] if len(w) > 3 else 0 * w[2], row)]
        weights += [tensor(f"w{i}", reordered(w[0].T, row)), tensor(f"r{i}", reordered(w[1].T, row)),
                    tensor(f"b{i}", np.concatenate(bias, 1))]
        attributes = {"linear_before_reset": 1} if row.cell == "gru" else {}
        states = ["", "h"] + (["c"] if row.cell == "lstm" else []) if row.mode == "stream" else []
        outs = [f"y{i}", "hn"] + (["cn"] if row.cell == "lstm" else []) if row.mode == "stream" else [f"y{i}"]
        nodes += [helper.make_node(KIND[row.cell], [y, f"w{i}", f"r{i}", f"b{i}"] + states, outs,
                                   hidden_size=row.hidden, **attributes),
                  helper.make_node("Squeeze", [f"y{i}", "direction"], [f"z{i}"])]
        y = f"z{i}"
    weights.append(tensor("direction", np.array([1], dtype=np.int64)))
    return nodes, weights, y


def own_lstm(row, data):
    wx, wh, b = data.layers[0]
    h = row.hidden
    body = helper.make_graph([
        helper.make_node("MatMul", ["xt", "wx"], ["zx"]),
        helper.make_node("MatMul", ["h", "wh"], ["zh"]),
        helper.make_node("Add", ["zx", "zh"], ["z0"]),
        helper.make_node("Add", ["z0", "b"], ["z"]),
        helper.make_node("Split", ["z"], ["zi", "zf", "zg", "zo"], axis=1),
        helper.make_node("Sigmoid", ["zi"], ["i"]), helper.make_node("Sigmoid", ["zf"], ["f"]),
        helper.make_node("Tanh", ["zg"], ["g"]), helper.make_node("Sigmoid", ["zo"], ["o"]),
        helper.make_node("Mul", ["f", "c"], ["fc"]), helper.make_node("Mul", ["i", "g"], ["ig"]),
        helper.make_node("Add", ["fc", "ig"], ["c1"]), helper.make_node("Tanh", ["c1"], ["tc"]),
        helper.make_node("Mul", ["o", "tc"], ["h1"]), helper.make_node("Identity", ["h1"], ["y"]),
    ], "step", [value("h", row.batch, h), value("c", row.batch, h), value("xt", row.batch, row.input)],
        [value("h1", row.batch, h), value("c1", row.batch, h), value("y", row.batch, h)],
        [tensor("wx", wx), tensor("wh", wh), tensor("b", b)])
    zero = tensor("zero", np.zeros((row.batch, h), dtype=np.float32))
    return [helper.make_node("Scan", ["zero", "zero", "x"], ["hn", "cn", "ys"], body=body, num_scan_inputs=1)], [zero], "ys"


def make_stream(row, data):
    nodes, weights, y = layers(row, data)
    states = ["h", "c"] if row.cell == "lstm" else ["h"]
    shape = (1, row.batch, row.hidden)
    run = session(nodes, [value("x", 1, row.batch, row.input)] + [value(s, *shape) for s in states],
                  [value(y, *shape)] + [value(s + "n", *shape) for s in states], weights)
    feeds = {"x": data.x[:1], **{s: np.zeros(shape, dtype=np.float32) for s in states}}

    def call():
        results = run.run(None, feeds)
        for s, new in zip(states, results[1:]):
            feeds[s] = new
        return results[0]
    return call, [call() for _ in range(4)]


def make(row):
    if row.mode == "train" or row.vocabulary:
        raise Unable("inference only")
    data = Data(row)
    if row.mode == "stream":
        return make_stream(row, data)
    nodes, weights, y = own_lstm(row, data) if row.cell == "own-lstm" else layers(row, data)
    run = session(nodes, [value("x", row.steps, row.batch, row.input)], [value(y, row.steps, row.batch, row.hidden)],
                  weights)
    binding = run.io_binding()
    x = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(data.x))
    out = ort.OrtValue.ortvalue_from_numpy(np.zeros((row.steps, row.batch, row.hidden), dtype=np.float32))
    binding.bind_ortvalue_input("x", x)
    binding.bind_ortvalue_output(y, out)

    def call():
        run.run_with_iobinding(binding)
    call()
    return call, [out.numpy()]


if __name__ == "__main__":
    serve(make)
