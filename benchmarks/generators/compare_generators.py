"""Crossing rate and stationary density of a double well: underdamp beside the textbook generators on the same grids.

usage: python compare_generators.py UNDERDAMP [--cells 64 96 128 192] [--reference 384] [--output TABLE.md]

Needs numpy and scipy. UNDERDAMP is the program. All generators get the box that underdamp chooses. Schemes:

  upwind          first-order upwind in theta and v, second-order diffusion
  central         second-order central in theta and v
  Chang-Cooper    in v (exact for the Maxwellian of every line), central in theta
  Chang-Cooper/up in v, first-order upwind in theta
"""

import argparse
import datetime
import json
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg

SPEC = """
[optimizer]
learning_rate = 0.1
momentum = 0.9
batch_size = 32
[loss]
kind = "expression"
formula = "(x^2 - 1)^2 / 4"
[noise]
kind = "isotropic"
sigma2 = {sigma2}
[grid]
cells = [{cells}, {cells}]
[stationary]
method = "{method}"
modes = 6
[output]
fields = ["density"]
precision = "float64"
"""


def run_underdamp(program, folder, cells, method, sigma2):
    """Summary of a run and its stationary marginal of theta."""
    spec = folder / f"well_{cells}_{method}.toml"
    spec.write_text(SPEC.format(cells=cells, method=method, sigma2=sigma2))
    subprocess.run([program, "run", str(spec), "--quiet", "--output", str(folder / spec.stem)], check=True)
    summary = json.loads((folder / spec.stem / "summary.json").read_text())
    rows = [line.split(",") for line in (folder / spec.stem / "stationary_marginals.csv").read_text().splitlines()[1:]]
    marginal = np.array([float(row[2]) for row in rows if row[0] == "theta"])
    return summary, marginal


class Model:
    """Force, friction and noise of the run, with cell centres."""

    def __init__(self, summary, cells):
        derived = summary["derived"]
        self.k, self.gamma = derived["k"], derived["gamma"]
        self.temperature = derived["std_v"] ** 2
        (a, b), (c, d) = summary["box"]["theta"], summary["box"]["velocity"]
        self.h_theta, self.h_v = (b - a) / cells, (d - c) / cells
        self.theta = a + (np.arange(cells) + 0.5) * self.h_theta
        self.v = c + (np.arange(cells) + 0.5) * self.h_v
        self.diffusion = self.gamma * self.temperature

    def force(self):
        return -self.k * self.theta * (self.theta**2 - 1.0)

    def gibbs_marginal(self):
        p = np.exp(-self.k * (self.theta**2 - 1.0) ** 2 / 4.0 / self.temperature)
        return p / (p.sum() * self.h_theta)


def face_matrix(left, right, cells):
    """Flux through the inner faces e = 1 … cells − 1: left[e] p[e − 1] + right[e] p[e]; as an operator on one line."""
    e = np.arange(1, cells)
    flux = sparse.csr_matrix((np.r_[left, right], (np.r_[e, e], np.r_[e - 1, e])), shape=(cells + 1, cells))
    difference = sparse.diags([-1.0, 1.0], [0, 1], shape=(cells, cells + 1))
    return -(difference @ flux)


def bernoulli(x):
    x = np.where(np.abs(x) < 1e-10, 1e-10, x)
    return x / np.expm1(x)


def generator(model, scheme):
    n = len(model.theta)
    theta_faces = []
    for v in model.v:
        if scheme in ("upwind", "Chang-Cooper/up"):
            left, right = max(v, 0.0), min(v, 0.0)
        else:
            left = right = 0.5 * v
        theta_faces.append(face_matrix(np.full(n - 1, left), np.full(n - 1, right), n) / model.h_theta)
    v_face = 0.5 * (model.v[1:] + model.v[:-1])
    lines = []
    for force in model.force():
        drift = force - model.gamma * v_face
        d = model.diffusion / model.h_v
        if scheme == "upwind":
            left, right = np.maximum(drift, 0.0) + d, np.minimum(drift, 0.0) - d
        elif scheme == "central":
            left, right = 0.5 * drift + d, 0.5 * drift - d
        else:
            peclet = drift / d
            left, right = d * bernoulli(-peclet), -d * bernoulli(peclet)
        lines.append(face_matrix(left, right, n) / model.h_v)
    velocity = sparse.block_diag(lines, format="csr")
    # theta part: entry (i, i') of column j couples cells i n + j and i' n + j
    rows, columns, values = [], [], []
    for j, block in enumerate(theta_faces):
        block = block.tocoo()
        rows.append(block.row * n + j)
        columns.append(block.col * n + j)
        values.append(block.data)
    size = n * n
    theta = sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size))
    return (velocity + theta).tocsc()


