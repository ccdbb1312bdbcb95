"""True errors of stationary states and spectra beside those that underdamp states, on sixty problems.

usage: python stationary_errors.py UNDERDAMP [--only WORD …] [--keep FOLDER] [--output TABLE.md] [--details]

Needs numpy and scipy. UNDERDAMP is the program. Exit code 1 if anything is wrong by more than twice what it says (plus 1e-12).
"""

import argparse
import base64
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
import zlib
from dataclasses import dataclass, field

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before NumPy is loaded

import numpy as np  # noqa: E402
from scipy.special import ndtr  # noqa: E402

from problems import PROBLEMS, function_of  # noqa: E402
from reference import Discretisation, harmonic_eigenvalues, map_state, panels  # noqa: E402

FLOOR = 1e-12  # errors below are rounding
MOST_UNDERSTATED = 2.0
MOST_OVERSTATED = 30.0
MISSING = 0.05  # relative distance from which on an eigenvalue is not the one of the reference


# ---- what the program wrote --------------------------------------------------------------------------------------------


@dataclass
class Grid:
    theta: np.ndarray
    v: np.ndarray
    widths: tuple[float, float]
    density: np.ndarray  #: [θ, v]

    @property
    def cell(self):
        return self.widths[0] * self.widths[1]

    @property
    def box(self):
        return [(axis[0] - width / 2.0, axis[-1] + width / 2.0) for axis, width in zip((self.theta, self.v), self.widths)]


def read_density(path):
    """Of a .vti as underdamp writes it: zlib blocks behind a header of UInt32, each in base64 of its own."""
    image = xml.parse(path).getroot().find("ImageData")
    extent = [int(word) for word in image.get("WholeExtent").split()]
    origin, spacing = ([float(word) for word in image.get(key).split()] for key in ("Origin", "Spacing"))
    counts = extent[1] - extent[0], extent[3] - extent[2]
    array = next(a for a in image.iter("DataArray") if a.get("Name") == "density")
    text = "".join(array.text.split())
    blocks = np.frombuffer(base64.b64decode(text[:8])[:4], "<u4")[0]
    header_text = 4 * ((4 * (3 + int(blocks)) + 2) // 3)
    sizes = np.frombuffer(base64.b64decode(text[:header_text]), "<u4")[3 : 3 + blocks]
    packed = base64.b64decode(text[header_text:])
    ends = np.cumsum(sizes)
    data = b"".join(zlib.decompress(packed[end - size : end]) for end, size in zip(ends, sizes))
    values = np.frombuffer(data, "<f8" if array.get("type") == "Float64" else "<f4").astype(float)
    axes = [origin[axis] + (np.arange(counts[axis]) + 0.5) * spacing[axis] for axis in (0, 1)]
    return Grid(*axes, (spacing[0], spacing[1]), values.reshape(counts[1], counts[0]).T)


def number(value):
    return float("nan") if value is None else float(value)


# ---- what is right -----------------------------------------------------------------------------------------------------


@dataclass
class Reference:
    density: callable  #: (θ, v) to [θ, v], total probability 1 on the whole plane
    inside: callable  #: (box) to the probability in it
    mean: np.ndarray
    covariance: np.ndarray
    eigenvalues: callable  #: (rows) to the eigenvalues near them and their uncertainties, with the slowest of all; or None
    uncertainty: float = 0.0  #: L1, of the density
    mean_uncertainty: np.ndarray = field(default_factory=lambda: np.zeros(2))
    covariance_uncertainty: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))


def gauss_inside(interval, mean, deviation):
    return ndtr((interval[1] - mean) / deviation) - ndtr((interval[0] - mean) / deviation)


def gibbs_reference(problem):
    loss, temperature = function_of(problem.formula), problem.temperature
    x, weights = problem.quadrature()
    lowest = loss(x).min()
    marginal = weights * np.exp(-(loss(x) - lowest) / temperature)
    total = marginal.sum()
    marginal /= total
    mean = marginal @ x
    lower, upper = problem.domain()

    def inside(box):
        (a, b), velocity = box
        y, w = panels(max(a, lower), min(b, upper), problem.kinks)
        return (w @ np.exp(-(loss(y) - lowest) / temperature)) / total * gauss_inside(velocity, 0.0, np.sqrt(temperature))

    def density(theta, v):
        p = np.exp(-(loss(theta) - lowest) / temperature) / total
        return p[:, None] * np.exp(-(v**2) / (2.0 * temperature))[None, :] / np.sqrt(2.0 * np.pi * temperature)

    covariance = np.diag([marginal @ (x - mean) ** 2, temperature])
    return Reference(density, inside, np.array([mean, 0.0]), covariance, eigenvalues_of(problem))


