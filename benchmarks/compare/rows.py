"""The table: what is measured, and how much faster than the best peer Rondo means to be."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    section: str
    cell: str
    mode: str  # stream, infer, train
    hidden: int
    batch: int = 1
    steps: int = 1
    input: int = 0  # 0: as hidden
    layers: int = 1
    vocabulary: int = 0
    optimizer: str = "adam"
    threads: int = 1
    cpu: str = ""  # that all programs are compiled for; empty: this one
    target: float = 1.0  # speed over the best peer's

    @property
    def name(self):
        parts = [self.cell, self.mode, f"H{self.hidden}"]
        if self.layers > 1:
            parts.append(f"L{self.layers}")
        if self.vocabulary:
            parts.append(f"V{self.vocabulary}")
        return "-".join(parts + [f"B{self.batch}", f"T{self.steps}"])

    def settings(self):
        width = self.input or self.hidden
        return (f"cell={self.cell} mode={self.mode} layers={self.layers} input={width} hidden={self.hidden} "
                f"batch={self.batch} steps={self.steps} vocabulary={self.vocabulary} optimizer={self.optimizer} "
                f"threads={self.threads} cpu={self.cpu}")


def rows():
    stream = [Row("stream", cell, "stream", h, input=1, target=t)
              for cell, targets in [("lstm", [1.5, 1.48, 1.5, 1.3]), ("gru", [1.2, 1.47, 1.5, 1.32])]
              for h, t in zip([8, 16, 32, 64], targets)]
    single = [Row("infer-1", cell, "infer", h, steps=100, target=t) for cell, sizes in [
        ("lstm", [(64, 1.58), (128, 1.49), (256, 1.32), (512, 1.13), (1024, 1.07)]),
        ("gru", [(256, 1.22), (512, 1.26)]), ("rnn", [(256, 1.36), (512, 1.16)])] for h, t in sizes]
    batch = [Row("infer", "lstm", "infer", h, b, 50, target=t)
             for b, targets in [(16, [1.09, 1.08, 1.04, 1.14]), (64, [1.28, 1.08, 1.12, 1.14])]
             for h, t in zip([128, 256, 512, 1024], targets)]
    batch += [Row("infer", cell, "infer", h, b, 50, target=t)
              for cell, t in [("gru", 1.06), ("rnn", 1.12)] for b in [16, 64] for h in [256, 512]]
    train = [Row("train", "lstm", "train", h, b, 50, target=t)
             for b, targets in [(1, [1.22, 1.16, 1.28, 1.24]), (16, [1.25, 1.27, 1.21, 1.14]),
                                (64, [1.31, 1.3, 1.19, 1.08])]
             for h, t in zip([64, 128, 256, 512], targets)]
    train += [Row("train", cell, "train", h, b, 50, target=t)
              for cell, t in [("gru", 1.08), ("rnn", 1.13)] for b in [16, 64] for h in [256, 512]]
    train += [Row("train", "lstm", "train", h, 50, 50, layers=2, target=t) for h, t in [(128, 1.31), (512, 1.11)]]
    whole = [Row("update", "lstm", "train", h, 50, 50, layers=2, vocabulary=65, target=t)
             for h, t in [(128, 1.27), (512, 1.07)]]
    whole.append(Row("update", "lstm", "train", 650, 20, 35, layers=2, vocabulary=10000, optimizer="sgd", target=1.5))
    own = [Row("own", "own-lstm", mode, h, b, 50) for mode, b, sizes in [
        ("infer", 1, [64, 256]), ("infer", 16, [128, 256]), ("train", 1, [64, 256]), ("train", 16, [128, 256]),
        ("train", 64, [256])] for h in sizes]
    return stream + single + batch + train + whole + own


SECTIONS = {
    "stream": "Streaming, B = 1, I = 1, one step a call",
    "infer-1": "Inference, B = 1, T = 100, I = H",
    "infer": "Inference, T = 50, I = H",
    "train": "Training step, forward and backward with all gradients, T = 50, I = H",
    "update": "Whole updates of language models, the optimizer included",
    "own": "An LSTM of the user's own, written as equations, T = 50, I = H",
}
