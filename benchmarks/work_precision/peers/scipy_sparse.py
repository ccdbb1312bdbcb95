"""SciPy: the sparse finite-volume generator with `expm_multiply`, and with Crank-Nicolson and one sparse LU.

expm_multiply has no error in time and no tolerance to loosen. Crank-Nicolson: (I − τL/2)⁻¹(I + τL/2) = 2(I − τL/2)⁻¹ − I needs only
the solve; the ordering MMD_AT_PLUS_A halves the fill of the default COLAMD here. Set-up: assembly and factorisation.
"""

import time
from functools import partial

from sparse_generator import generator

from .interface import Method, Solution


def solve_expm(order: int, problem, settings: dict) -> Solution:
    from scipy.sparse.linalg import expm_multiply

    cells = tuple(settings["cells"])
    begin = time.perf_counter()
    matrix = generator(problem, cells, order)
    ready = time.perf_counter()
    density = expm_multiply(problem.until * matrix, problem.initial(cells).ravel(), traceA=problem.until * matrix.trace())
    return Solution(density.reshape(cells), ready - begin, time.perf_counter() - ready)


def solve_crank_nicolson(order: int, problem, settings: dict) -> Solution:
    import scipy.sparse as sparse
    from scipy.sparse.linalg import splu

    cells, steps = tuple(settings["cells"]), settings["steps"]
    begin = time.perf_counter()
    matrix = generator(problem, cells, order)
    implicit = sparse.eye_array(matrix.shape[0]) - (0.5 * problem.until / steps) * matrix
    factors = splu(implicit.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options={"SymmetricMode": True})
    ready = time.perf_counter()
    density = problem.initial(cells).ravel()
    for _ in range(steps):
        density = 2.0 * factors.solve(density) - density
    return Solution(density.reshape(cells), ready - begin, time.perf_counter() - ready)


def settings_expm(order: int, problem) -> list[dict]:
    cells = {
        ("ou-1", 2): (64, 96, 128, 160, 192, 256, 384, 512, 552, (640, 512)),
        ("ou-1", 4): (32, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256, 384, 448),
        ("narrow", 2): (128, 192, 256, 384, 512, 768),
        ("narrow", 4): (96, 128, 192, 256, 320, 384, 512),
    }[problem.name, order]
    return [{"cells": list(n) if isinstance(n, tuple) else [n, n]} for n in cells]


def settings_crank_nicolson(order: int, problem) -> list[dict]:
    pairs = {
        ("ou-1", 2): ((64, 25), (96, 50), (128, 50), (160, 75), (192, 100), (192, 200), (256, 200), (384, 200), (512, 300), (576, 400), (640, 500)),
        ("ou-1", 4): ((32, 25), (48, 50), (48, 75), (56, 75), (56, 100), (64, 100), (80, 200), (80, 300), (80, 400), (88, 300), (96, 250), (96, 300), (96, 400), (128, 400), (128, 800), (144, 1200), (160, 1000), (176, 1000), (192, 2000)),
        ("narrow", 2): ((128, 50), (192, 100), (256, 100), (384, 200), (512, 300), (640, 400)),
        ("narrow", 4): ((96, 100), (128, 100), (192, 200), (192, 400), (256, 400), (256, 800), (320, 800), (384, 1600)),
    }[problem.name, order]
    return [{"cells": [n, n], "steps": steps} for n, steps in pairs]


METHODS = [
    Method(f"scipy-{name}-{order}", f"SciPy {title}, order {order}", partial(settings, order), partial(solve, order), (({"cells": [64, 64]} | extra, bound),))
    for name, title, settings, solve, extra in (
        ("expm", "expm_multiply", settings_expm, solve_expm, {}),
        ("cn", "Crank-Nicolson + splu", settings_crank_nicolson, solve_crank_nicolson, {"steps": 400}),
    )
    for order, bound in ((2, 0.08), (4, 3e-3))
]
