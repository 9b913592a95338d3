#!/usr/bin/env python3
"""Prints the table of tanh in codegen/llvm/activations.cpp. Needs numpy and mpmath.

With a = |x|, the exponent of a^2 + START (from 2^-2 to 2^5) tells one of eight pieces. In each, tanh a is a
polynomial of r = a - c; c is a number in the piece at which tanh is next to an f32, so that the first coefficient
has hardly an error: of some, spread over the piece, the one whose polynomial is off by the fewest ULPs as f32
operations compute it. The other coefficients are minimax fits of the relative error (Lawson's weights), rounded one
by one from the lowest, each time with what follows fitted anew. The first piece starts at 0 with c = 0 and the
slope 1, so that what is small is exact.
"""

import sys

import mpmath
import numpy as np

START, DEGREE, MOST = 0.36, 6, 9.02
mpmath.mp.dps = 40


def tanh(x):
    return mpmath.tanh(mpmath.mpf(float(x)))


def centre(low, high, near):
    """The first number from `near` outwards with tanh within a thousandth of an ULP of an f32, and that."""
    for step in range(4000):
        for sign in (1, -1):
            c = np.float32(near + sign * step * 1e-5 * (high - low))
            value = np.float32(float(tanh(c)))
            if low < c < high and abs(float(value - tanh(c))) < 1e-3 * np.spacing(value):
                return c, value
    return None


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


def fit(low, high, c, fixed):
    """c and the coefficients, as f32, of which the first ones are known."""
    points = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(300) + 0.5) / 300)
    exact = [tanh(x) for x in points]
    half, weights = (high - low) / 2, np.array([float(1 / y) for y in exact])
    distance = points - float(c)
    fixed = list(fixed)
    while len(fixed) <= DEGREE:
        known = [sum(mpmath.mpf(float(v)) * mpmath.mpf(r) ** k for k, v in enumerate(fixed)) for r in distance]
        rest = np.array([float(y - k) for y, k in zip(exact, known)])
        basis = np.stack([(distance / half) ** k for k in range(len(fixed), DEGREE + 1)], 1)
        fixed.append(np.float32(minimax(basis, rest, weights)[0] / half ** len(fixed)))
    return [c, *fixed]


def ulps(row, low, high):
    """The largest error as f32 operations compute the polynomial, at 200,000 numbers of the piece.

    Infinite if a result is past 1, or not 1 at the end, which all larger numbers share.
    """
    f32, f64, wide = np.float32, np.float64, np.longdouble
    first, last = np.array([max(low, 1e-3), high], f32).view(np.int32)
    a = np.linspace(first, last, 200000).astype(np.int32).view(f32)
    c = [f32(v) for v in row]

    def fma(x, y, z):
        return (f64(x) * f64(y) + f64(z)).astype(f32)

    r = a - c[0]
    square = r * r
    y = fma(square, fma(r, c[4], c[3]), fma(r, c[2], c[1]))
    y = fma(square * square, fma(square, c[7], fma(r, c[6], c[5])), y)
    exact = np.tanh(a.astype(wide))
    if y.max() > 1 or (high == MOST and y[-1] != 1):
        return np.inf
    return np.max(np.abs(y - exact) * wide(2) ** (23 - np.floor(np.log2(exact))))


def piece(low, high):
    if low == 0:
        row = fit(low, high, np.float32(0), [np.float32(0), np.float32(1)])
        return row, ulps(row, low, high)
    best = None
    for part in np.arange(0.2, 0.9, 0.02):
        if (found := centre(low, high, low + part * (high - low))) is None:
            continue
        row = fit(low, high, found[0], [found[1]])
        error = ulps(row, low, high)
        if best is None or error < best[1]:
            best = row, error
    return best


def main():
    bounds = [0, *(np.sqrt(2.0**octave - START) for octave in range(-1, 6)), MOST]
    rows = []
    for low, high in zip(bounds, bounds[1:]):
        row, error = piece(low, high)
        rows.append(row)
        print(f"row {len(rows) - 1}: {low:.3f} to {high:.3f}, {error:.2f} ULP", file=sys.stderr)
    # The exponents' last three bits are 5 in the first piece, then 6, 7, 0 and so on.
    for column in zip(*(rows[3:] + rows[:3])):
        print("    {{" + ", ".join(f"{v:.9g}" for v in column) + "}},")


if __name__ == "__main__":
    main()