def map_reference(problem):
    rate, momentum, variance = problem.map
    covariance, eigenvalues = map_state(rate, momentum, 1.0, variance)
    inverse, scale = np.linalg.inv(covariance), 2.0 * np.pi * np.sqrt(np.linalg.det(covariance))

    def density(theta, v):
        quadratic = inverse[0, 0] * theta[:, None] ** 2 + 2.0 * inverse[0, 1] * theta[:, None] * v + inverse[1, 1] * v**2
        return np.exp(-0.5 * quadratic) / scale

    return Reference(density, lambda box: 1.0, np.zeros(2), covariance, lambda rows: (eigenvalues, np.zeros(len(eigenvalues))))


def moments_of(problem, discretisation, vector):
    x, weights = problem.quadrature()
    c = discretisation.coefficients(vector, x)[:3]
    s, v0 = discretisation.s, discretisation.v0
    mass = weights @ c[0]
    u, u2 = s * c[1], s**2 * (np.sqrt(2.0) * c[2] + c[0])  # E u, E u² of the velocity u + v₀
    mean = np.array([weights @ (x * c[0]), weights @ u]) / mass
    x = x - mean[0]
    u_mean = mean[1]
    var = [weights @ (x**2 * c[0]) / mass, weights @ (x * u) / mass, weights @ u2 / mass - u_mean**2]
    return mass, mean + np.array([0.0, v0]), np.array([[var[0], var[1]], [var[1], var[2]]])


def kinetic_reference(problem):
    """Twice, with few and with many points."""
    solutions = []
    for points, degree in zip(problem.points, problem.degrees):
        discretisation = Discretisation(problem.kinetic(), points, degree)
        vector = discretisation.stationary()
        solutions.append((discretisation, vector, *moments_of(problem, discretisation, vector)))

    def density_of(solution):
        discretisation, vector, mass, *_ = solution
        return lambda theta, v: discretisation.density(vector, theta, v) / mass

    _, _, _, mean, covariance = solutions[1]
    lower, upper = problem.domain()
    width, spread = (upper - lower) / 101, np.sqrt(covariance[1, 1])
    theta, v = lower + (np.arange(101) + 0.5) * width, mean[1] + spread * np.linspace(-7.0, 7.0, 141)
    values = [density_of(solution)(theta, v) for solution in solutions]
    uncertainty = np.abs(values[1] - values[0]).sum() * width * (v[1] - v[0])
    uncertain = [np.abs(few - many) for few, many in zip(solutions[0][3:], solutions[1][3:])]
    return Reference(
        density_of(solutions[1]), lambda box: 1.0, mean, covariance, eigenvalues_of(problem), uncertainty, *uncertain
    )


def eigenvalues_of(problem):
    """A function that finds the eigenvalues of the reference near some others, and their uncertainties."""
    if problem.frequency:
        # Above a mirror: what (θ, v) → (−θ, −v) leaves as it is.
        exact = harmonic_eigenvalues(problem.friction, problem.frequency, even="reflecting" in problem.walls)
        return lambda rows: (exact, np.zeros(len(exact)))
    if not problem.has_spectrum:
        return None

    def find(rows):
        grids = [Discretisation(problem.kinetic(), *size) for size in zip(problem.points, problem.degrees)]
        found, uncertainty = near(grids, 0.02, 14)
        for row in rows:
            if row.imag >= 0.0 and np.min(np.abs(found - row)) > 1e-4 * abs(row):
                more, uncertain = near(grids, row + 1e-3 * abs(row) + (1e-3j * abs(row) if row.imag else 0.0), 2)
                mirrored = np.conj(more)
                found = np.concatenate([found, more, mirrored])
                uncertainty = np.concatenate([uncertainty, uncertain, uncertain])
        keep = np.abs(found) > 1e-11
        return found[keep], uncertainty[keep]

    return find


def near(grids, shift, count):
    few, many = (grid.eigenvalues(shift, count) for grid in grids)
    return many, np.min(np.abs(many[:, None] - few[None, :]), axis=1)


def reference_of(problem):
    if problem.map:
        return map_reference(problem)
    return gibbs_reference(problem) if problem.is_gibbs else kinetic_reference(problem)


