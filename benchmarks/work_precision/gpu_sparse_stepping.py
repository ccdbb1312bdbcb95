"""Sparse-generator stepping with PyTorch, CuPy or SciPy next to `underdamp run`: the comparison for a GPU.

usage: python gpu_sparse_stepping.py [--library torch|cupy|scipy] [--device cuda|cpu] [--cells N ...] [--order 2 4]
                                     [--problem ou-1|narrow] [--underdamp PROGRAM] [--output TABLE.md]
       python gpu_sparse_stepping.py --check [--library …] [--device …]

What a user of a tensor library writes: the finite-volume generator (sparse_generator.py) as a CSR matrix on the device and Runge-Kutta 4
with the longest stable step; the matrix-vector products are those of cuSPARSE. With --underdamp the program runs the same problem on the
same device ("cuda" or "host"). Times are without the first run (start-up of the device, kernels, memory pools) and end with a
synchronisation; set-up is assembly on the host and the transfer.

--check compares with SciPy on the host: the same steps must give the same density to rounding, and the exact exponential the same
to the error of the steps. Exit code 1 if not.
"""

import argparse
import datetime
import os
import pathlib
import sys
import time

import numpy as np
from scipy.sparse.linalg import expm_multiply

from compare import duration, settings_text
from peers import underdamp
from problems import PROBLEMS
from sparse_generator import generator, stable_steps


class Torch:
    def __init__(self, device: str):
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            sys.exit("gpu_sparse_stepping.py: PyTorch finds no CUDA device; --device cpu runs the same on the host")
        self.torch, self.device = torch, torch.device(device)
        name = torch.cuda.get_device_name(self.device) if device == "cuda" else "CPU"
        self.name = f"PyTorch {torch.__version__}, {name}"

    def matrix(self, csr):
        parts = [self.torch.from_numpy(part).to(self.device) for part in (csr.indptr.astype(np.int32), csr.indices.astype(np.int32), csr.data)]
        return self.torch.sparse_csr_tensor(*parts, size=csr.shape)

    def vector(self, values):
        return self.torch.tensor(values, device=self.device)  # a copy: stepping changes it

    def values(self, vector):
        return vector.cpu().numpy()

    def synchronize(self):
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()


class CuPy:
    def __init__(self, device: str):
        if device != "cuda":
            sys.exit("gpu_sparse_stepping.py: CuPy runs on CUDA only; use --library torch or scipy for the CPU")
        import cupy
        import cupyx.scipy.sparse

        self.cupy, self.sparse = cupy, cupyx.scipy.sparse
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        self.name = f"CuPy {cupy.__version__}, {name}"

    def matrix(self, csr):
        parts = [self.cupy.asarray(part) for part in (csr.data, csr.indices.astype(np.int32), csr.indptr.astype(np.int32))]
        return self.sparse.csr_matrix(tuple(parts), shape=csr.shape)

    def vector(self, values):
        return self.cupy.array(values)

    def values(self, vector):
        return self.cupy.asnumpy(vector)

    def synchronize(self):
        self.cupy.cuda.get_current_stream().synchronize()


class SciPy:
    def __init__(self, device: str):
        if device != "cpu":
            sys.exit("gpu_sparse_stepping.py: SciPy runs on the CPU only: --device cpu")
        import scipy

        self.name = f"SciPy {scipy.__version__}, CPU"

    def matrix(self, csr):
        return csr

    def vector(self, values):
        return values.copy()

    def values(self, vector):
        return vector

    def synchronize(self):
        pass


LIBRARIES = {"torch": Torch, "cupy": CuPy, "scipy": SciPy}


def runge_kutta_4(library, matrix, density, step: float, steps: int):
    """p + τLp + (τL)²p/2 + (τL)³p/6 + (τL)⁴p/24, which is RK4 for a constant L; `density` is changed in place."""
    for _ in range(steps):
        # The first product reads the density before anything is added to it.
        term = matrix @ density
        term *= step
        density += term
        for k in (2, 3, 4):
            term = matrix @ term
            term *= step / k
            density += term
    library.synchronize()
    return density


