"""PyTorch: its LSTM, GRU and RNN; a user's own LSTM as TorchScript; language models with its fused optimizers."""
import sys

import torch
from torch import nn

from peer import Data, Unable, serve

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
torch.manual_seed(1)


def layers_of(row, data):
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[row.cell]
    net = kind(row.input, row.hidden, row.layers)
    with torch.no_grad():
        for i, weights in enumerate(data.layers if data else []):
            wx, wh, b = (torch.from_numpy(w.copy()) for w in weights[:3])
            getattr(net, f"weight_ih_l{i}").copy_(wx.T)
            getattr(net, f"weight_hh_l{i}").copy_(wh.T)
            getattr(net, f"bias_ih_l{i}").copy_(b)
            getattr(net, f"bias_hh_l{i}").copy_(torch.from_numpy(weights[3].copy()) if len(weights) > 3 else 0 * b)
    return net


@torch.jit.script
def own_lstm(x, wx, wh, b):
    h = torch.zeros(x.size(1), wh.size(0))
    c = torch.zeros(x.size(1), wh.size(0))
    ys = []
    for t in range(x.size(0)):
        i, f, g, o = (torch.mm(x[t], wx) + torch.mm(h, wh) + b).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        ys.append(h)
    return torch.stack(ys)


def make_own(row):
    data = Data(row)
    x = torch.from_numpy(data.x)
    weights = [torch.from_numpy(w.copy()) for w in data.layers[0]]
    if row.mode == "infer":
        def run():
            with torch.inference_mode():
                return own_lstm(x, *weights)
        for _ in range(3):  # TorchScript optimises after it has seen the shapes
            run()
        return run, [run()]
    dy = torch.from_numpy(data.dy)
    wanted = [w.requires_grad_() for w in weights] + [x.requires_grad_()]

    def step():
        return torch.autograd.grad(own_lstm(x, *weights), wanted, dy)
    for _ in range(3):
        step()
    return step, [g.numpy() for g in step()]


def make_stream(row, data):
    net = layers_of(row, data)
    x, state = torch.from_numpy(data.x[:1]), None

    def run():
        nonlocal state
        with torch.inference_mode():
            y, state = net(x, state)
        return y
    return run, [run().numpy() for _ in range(4)]


def make_layers(row):
    data = Data(row)
    if row.mode == "stream":
        return make_stream(row, data)
    net = layers_of(row, data)
    x = torch.from_numpy(data.x)
    if row.mode == "infer":
        def run():
            with torch.inference_mode():
                return net(x)[0]
        return run, [run()]
    dy = torch.from_numpy(data.dy)
    x.requires_grad_()
    wanted = list(net.parameters()) + [x]

    def step():
        return torch.autograd.grad(net(x)[0], wanted, dy)
    gradients, results = step(), []
    for i in range(row.layers):
        wx, wh, b, bh = gradients[4 * i:4 * i + 4]
        results += [wx.T, wh.T, b] + ([bh] if row.cell == "gru" else [])
    return step, [g.numpy() for g in results + [gradients[-1]]]


class LanguageModel(nn.Module):
    def __init__(self, row):
        super().__init__()
        self.embedding = nn.Embedding(row.vocabulary, row.input)
        self.layers = layers_of(row, None)
        self.head = nn.Linear(row.hidden, row.vocabulary)

    def forward(self, ids):
        return self.head(self.layers(self.embedding(ids))[0])


def make_language_model(row):
    net = LanguageModel(row)
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[row.optimizer]
    optimizer = kind(net.parameters(), lr=1e-3, fused=True)
    ids = torch.randint(row.vocabulary, (row.steps, row.batch))
    target = torch.randint(row.vocabulary, (row.steps, row.batch))

    def step():
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(ids).view(-1, row.vocabulary), target.view(-1)).backward()
        optimizer.step()
    step()
    return step, None


def make(row):
    if row.vocabulary:
        return make_language_model(row)
    if row.cell == "own-lstm":
        return make_own(row)
    if row.cell not in ("lstm", "gru", "rnn"):
        raise Unable(f"no {row.cell}")
    return make_layers(row)


if __name__ == "__main__":
    serve(make)