# ---- comparison --------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    problem: object
    exit_code: int
    seconds: float
    method: str = "–"
    true: float = float("nan")
    stated: float = float("nan")
    uncertainty: float = 0.0  #: of the reference
    moments: list = field(default_factory=list)  #: (name, true, stated, uncertainty of the reference)
    lines: list = field(default_factory=list)  #: (eigenvalue, nearest of the reference, true, stated, uncertainty), relative
    remarks: list = field(default_factory=list)

    @property
    def ratio(self):
        return self.true / self.stated if self.stated > 0.0 else float("nan")

    def worst_moment(self):
        return max(
            (max(true - uncertainty, 0.0) / max(stated, FLOOR) for _, true, stated, uncertainty in self.moments),
            default=float("nan"),
        )

    def worst_line(self):
        return max((max(line[2] - line[4], 0.0) / max(line[3], FLOOR) for line in self.lines), default=float("nan"))

    def wrong(self):
        """What is wrong by more than twice what it says."""
        if self.exit_code != 0:
            return []
        found = []
        if not self.true <= MOST_UNDERSTATED * self.stated + self.uncertainty + FLOOR:
            found.append(f"density wrong by {self.true:.2g}, says {self.stated:.2g}")
        for name, true, stated, uncertainty in self.moments:
            if not true <= MOST_UNDERSTATED * stated + uncertainty + FLOOR:
                found.append(f"{name} wrong by {true:.2g}, says {stated:.2g}")
        for value, nearest, true, stated, uncertainty in self.lines:
            if not true <= MOST_UNDERSTATED * stated + uncertainty + FLOOR:
                found.append(
                    f"eigenvalue {value:.8g} is {nearest:.8g}: wrong by {true:.2g}, says {stated:.2g} (reference {uncertainty:.0e})"
                )
        return found

    def overstated(self):
        if self.exit_code != 0 or self.stated < 1e-9:
            return []
        return [f"says {self.stated:.2g}, is wrong by {self.true:.2g}"] if self.stated > MOST_OVERSTATED * self.true else []


def read_lines(folder, state):
    """Of the spectrum: (eigenvalue, stated error) of the rows that are not uncertain."""
    path = folder / "spectrum.csv"
    if not path.exists():
        return [], []
    rows = list(csv.DictReader(line for line in path.read_text().splitlines() if not line.startswith("#")))
    values = [complex(*pair) for pair in state.get("eigenvalues") or []]
    errors = [number(error) for error in state.get("eigenvalue_errors") or []]
    errors += [float("nan")] * (len(values) - len(errors))
    kinds = [row["kind"] for row in rows]
    kinds += [""] * (len(values) - len(kinds))
    judged = [(value, error) for value, error, kind in zip(values, errors, kinds) if kind != "uncertain"]
    return judged, values


def judge(problem, exit_code, seconds, folder, message):
    row = Row(problem, exit_code, seconds)
    path = folder / "summary.json"
    summary = json.loads(path.read_text()) if path.exists() else {}
    state = summary.get("stationary")
    if exit_code != 0:
        row.remarks.append(message)
    if not state or not (folder / "stationary.vti").exists():
        return row
    row.method = state["method"]
    row.stated = sum(number(state[key]) for key in ("error_estimate", "space_error_estimate", "box_error_estimate"))
    grid = read_density(folder / "stationary.vti")
    reference = reference_of(problem)
    values = reference.density(grid.theta, grid.v)
    inside = reference.inside(grid.box)
    # On the cells: of the same sum as the density that is judged, but for what lies outside of the box.
    values *= inside * grid.density.sum() / values.sum()
    row.true = float(np.abs(grid.density - values).sum() * grid.cell + 1.0 - inside)
    row.uncertainty = reference.uncertainty
    if reference.uncertainty > 1e-8:
        row.remarks.append(f"density of the reference uncertain by {reference.uncertainty:.0e}")
    for a, name in enumerate(("E θ", "E v")):
        difference = abs(number(state["mean"][a]) - reference.mean[a])
        row.moments.append((name, difference, number(state["mean_error"][a]), reference.mean_uncertainty[a]))
    for name, a, b in (("Var θ", 0, 0), ("Cov θ, v", 0, 1), ("Var v", 1, 1)):
        difference = abs(number(state["covariance"][a][b]) - reference.covariance[a, b])
        stated = number(state["covariance_error"][a][b])
        row.moments.append((name, difference, stated, reference.covariance_uncertainty[a, b]))
    judged, values = read_lines(folder, state)
    if any(value.real > 0.0 for value in values):
        row.remarks.append(f"positive eigenvalue {max(value.real for value in values):.2g}")
    if reference.eigenvalues and values:
        is_said = any("left out" in warning for warning in summary["warnings"])
        judge_lines(row, reference.eigenvalues([value for value, _ in judged]), judged, values, is_said)
    return row


