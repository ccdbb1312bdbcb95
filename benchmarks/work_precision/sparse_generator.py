"""The finite-volume generator as a sparse matrix: the one that SciPy, PETSc and the GPU script step with.

dP/dt = L P for the values P at the cell centres, flattened with v fastest. Every row is a difference of face fluxes,

  J_θ = v p,   J_v = −(k h θ + γ v) p − D ∂_v p,   no flux through the walls,

  order 2: f_face = (f_0 + f_1)/2,  ∂_v p = (p_1 − p_0)/h
  order 4: f_face = (7(f_0 + f_1) − (f_-1 + f_2))/12,  ∂_v p = (15(p_1 − p_0) − (p_2 − p_-1))/(12 h)

with cells −1, 0 | 1, 2 around the face, and values 0 beyond the walls. Both are the usual central differences in
conservative form; neither has numerical diffusion.
"""

import numpy as np
import scipy.sparse as sparse

VALUE = {2: ([0, 1], [1 / 2, 1 / 2]), 4: ([-1, 0, 1, 2], [-1 / 12, 7 / 12, 7 / 12, -1 / 12])}
SLOPE = {2: ([0, 1], [-1.0, 1.0]), 4: ([-1, 0, 1, 2], [1 / 12, -15 / 12, 15 / 12, -1 / 12])}


def face_matrix(cells: int, offsets, weights) -> sparse.csr_array:
    """Inner faces from cells, [cells − 1, cells]: face f lies between the cells f and f + 1."""
    faces = cells - 1
    diagonals = [np.full(cells, weight) for weight in weights]
    return sparse.dia_array((np.array(diagonals), offsets), shape=(faces, cells)).tocsr()


def generator(problem, cells: tuple[int, int], order: int = 2) -> sparse.csr_array:
    """L as a CSR matrix, [n_theta·n_v, n_theta·n_v]."""
    theta, width_theta = problem.axis("theta", cells[0])
    v, width_v = problem.axis("velocity", cells[1])
    divergence = [face_matrix(n, [0, 1], [-1.0, 1.0]).T for n in cells]  # −(J_{f+1} − J_f): outflow of the left cell
    value_theta = divergence[0] @ face_matrix(cells[0], *VALUE[order]) / width_theta
    value_v = divergence[1] @ face_matrix(cells[1], *VALUE[order]) / width_v
    slope_v = divergence[1] @ face_matrix(cells[1], *SLOPE[order]) / width_v**2
    identity = sparse.eye_array(cells[0])
    # divergence[·] J is −∂J where J is a flux to the right.
    transport = sparse.kron(value_theta, sparse.diags_array(v))
    force = -sparse.kron(sparse.diags_array(problem.stiffness * theta), value_v)
    friction = -sparse.kron(identity, value_v @ sparse.diags_array(problem.friction * v))
    diffusion = -sparse.kron(identity, problem.diffusion * slope_v)
    matrix = sparse.csr_array(transport + force + friction + diffusion)
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


def spectral_radius(problem, cells: tuple[int, int], order: int) -> tuple[float, float]:
    """Bounds of |Im λ| and |Re λ| of the generator: what limits explicit steps."""
    _, width_theta = problem.axis("theta", cells[0])
    _, width_v = problem.axis("velocity", cells[1])
    highest_v = max(map(abs, problem.velocity))
    force = problem.stiffness * max(map(abs, problem.theta)) + problem.friction * highest_v
    advective = {2: 1.0, 4: 1.372}[order]  # max |symbol| of the central difference
    diffusive = {2: 4.0, 4: 16.0 / 3.0}[order]
    return (
        advective * (highest_v / width_theta + force / width_v),
        diffusive * problem.diffusion / width_v**2,
    )


def stable_steps(problem, cells: tuple[int, int], order: int) -> int:
    """Steps of RK4, which is stable for |Re λτ| ≤ 2.78 and for |Im λτ| ≤ 2.82; an ellipse through both is on the safe side."""
    imaginary, real = spectral_radius(problem, cells, order)
    return int(np.ceil(problem.until * np.hypot(imaginary / 2.82, real / 2.78)))
