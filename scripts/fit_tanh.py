#!/usr/bin/env python3
"""Prints the table of tanh in codegen/llvm_activations.cpp. Needs numpy and mpmath.

With a = |x|, the exponent and the first bit of the mantissa of 4 (SCALE a + 1/2) (from 2 to 32) tell one of eight
pieces. In each, tanh a is a polynomial of a - c; c is a number near the middle of the piece at which tanh is next
to an f32, so that the first coefficient has hardly an error. The others are minimax fits of the relative error
(Lawson's weights), rounded one by one from the lowest, each time with what follows fitted anew. The first piece
starts at 0 with c = 0 and the slope 1, so that what is small is exact.
"""

import sys

import mpmath
import numpy as np

SCALE, DEGREE, MOST = 0.824, 6, 9.1
mpmath.mp.dps = 40


def tanh(x):
    return mpmath.tanh(mpmath.mpf(float(x)))


def middle(low, high):
    """The first number, from the middle outwards, with tanh within a thousandth of an ULP of an f32, and that."""
    for step in range(50000):
        for sign in (1, -1):
            c = np.float32((low + high) / 2 + sign * step * 1e-6 * (high - low))
            value = np.float32(float(tanh(c)))
            if abs(float(value - tanh(c))) < 1e-3 * np.spacing(value):
                return c, value
    raise ValueError(f"no middle of {low}, {high}")


def minimax(basis, values, weights):
    """Coefficients with the least largest |weights (basis c - values)|: least squares with Lawson's weights."""
    emphasis, best, coefficients = np.ones(len(values)), np.inf, None
    for _ in range(600):
        scale = emphasis * weights
        c = np.linalg.lstsq(basis * scale[:, None], values * scale, rcond=None)[0]
        error = np.abs((basis @ c - values) * weights)
        if error.max() < best:
            best, coefficients = error.max(), c
        emphasis *= (error / error.max() + 1e-4) ** 0.7
        emphasis /= emphasis.max()
    return coefficients


def piece(low, high):
    """c and the coefficients, as f32, and the relative error of their polynomial."""
    fixed = {0: np.float32(0), 1: np.float32(1)}
    c = np.float32(0)
    if low > 0:
        c, value = middle(low, high)
        fixed = {0: value}
    points = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(300) + 0.5) / 300)
    exact = [tanh(x) for x in points]
    half, weights = (high - low) / 2, np.array([float(1 / y) for y in exact])
    distance = points - float(c)

    def rest():
        known = [sum(mpmath.mpf(float(v)) * mpmath.mpf(r) ** k for k, v in fixed.items()) for r in distance]
        return np.array([float(y - k) for y, k in zip(exact, known)])

    while len(fixed) <= DEGREE:
        free = range(len(fixed), DEGREE + 1)
        basis = np.stack([(distance / half) ** k for k in free], 1)
        fixed[free[0]] = np.float32(minimax(basis, rest(), weights)[0] / half ** free[0])
    return [c, *(fixed[k] for k in range(DEGREE + 1))], np.abs(rest() * weights).max()


def main():
    rows = []
    for start in (octave * half for octave in (0.5, 1, 2, 4) for half in (1, 1.5)):
        width = 2 ** np.floor(np.log2(start)) / 2
        low, high = (start - 0.5) / SCALE, min((start + width - 0.5) / SCALE, MOST)
        row, error = piece(low, high)
        rows.append(row)
        print(f"row {len(rows) - 1}: {low:.3f} to {high:.3f}, error {error * 2**24:.2f} of 2^-24", file=sys.stderr)
    for column in zip(*rows):
        print("    {{" + ", ".join(f"{v:.9g}" for v in column) + "}},")


if __name__ == "__main__":
    main()