def judge_lines(row, found, judged, values, is_said):
    eigenvalues, uncertainties = found
    for value, stated in judged:
        best = int(np.argmin(np.abs(eigenvalues - value)))
        size = abs(value) or 1.0
        row.lines.append((value, eigenvalues[best], abs(eigenvalues[best] - value) / size, stated, uncertainties[best] / size))
    slowest = eigenvalues[np.argmax(eigenvalues.real)]
    if all(min(abs(value - slowest), abs(value - np.conj(slowest))) > MISSING * abs(slowest) for value in values):
        row.remarks.append(f"slowest eigenvalue {slowest:.6g} is missing" + (", which is said" if is_said else ""))


def run(problem, program, folder):
    spec = folder / "spec.toml"
    spec.write_text(problem.spec())
    begin = time.perf_counter()
    command = [program, "run", str(spec), "--quiet", "--restart", "--output", str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    message = " ".join(done.stderr.split())
    return judge(problem, done.returncode, seconds, folder / "out", message[:300])


# ---- table -------------------------------------------------------------------------------------------------------------


def text_of(value, digits=2):
    return "–" if not np.isfinite(value) else f"{value:.{digits}g}"


def table(rows):
    lines = [
        "| problem | ζ | γ | method | exit code | true L1 error | estimate | true / estimate | moments | eigenvalues | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row.problem.name,
            text_of(row.problem.zeta()),
            text_of(row.problem.friction if not row.problem.map else float("nan")),
            row.method,
            str(row.exit_code),
            text_of(row.true),
            text_of(row.stated),
            text_of(row.ratio),
            text_of(row.worst_moment()),
            text_of(row.worst_line()),
            f"{row.seconds:.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    done = [row for row in rows if row.exit_code == 0]
    ratios = [row.ratio for row in done if row.true > FLOOR and np.isfinite(row.ratio)]
    wrong = sum(bool(row.wrong()) for row in done)
    lines += [
        "",
        f"{len(rows)} problems, {len(done)} with exit code 0, {sum(row.exit_code == 3 for row in rows)} with exit code 3; "
        f"{wrong} wrong by more than twice what they say; true / estimate of the density from {min(ratios, default=0.0):.2g} to "
        f"{max(ratios, default=0.0):.2g}.",
    ]
    return "\n".join(lines) + "\n"


def remarks(row):
    return [*row.wrong(), *row.overstated(), *row.remarks]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("underdamp")
    parser.add_argument("--only", nargs="*", default=[], help="problems whose name holds one of these words")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the specs and outputs")
    parser.add_argument("--output", type=pathlib.Path, help="Markdown, instead of the terminal")
    parser.add_argument("--details", action="store_true", help="moments and eigenvalues of every problem, on standard error")
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.underdamp).resolve())
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        base = arguments.keep or pathlib.Path(temporary)
        for number_, problem in enumerate(PROBLEMS, 1):
            if arguments.only and not any(word in problem.name for word in arguments.only):
                continue
            folder = base / f"{number_:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            row = run(problem, program, folder)
            rows.append(row)
            print(
                f"{number_:2d} {problem.name} (γ = {problem.friction:g}): L1 {row.true:.2g} / {row.stated:.2g}, {row.seconds:.1f} s",
                file=sys.stderr,
            )
            for remark in remarks(row):
                print(f"     {remark}", file=sys.stderr)
            if arguments.details:
                for name, true, stated, uncertainty in row.moments:
                    print(f"     {name}: {true:.2g} / {stated:.2g} ({uncertainty:.0e})", file=sys.stderr)
                for value, nearest, true, stated, uncertainty in row.lines:
                    print(f"     {value:.10g}: {nearest:.10g}, {true:.2g} / {stated:.2g} ({uncertainty:.0e})", file=sys.stderr)
            sys.stderr.flush()
    text = table(rows)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text, end="")
    return 1 if any(row.wrong() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