def solve(model, scheme):
    """Eigenvalues nearest to 0 and the stationary marginal."""
    matrix = generator(model, scheme)
    values, vectors = linalg.eigs(matrix, k=8, sigma=1e-7, which="LM")
    order = np.argsort(-values.real)
    values, vectors = values[order], vectors[:, order]
    stationary = np.argmin(np.abs(values))
    p = vectors[:, stationary].real.reshape(len(model.theta), -1)
    marginal = p.sum(axis=1)
    marginal /= marginal.sum() * model.h_theta
    return np.delete(values, stationary), marginal


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--cells", type=int, nargs="+", default=[64, 96, 128, 192])
    parser.add_argument("--reference", type=int, default=384)
    parser.add_argument("--sigma2", type=float, default=4.0)
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        reference = run_underdamp(program, folder, arguments.reference, "arnoldi", arguments.sigma2)[0]
        exact = reference["stationary"]["eigenvalues"][0][0]
        next_rate = reference["stationary"]["eigenvalues"][1][0]
        rows = []
        for cells in arguments.cells:
            for method in ("arnoldi", "direct"):
                begin = time.perf_counter()
                summary, marginal = run_underdamp(program, folder, cells, method, arguments.sigma2)
                seconds = time.perf_counter() - begin
                model = Model(summary, cells)
                values = np.array([complex(*value) for value in summary["stationary"]["eigenvalues"]])
                rows.append((cells, f"underdamp, {method}", values, marginal, model, seconds))
            for scheme in ("upwind", "central", "Chang-Cooper", "Chang-Cooper/up"):
                begin = time.perf_counter()
                values, marginal = solve(model, scheme)
                rows.append((cells, scheme, values, marginal, model, time.perf_counter() - begin))
                print(cells, scheme, values[:3], file=sys.stderr)
        commit, version = reference["commit"], reference["version"]
    text = [
        f"# Generators: a double well with constant noise, {datetime.date.today()}",
        "",
        f"underdamp {version}, commit {commit}; {processor()}; numpy {np.__version__}, SciPy {__import__('scipy').__version__}.",
        f"L = (θ² − 1)²/4, η = 0.1, β = 0.9, S = 32, σ² = {arguments.sigma2:g}. Reference: underdamp at {arguments.reference}²,",
        f"crossing eigenvalue {exact:.10g}; the next slowest mode has real part {next_rate:.6g}.",
        "Command: `python compare_generators.py build/bin/underdamp`. *Spurious*: modes between the two, which no process has.",
        "",
        "| cells | generator | crossing eigenvalue | relative error | spurious | L1 of the θ marginal against Gibbs | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for cells, scheme, values, marginal, model, seconds in rows:
        slow = values[values.real > 0.8 * next_rate]
        real = slow[np.abs(slow.imag) < 1e-9]
        crossing = real[np.argmin(np.abs(real - exact))].real if len(real) else float("nan")
        error = abs(crossing / exact - 1.0)
        l1 = np.abs(marginal - model.gibbs_marginal()).sum() * model.h_theta
        text.append(
            f"| {cells}² | {scheme} | {crossing:.8g} | {error:.1e} | {max(len(slow) - 1, 0)} | {l1:.1e} | {seconds:.2f} |"
        )
    result = "\n".join(text) + "\n"
    if arguments.output:
        arguments.output.write_text(result)
    else:
        print(result)


if __name__ == "__main__":
    main()