def solve(library, problem, cells, order: int, repeats: int = 3):
    """Density [n_theta, n_v], seconds of set-up, best seconds of stepping after one run to warm up."""
    begin = time.perf_counter()
    matrix = library.matrix(generator(problem, cells, order))
    library.synchronize()
    setup = time.perf_counter() - begin
    initial, steps = problem.initial(cells).ravel(), stable_steps(problem, cells, order)
    runge_kutta_4(library, matrix, library.vector(initial), problem.until / steps, min(steps, 10))
    best = np.inf
    for _ in range(repeats):
        density = library.vector(initial)
        library.synchronize()
        begin = time.perf_counter()
        density = runge_kutta_4(library, matrix, density, problem.until / steps, steps)
        best = min(best, time.perf_counter() - begin)
    return library.values(density).reshape(cells), setup, best


def check(library) -> int:
    failed = 0
    for problem in PROBLEMS.values():
        for order in (2, 4):
            cells = (40, 48)
            density = solve(library, problem, cells, order, repeats=1)[0]
            reference = solve(SciPy("cpu"), problem, cells, order, repeats=1)[0]
            exact = expm_multiply(problem.until * generator(problem, cells, order), problem.initial(cells).ravel()).reshape(cells)
            area = problem.axis("theta", cells[0])[1] * problem.axis("velocity", cells[1])[1]
            same = np.abs(density - reference).sum() * area
            steps = np.abs(density - exact).sum() * area
            good = same <= 1e-12 and steps <= 2e-3  # measured: 1e-15, and 6e-4 with steps as long as stability allows
            failed += not good
            print(f"{problem.name:7} order {order}: against the same steps in SciPy {same:.1e}, against the exponential {steps:.1e}: {'ok' if good else 'FAILED'}")
    return 1 if failed else 0


def rows_of_library(library, problem, arguments):
    for order in arguments.order:
        for n in arguments.cells:
            density, setup, seconds = solve(library, problem, (n, n), order)
            steps = stable_steps(problem, (n, n), order)
            yield f"| sparse RK4, order {order} | {n}×{n}, {steps} steps | {problem.error(density):.1e} | {duration(setup)} | {duration(seconds)} |"


def rows_of_underdamp(problem, arguments):
    device = "cuda" if arguments.device == "cuda" else "host"
    for settings in underdamp.settings(problem):
        best = min((underdamp.run(problem, settings["cells"], settings["tolerance"], device) for _ in range(3)), key=lambda run: run.seconds_solve)
        yield f"| underdamp, {best.details['device']} | {settings_text(settings)} | {problem.error(best.density):.1e} | | {duration(best.seconds_solve)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", choices=LIBRARIES, default="torch")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--problem", choices=PROBLEMS, default="ou-1")
    parser.add_argument("--cells", type=int, nargs="+", default=[64, 128, 256, 512, 1024])
    parser.add_argument("--order", type=int, nargs="+", choices=(2, 4), default=[2, 4])
    parser.add_argument("--underdamp", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    library = LIBRARIES[arguments.library](arguments.device)
    if arguments.check:
        return check(library)
    problem = PROBLEMS[arguments.problem]
    lines = [
        f"# Sparse stepping, {problem.title}, {datetime.date.today()}",
        "",
        f"{library.name}. Command: `{' '.join(['python', *sys.argv])}`.",
        "",
        "| method | settings | L1 | set-up | stepping |",
        "|---|---|---|---|---|",
        *rows_of_library(library, problem, arguments),
    ]
    if arguments.underdamp:
        os.environ["UNDERDAMP_PROGRAM"] = str(arguments.underdamp.resolve())
        lines += rows_of_underdamp(problem, arguments)
    text = "\n".join(lines) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
