"""NumPy Fourier: pseudo-spectral in θ and v (the box taken as periodic), the strongest peer on smooth data.

fourier-rk4    Runge-Kutta 4 with an integrating factor for the diffusion, so that only transport and force limit the step.
               Derivatives by real FFTs of numpy.fft or scipy.fft (the state is kept in wave numbers of v), or by dense differentiation
               matrices (BLAS does a product of n × n matrices faster than n FFTs up to n of about two hundred).
fourier-split  Strang steps whose two flows are exact on the trigonometric polynomial: a phase per wave number in θ; in v a phase and a
               Gaussian per wave number and one matrix for the contraction. The interval is crossed with m, 2m, … Km steps, and the
               results extrapolated in τ². It is the split of this product in a spectral basis, without error control, walls and
               positivity; beyond what is usually written, but a spectral practitioner may write it.

Set-up: wave numbers, matrices, phases.
"""

import time

import numpy as np

from .interface import Method, Solution


def differentiation_matrix(points: int, length: float, order: int) -> np.ndarray:
    """d^order/dx^order of the trigonometric interpolant, [points, points]."""
    symbol = (2j * np.pi / length * np.fft.fftfreq(points, 1.0 / points)) ** order
    if order % 2 == 1 and points % 2 == 0:
        symbol[points // 2] = 0.0
    return np.ascontiguousarray(np.fft.ifft(symbol[:, None] * np.fft.fft(np.eye(points), axis=0), axis=0).real)


def wave_numbers(points: int, length: float) -> np.ndarray:
    """Those of a real transform; the highest of an even number of points has no first derivative."""
    k = 2.0 * np.pi / length * np.arange(points // 2 + 1)
    if points % 2 == 0:
        k[-1] = 0.0
    return k


class MatrixRate:
    """−v ∂_θ p + (k h θ + γ v) ∂_v p + γ p, and exp(τ/2·D ∂_v²), by dense matrices on values at points."""

    def __init__(self, problem, cells, step):
        theta, v = problem.axis("theta", cells[0])[0], problem.axis("velocity", cells[1])[0]
        length = np.ptp(problem.velocity)
        self.along_theta = differentiation_matrix(cells[0], np.ptp(problem.theta), 1)
        self.slope = np.ascontiguousarray(differentiation_matrix(cells[1], length, 1).T)
        symbol = heat_symbol(problem, cells[1], 0.5 * step)
        self.heat = np.ascontiguousarray(np.fft.irfft(symbol[:, None] * np.fft.rfft(np.eye(cells[1]), axis=0), n=cells[1], axis=0))
        self.minus_v, self.friction = -v[None, :].copy(), problem.friction
        self.speed = problem.stiffness * theta[:, None] + problem.friction * v[None, :]
        self.scratch = np.empty(cells)

    def start(self, density):
        return density.copy()

    def finish(self, state):
        return state

    def rate(self, state, out):
        np.matmul(state, self.slope, out=out)
        out *= self.speed
        np.matmul(self.along_theta, state, out=self.scratch)
        self.scratch *= self.minus_v
        out += self.scratch
        np.multiply(state, self.friction, out=self.scratch)
        out += self.scratch

    def diffuse(self, state, out):
        np.matmul(state, self.heat, out=out)


class TransformRate:
    """The same by real FFTs; the state is in wave numbers of v, where diffusion is a factor."""

    def __init__(self, problem, cells, step, module):
        theta, v = problem.axis("theta", cells[0])[0], problem.axis("velocity", cells[1])[0]
        self.cells, self.module = cells, module
        self.minus_v = -v[None, :].copy()
        self.speed = problem.stiffness * theta[:, None] + problem.friction * v[None, :]
        self.slope_theta = 1j * wave_numbers(cells[0], np.ptp(problem.theta))[:, None]
        self.slope_v = 1j * wave_numbers(cells[1], np.ptp(problem.velocity))
        self.heat = heat_symbol(problem, cells[1], 0.5 * step)

    def start(self, density):
        return self.module.rfft(density, axis=1)

    def finish(self, state):
        return self.module.irfft(state, n=self.cells[1], axis=1)

    def rate(self, state, out):
        density = self.module.irfft(state, n=self.cells[1], axis=1)
        modes = self.module.rfft(density, axis=0)
        modes *= self.slope_theta
        transport = self.module.irfft(modes, n=self.cells[0], axis=0)
        transport *= self.minus_v
        density *= self.speed
        np.multiply(self.module.rfft(density, axis=1), self.slope_v, out=out)
        out += self.module.rfft(transport, axis=1)

    def diffuse(self, state, out):
        np.multiply(state, self.heat, out=out)


def heat_symbol(problem, points: int, step: float) -> np.ndarray:
    """exp(−D k² step) for the wave numbers of a real transform."""
    return np.exp(-problem.diffusion * step * (2.0 * np.pi / np.ptp(problem.velocity) * np.arange(points // 2 + 1)) ** 2)


def transforms(name: str):
    if name == "numpy.fft":
        return np.fft
    import scipy.fft

    return scipy.fft


def solve_rk4(problem, settings: dict) -> Solution:
    cells, steps = tuple(settings["cells"]), settings["steps"]
    step = problem.until / steps
    begin = time.perf_counter()
    if settings["derivatives"] == "matrices":
        system = MatrixRate(problem, cells, step)
    else:
        system = TransformRate(problem, cells, step, transforms(settings["derivatives"]))
    ready = time.perf_counter()
    state = system.start(problem.initial(cells))
    moved, kicked, stage, total, k = (np.empty_like(state) for _ in range(5))
    # E = exp(τ/2·D ∂_v²), a = E p, b = E(p + τ/2 k₁); p′ = E(a + (b − a)/3 + τ/3 (k₂ + k₃)) + τ/6 k₄
    for _ in range(steps):
        system.diffuse(state, moved)
        system.rate(state, k)
        add(state, 0.5 * step, k, stage)
        system.diffuse(stage, kicked)
        np.multiply(moved, 2.0 / 3.0, out=total)
        add(total, 1.0 / 3.0, kicked, total)
        system.rate(kicked, k)
        add(moved, 0.5 * step, k, stage)
        add(total, step / 3.0, k, total)
        system.rate(stage, k)
        add(total, step / 3.0, k, total)
        add(moved, step, k, kicked)
        system.diffuse(kicked, stage)
        system.diffuse(total, state)
        system.rate(stage, k)
        add(state, step / 6.0, k, state)
    density = system.finish(state)
    return Solution(density, ready - begin, time.perf_counter() - ready)


def add(a, factor, b, out):
    """out = a + factor·b."""
    np.add(a, factor * b, out=out)


class StrangFlow:
    """V(τ/2) X(τ) V(τ/2), exact flows in wave numbers; V(τ) by equations (7) and (8) of docs/method.md."""

    def __init__(self, problem, cells, step, module):
        self.cells, self.module = cells, module
        theta, v = problem.axis("theta", cells[0])[0], problem.axis("velocity", cells[1])[0]
        k_theta = 2.0 * np.pi / np.ptp(problem.theta) * np.arange(cells[0] // 2 + 1)
        self.drift = np.exp(-1j * step * k_theta[:, None] * v[None, :])
        self.half = self.velocity_flow(problem, theta, v, 0.5 * step)
        self.whole = self.velocity_flow(problem, theta, v, step)

    def velocity_flow(self, problem, theta, v, step):
        decay = np.exp(-problem.friction * step)
        kick = -problem.stiffness * theta * (1.0 - decay) / problem.friction
        variance = problem.diffusion / problem.friction * (1.0 - decay**2)
        length = np.ptp(problem.velocity)
        k = 2.0 * np.pi / length * np.arange(self.cells[1] // 2 + 1)
        symbol = np.exp(-1j * kick[:, None] * k[None, :] - 0.5 * variance * k**2)
        return contraction(v, length, decay), symbol

    def velocity(self, density, flow):
        matrix, symbol = flow
        modes = self.module.rfft(density @ matrix, axis=1)
        modes *= symbol
        return self.module.irfft(modes, n=self.cells[1], axis=1)

    def run(self, density, steps):
        density = self.velocity(density, self.half)
        for n in range(1, steps + 1):
            modes = self.module.rfft(density, axis=0)
            modes *= self.drift
            density = self.module.irfft(modes, n=self.cells[0], axis=0)
            density = self.velocity(density, self.whole if n < steps else self.half)
        return density


def contraction(v, length, factor) -> np.ndarray:
    """p'(v) = p(v/factor)/factor of the trigonometric interpolant (0 where v/factor is outside the box), to be applied from the right."""
    points = len(v)
    images = v / factor
    k = 2.0 * np.pi / length * np.fft.fftfreq(points, 1.0 / points)
    symbol = np.where(np.arange(points) == points // 2, 0.0, 1.0) if points % 2 == 0 else np.ones(points)
    matrix = (np.exp(1j * np.outer(images, k)) * symbol @ np.exp(-1j * np.outer(k, v))).real / (points * factor)
    matrix[np.abs(images) > 0.5 * length] = 0.0
    return np.ascontiguousarray(matrix.T)


def solve_split(problem, settings: dict) -> Solution:
    cells, base, levels = tuple(settings["cells"]), settings["steps"], settings["levels"]
    begin = time.perf_counter()
    counts = [base * level for level in range(1, levels + 1)]
    flows = [StrangFlow(problem, cells, problem.until / count, transforms(settings["transforms"])) for count in counts]
    ready = time.perf_counter()
    initial, density = problem.initial(cells), np.zeros(cells)
    for level, (flow, count) in enumerate(zip(flows, counts), start=1):
        weight = np.prod([level**2 / (level**2 - other**2) for other in range(1, levels + 1) if other != level])
        density += weight * flow.run(initial, count)
    return Solution(density, ready - begin, time.perf_counter() - ready)


def settings_rk4(problem) -> list[dict]:
    """Steps from the edge of stability on, found by trial: about 3.4 steps per cell of an axis on these boxes."""
    cells = {"ou-1": (24, 28, 32, 36, 40, 44, 48, 54, 56, 64), "narrow": (72, 80, 96, 108, 144, 160, 176, 192, 208, 224)}[problem.name]
    return [
        {"cells": [n, n], "steps": round(per_cell * n), "derivatives": derivatives}
        for n in cells
        for per_cell in (3.3, 3.6, 3.9, 4.4, 5.0)
        for derivatives in ("matrices", "numpy.fft", "scipy.fft")
        if derivatives == "matrices" or per_cell < 3.9
    ]


def settings_split(problem) -> list[dict]:
    cells = {"ou-1": (24, 28, 32, 36, 40, 44, 48, 54, 56), "narrow": (72, 80, 96, 108, 128, 144, 160, 176, 192, 208)}[problem.name]
    plans = ((4, 2), (6, 2), (8, 2), (12, 2), (3, 3), (4, 3), (6, 3), (8, 3), (4, 4), (6, 4), (8, 4), (4, 5), (5, 5))
    return [
        {"cells": [n, n], "steps": steps, "levels": levels, "transforms": "numpy.fft" if n < 80 else "scipy.fft"}
        for n in cells
        for steps, levels in plans
    ]


TRIALS_RK4 = tuple(({"cells": [48, 48], "steps": 260, "derivatives": name}, 1e-6) for name in ("matrices", "numpy.fft", "scipy.fft"))
TRIALS_SPLIT = tuple(({"cells": [48, 48], "steps": 8, "levels": 4, "transforms": name}, 1e-6) for name in ("numpy.fft", "scipy.fft"))

METHODS = [
    Method("fourier-rk4", "NumPy Fourier + RK4", settings_rk4, solve_rk4, TRIALS_RK4),
    Method("fourier-split", "NumPy Fourier split-step, extrapolated", settings_split, solve_split, TRIALS_SPLIT),
]
