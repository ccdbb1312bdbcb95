"""Stationary densities and eigenvalues of the Fokker-Planck equation, by nothing that underdamp uses.

Langevin: p(θ, v) = e^{−Φ(θ)/2} Σ_n d_n(θ) h_n(v), h_n the Hermite functions of the Gaussian of variance s² around v₀, so that

  v h_n = v₀ h_n + s (√(n+1) h_{n+1} + √n h_{n−1}),   ∂_v h_n = −√(n+1) h_{n+1} / s,

and d_n at equally spaced points: Fourier on a circle, sinc on a line. With Φ = U / s² and constant noise the part without friction is
antisymmetric. Between mirrors the axis is unfolded, U(2w − θ) = U(θ), and (θ, v) → (2w − θ, −v) leaves d_n even for even n, odd for
odd n. Everything is solved twice, with more points and more Hermite functions the second time: the difference is the uncertainty.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg as iterative
from scipy import linalg


@dataclass(frozen=True)
class Axis:
    """Where θ lives: a line or a circle from `lower` to `upper`, between mirrors unfolded around the one at `mirror`."""

    lower: float
    upper: float
    kind: str
    mirror: float | None = None

    def points(self, count):
        width = (self.upper - self.lower) / count
        return self.lower + (np.arange(count) + 0.5) * width

    def basis(self, theta, count):
        """Values at θ of the functions that are 1 at one point and 0 at all others."""
        width = (self.upper - self.lower) / count
        distance = (np.asarray(theta)[:, None] - self.points(count)[None, :]) / width
        if self.kind == "line":
            return np.sinc(distance)
        angle = np.pi * distance / count
        near = np.abs(np.sin(angle)) < 1e-13
        safe = np.where(near, 1.0, angle)
        return np.where(near, 1.0, np.sin(count * safe) / (count * np.sin(safe)))  # an odd count

    def derivative(self, count):
        width = (self.upper - self.lower) / count
        difference = np.arange(count)[:, None] - np.arange(count)[None, :]
        other = np.where(difference == 0, 1, difference)
        sign = np.where(difference % 2 == 0, 1.0, -1.0)
        if self.kind == "line":
            values = sign / (other * width)
        else:
            values = sign * np.pi / (count * width) / np.sin(np.pi * other / count)
        return np.where(difference == 0, 0.0, values)


class BandedFactors:
    """L − σ = P L U of a banded matrix."""

    def __init__(self, band, below, above, shift):
        kind = complex if np.imag(shift) != 0.0 else float
        shifted = np.zeros((2 * below + above + 1, band.shape[1]), dtype=kind)
        shifted[below:] = band
        shifted[below + above] -= shift if kind is complex else np.real(shift)
        self._below, self._above = below, above
        factorise = linalg.lapack.zgbtrf if kind is complex else linalg.lapack.dgbtrf
        self._solve = linalg.lapack.zgbtrs if kind is complex else linalg.lapack.dgbtrs
        self._kind = kind
        self._factors, self._pivots, info = factorise(shifted, below, above, overwrite_ab=True)
        if info < 0:
            raise RuntimeError(f"gbtrf: {info}")

    def __call__(self, vector):
        if self._kind is float and np.iscomplexobj(vector):
            return self(vector.real) + 1j * self(vector.imag)
        return self._solve(self._factors, self._below, self._above, vector.astype(self._kind), self._pivots)[0]


class Discretisation:
    """The generator with `count` points and `degree` Hermite functions."""

    def __init__(self, problem, count, degree):
        count += 1 - count % 2  # odd: the derivative on a circle is then antisymmetric without a null vector of its own
        self.axis, self.count, self.degree = problem.axis, count, degree
        self.s, self.v0, self.problem = np.sqrt(problem.scale), problem.shift, problem
        theta = self.axis.points(count)
        slope, weight_slope = problem.slope(theta), problem.weight_slope(theta)
        gradient = self.s * (self.axis.derivative(count) - np.diag(0.5 * weight_slope))
        raise_ = -gradient - np.diag(slope / self.s + problem.friction * self.v0 / self.s)
        twice = np.diag(problem.noise(theta) / problem.scale - problem.friction)
        drift = -self.v0 / self.s * gradient
        self.bases = self._bases(theta, problem.symmetric)
        sizes = [self._base(n).shape[1] for n in range(degree)]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        widest = max(sizes)
        has_twice = np.any(twice != 0.0)
        self.below, self.above = (3 if has_twice else 2) * widest, 2 * widest
        self.size = self.offsets[-1]
        self.band = np.zeros((self.below + self.above + 1, self.size))
        for n in range(degree):
            self._put(n, n, -problem.friction * n * np.eye(count) + drift)
            if n >= 1:
                self._put(n, n - 1, np.sqrt(n) * raise_)
            if n + 1 < degree:
                self._put(n, n + 1, -np.sqrt(n + 1.0) * gradient)
            if n >= 2 and has_twice:
                self._put(n, n - 2, np.sqrt(n * (n - 1.0)) * twice)
        self._factors = {}

    def _bases(self, theta, symmetric):
        """Orthonormal even and odd vectors on the points, or all."""
        if not symmetric:
            return [np.eye(len(theta))] * 2
        half = len(theta) // 2  # the points lie symmetrically around the mirror, the middle one on it
        even, odd = np.zeros((len(theta), half + 1)), np.zeros((len(theta), half))
        even[half, half] = 1.0
        for k in range(half):
            even[k, k] = even[-1 - k, k] = np.sqrt(0.5)
            odd[k, k], odd[-1 - k, k] = np.sqrt(0.5), -np.sqrt(0.5)
        return [even, odd]

    def _base(self, n):
        return self.bases[n % 2]

    def _put(self, row, column, block):
        block = self._base(row).T @ block @ self._base(column)
        r, c = np.meshgrid(np.arange(block.shape[0]), np.arange(block.shape[1]), indexing="ij")
        r, c = r + self.offsets[row], c + self.offsets[column]
        self.band[self.above + r - c, c] = block

    def solver(self, shift):
        if shift not in self._factors:
            self._factors[shift] = BandedFactors(self.band, self.below, self.above, shift)
        return self._factors[shift]

    def stationary(self):
        solve = self.solver(1e-9)
        vector = np.ones(self.size)
        for _ in range(4):
            vector = solve(vector)
            vector /= np.linalg.norm(vector)
        return vector

    def eigenvalues(self, shift, count):
        solve = self.solver(shift)
        operator = iterative.LinearOperator((self.size, self.size), matvec=solve, dtype=complex if np.imag(shift) else float)
        start = np.random.default_rng(1).standard_normal(self.size)
        inverse = iterative.eigs(operator, k=count, which="LM", return_eigenvectors=False, v0=start, tol=1e-13)
        return shift + 1.0 / inverse

    def coefficients(self, vector, theta):
        """e^{−Φ/2} d_n at θ, [n, θ]."""
        basis = self.axis.basis(theta, self.count)
        weight = np.exp(-0.5 * self.problem.weight(theta))
        parts = [self._base(n) @ vector[self.offsets[n] : self.offsets[n + 1]] for n in range(self.degree)]
        return weight * (np.array(parts) @ basis.T)

    def density(self, vector, theta, v):
        """[θ, v], not normalised."""
        coefficients = self.coefficients(vector, theta)
        u = (np.asarray(v) - self.v0) / self.s
        before, now = np.zeros_like(u), np.exp(-0.5 * u**2) / (self.s * np.sqrt(2.0 * np.pi))
        result = np.zeros((len(theta), len(u)))
        for n in range(self.degree):
            result += coefficients[n][:, None] * now[None, :]
            before, now = now, (u * now - np.sqrt(n) * before) / np.sqrt(n + 1.0)
        return result


@dataclass(frozen=True)
class KineticProblem:
    """dθ = v dt, dv = (−γ v − U′) dt + √(2 D(θ)) dW for Discretisation; functions of arrays of θ."""

    axis: Axis
    friction: float
    slope: callable  #: U′
    noise: callable  #: D
    weight: callable  #: Φ
    weight_slope: callable  #: Φ′
    scale: float  #: s²
    shift: float = 0.0  #: v₀
    symmetric: bool = False  #: only what (θ, v) → (2 mirror − θ, −v) leaves as it is


def panels(lower, upper, breaks=(), count=400, order=16):
    """Points and weights of a Gauss-Legendre rule on many panels, which end at the breaks."""
    edges = np.union1d(np.linspace(lower, upper, count + 1), [b for b in breaks if lower < b < upper])
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half = 0.5 * np.diff(edges)[:, None]
    middle = 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * nodes).ravel(), (half * weights).ravel()


def harmonic_eigenvalues(friction, frequency, largest=24, even=False):
    """n λ₊ + m λ₋ without 0; those of n + m even."""
    root = np.sqrt(complex(friction**2 / 4.0 - frequency**2))
    plus, minus = -friction / 2.0 + root, -friction / 2.0 - root
    return np.array(
        [n * plus + m * minus for n in range(largest) for m in range(largest) if n + m > 0 and not (even and (n + m) % 2)]
    )


def map_state(learning_rate, momentum, curvature, variance):
    """Covariance of (θ, v) and the eigenvalues of v ← βv − hθ − ξ, θ ← θ + ηv with Var ξ = variance, as ln μ / η."""
    matrix = np.array([[1.0 - learning_rate * curvature, learning_rate * momentum], [-curvature, momentum]])
    kick = np.array([learning_rate, 1.0])
    covariance = linalg.solve_discrete_lyapunov(matrix, variance * np.outer(kick, kick))
    first, second = np.linalg.eigvals(matrix).astype(complex)
    multipliers = [first**n * second**m for n in range(24) for m in range(24) if n + m > 0]
    return covariance, np.log(np.array(multipliers)) / learning_rate
