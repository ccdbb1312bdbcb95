"""The two problems of the comparison and their exact answers.

∂_t p = −∂_θ(v p) + ∂_v[(k h θ + γ v) p] + D ∂_v² p with k h = 20, γ = 1, D = 1 (docs/method.md, equations 3 and 4), so that
the stationary standard deviations are 1/√20 in θ and 1 in v. The box is θ ∈ [−1.5, 1.5], v ∈ [−7, 7], the time runs to 1.

  ou-1    OU-1, start N((0.5, 0), diag(0.01, 0.2)) (validation/cases/ou-1.toml)
  narrow  the same, start with a tenth of the stationary standard deviations: N((0.5, 0), diag(1/2000, 1/100))
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov


@dataclass(frozen=True)
class Problem:
    name: str
    title: str
    variance_theta: float
    variance_v: float
    mean_theta: float = 0.5
    mean_v: float = 0.0
    stiffness: float = 20.0  #: k h
    friction: float = 1.0  #: γ
    diffusion: float = 1.0  #: D
    theta: tuple[float, float] = (-1.5, 1.5)
    velocity: tuple[float, float] = (-7.0, 7.0)
    until: float = 1.0

    def axis(self, which: str, cells: int) -> tuple[np.ndarray, float]:
        """Cell centres and cell width along "theta" or "velocity"."""
        low, high = getattr(self, which)
        width = (high - low) / cells
        return low + (np.arange(cells) + 0.5) * width, width

    def initial(self, cells: tuple[int, int]) -> np.ndarray:
        """The start at the cell centres, [n_theta, n_v], normalised to total probability 1 on the cells."""
        density = self._gaussian(cells, *self._start())
        _, width_theta = self.axis("theta", cells[0])
        _, width_v = self.axis("velocity", cells[1])
        return density / (density.sum() * width_theta * width_v)

    def exact(self, cells: tuple[int, int]) -> np.ndarray:
        """The exact density at `until` at the cell centres, [n_theta, n_v]: a Gaussian (docs/method.md, equation 4)."""
        mean, covariance = self._start()
        drift = np.array([[0.0, -1.0], [self.stiffness, self.friction]])
        stationary = solve_continuous_lyapunov(drift, 2.0 * np.diag([0.0, self.diffusion]))
        flow = expm(-drift * self.until)
        return self._gaussian(cells, flow @ mean, stationary + flow @ (covariance - stationary) @ flow.T)

    def error(self, density: np.ndarray) -> float:
        """L1 error Σ|P − p_exact| h_θ h_v of a density [n_theta, n_v] at the cell centres at `until`."""
        _, width_theta = self.axis("theta", density.shape[0])
        _, width_v = self.axis("velocity", density.shape[1])
        return float(np.abs(density - self.exact(density.shape)).sum() * width_theta * width_v)

    def _start(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([self.mean_theta, self.mean_v]), np.diag([self.variance_theta, self.variance_v])

    def _gaussian(self, cells, mean, covariance) -> np.ndarray:
        theta, v = self.axis("theta", cells[0])[0], self.axis("velocity", cells[1])[0]
        z = np.stack(np.meshgrid(theta, v, indexing="ij"), axis=-1) - mean
        exponent = -0.5 * np.einsum("...a,ab,...b", z, np.linalg.inv(covariance), z)
        return np.exp(exponent) / (2.0 * np.pi * np.sqrt(np.linalg.det(covariance)))


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("ou-1", "OU-1", variance_theta=0.01, variance_v=0.2),
        Problem("narrow", "narrow start", variance_theta=1.0 / 2000.0, variance_v=1.0 / 100.0),
    )
}
