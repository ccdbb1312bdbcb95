"""Sixty stationary problems with their references (reference.py): what the program is asked, and what is right.

Formulas are those of the spec, so `^` is a power; they are evaluated here by NumPy. All are in units where T or D is given directly,
but for the SGD map.
"""

from dataclasses import dataclass

import numpy as np

from reference import Axis, KineticProblem, panels

FUNCTIONS = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tanh", "exp", "sqrt", "log")},
    "abs": np.abs,
    "max": lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)),
    "min": lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)),
    "pi": np.pi,
}


def function_of(formula):
    """The formula as a function of arrays."""
    code = compile(formula.replace("^", "**"), formula, "eval")
    return lambda x: eval(code, {"__builtins__": {}}, FUNCTIONS | {"x": x}) + 0.0 * x


def derivative_of(formula):
    """By a complex step: exact, for smooth formulas."""
    f = function_of(formula)
    return lambda x: np.imag(f(np.asarray(x) + 1e-30j)) / 1e-30


@dataclass(frozen=True)
class Problem:
    name: str
    loss: str = "x^2/2"
    friction: float = 1.0
    temperature: float | None = None
    noise: str | None = None  #: D(x), instead of the temperature
    tilt: float = 0.0  #: F of a loss − F x
    cells: tuple[int, int] = (128, 128)
    theta: tuple[float, float] | None = None
    velocity: tuple[float, float] | None = None
    walls: tuple[str, str] = ("open", "open")
    method: str = "auto"
    modes: int = 6
    support: tuple[float, float] = (-8.0, 8.0)  #: outside of which the density of the whole line is below 1e-14
    kinks: tuple[float, ...] = ()
    frequency: float = 0.0  #: ω of a parabola: its eigenvalues are known
    has_spectrum: bool = True  #: reference.py converges for its eigenvalues
    points: tuple[int, int] = (72, 96)  #: along θ, of the two discretisations
    degrees: tuple[int, int] = (100, 140)
    scale: float | None = None  #: s² of reference.py, T if constant
    shift: float = 0.0  #: v₀ of reference.py
    map: tuple[float, float, float] | None = None  #: learning rate, momentum, variance of the gradient: the SGD map, loss x²/2

    @property
    def formula(self):
        return f"{self.loss} - {self.tilt:g}*x" if self.tilt else self.loss

    @property
    def is_circle(self):
        return self.walls[0] == "periodic"

    @property
    def is_gibbs(self):
        return self.map is None and self.noise is None and not (self.tilt and self.is_circle)

    def spec(self):
        lines = []
        if self.map:
            rate, momentum, variance = self.map
            lines += [
                'dynamics = "sgd"',
                "[optimizer]",
                f"learning_rate = {rate!r}",
                f"momentum = {momentum!r}",
                "batch_size = 1",
            ]
            lines += ["[noise]", 'kind = "isotropic"', f"sigma2 = {variance!r}"]
        else:
            lines += ["[langevin]", f"friction = {self.friction!r}"]
            if self.noise is None:
                lines += [f"temperature = {self.temperature!r}"]
            else:
                lines += ["[noise]", 'kind = "expression"', f'formula = "{self.noise}"']
        lines += ["[loss]", 'kind = "expression"', f'formula = "{self.formula}"']
        lines += ["[grid]", f"cells = [{self.cells[0]}, {self.cells[1]}]"]
        if self.theta:
            lines += [f"theta = [{self.theta[0]!r}, {self.theta[1]!r}]"]
        if self.velocity:
            lines += [f"velocity = [{self.velocity[0]!r}, {self.velocity[1]!r}]"]
        if self.walls != ("open", "open"):
            lines += [f'theta_boundary = ["{self.walls[0]}", "{self.walls[1]}"]']
        lines += ["[stationary]", f'method = "{self.method}"', f"modes = {self.modes}"]
        lines += ["[output]", 'fields = ["density"]', 'precision = "float64"']
        return "\n".join(lines) + "\n"

    def zeta(self):
        """γ / 2ω, ω from the curvature at the minimum; not a number where that is none."""
        if self.map:
            rate, momentum, _ = self.map
            return (1.0 - momentum) / np.sqrt(2.0 * rate * (1.0 + momentum))
        if self.frequency:
            return self.friction / (2.0 * self.frequency)
        lower, upper = self.domain()
        x = np.linspace(lower, upper, 20001)
        values = function_of(self.formula)(x)
        lowest = int(np.argmin(values))
        if lowest in (0, len(x) - 1) or any(abs(x[lowest] - kink) < 1e-2 for kink in self.kinks):
            return float("nan")
        curvature = np.gradient(np.gradient(values, x), x)[lowest]
        return self.friction / (2.0 * np.sqrt(curvature)) if curvature > 1e-2 else float("nan")

    def domain(self):
        """Where θ lives: between what walls there are."""
        lower = self.support[0] if self.walls[0] == "open" else self.theta[0]
        upper = self.support[1] if self.walls[1] == "open" else self.theta[1]
        return lower, upper

    def quadrature(self):
        return panels(*self.domain(), self.kinks)

    def kinetic(self):
        """For reference.py."""
        lower, upper = self.domain()
        mirrored = "reflecting" in self.walls
        if self.is_circle:
            axis = Axis(lower, upper, "circle")
        elif self.walls == ("reflecting", "reflecting"):
            axis = Axis(2.0 * lower - upper, upper, "circle", lower)
        elif mirrored:
            axis = Axis(2.0 * lower - upper, upper, "line", lower)
        else:
            axis = Axis(lower, upper, "line")
        loss, slope = function_of(self.loss), derivative_of(self.loss)
        scale = self.scale or self.temperature

        def unfolded(f, sign):
            if not mirrored:
                return f
            return lambda x: np.where(x < lower, sign * f(2.0 * lower - x), f(x))

        noise = function_of(self.noise) if self.noise else lambda x: self.friction * self.temperature + 0.0 * x
        return KineticProblem(
            axis=axis,
            friction=self.friction,
            slope=unfolded(lambda x: slope(x) - self.tilt, -1.0),
            noise=unfolded(noise, 1.0),
            weight=unfolded(
                lambda x: loss(x) / scale if self.is_circle or not self.tilt else (loss(x) - self.tilt * x) / scale, 1.0
            ),
            weight_slope=unfolded(lambda x: (slope(x) - (0.0 if self.is_circle else self.tilt)) / scale, -1.0),
            scale=scale,
            shift=self.shift,
            symmetric=mirrored,
        )


def harmonic(zeta, cells, method="auto", temperature=0.5, **more):
    name = f"parabola, {cells[0]} × {cells[1]}" + ("" if method == "auto" else f", {method}")
    if "theta" in more:
        name += f", box ±{more['theta'][1] / temperature**0.5:.1f} σ"
    return Problem(
        name,
        friction=2.0 * zeta,
        temperature=temperature,
        cells=cells,
        method=method,
        frequency=1.0,
        support=(-10.0 * temperature**0.5, 10.0 * temperature**0.5),
        **more,
    )


def well(barrier, friction, tilt=0.0, **more):
    """U = B (x² − 1)² − F x, T = 1."""
    name = f"double well, {barrier} T" + (f", tilt {tilt:g}" if tilt else "")
    edge = 1.0 + 1.6 / barrier**0.25
    more = {"support": (-edge - 0.3, edge + 0.3)} | more
    return Problem(name, f"{barrier}*(x^2 - 1)^2", friction, 1.0, tilt=tilt, **more)


CIRCLE = {"theta": (-np.pi, np.pi), "walls": ("periodic", "periodic")}
MIRRORS = ("reflecting", "reflecting")
MIRROR_OPEN = ("reflecting", "open")

PROBLEMS = [
    harmonic(1e-4, (64, 64)),
    harmonic(1e-3, (96, 96)),
    harmonic(1e-2, (128, 128)),
    harmonic(0.03, (48, 48)),
    harmonic(0.1, (32, 32)),
    harmonic(0.3, (24, 24)),
    harmonic(0.3, (64, 64), "evolve"),
    harmonic(0.7, (128, 128), "direct"),
    harmonic(1.0, (128, 128), temperature=2.0),
    harmonic(1.5, (40, 56)),
    harmonic(3.0, (192, 128)),
    harmonic(8.0, (64, 64), "arnoldi"),
    harmonic(10.0, (96, 64)),
    harmonic(30.0, (128, 128), temperature=0.1),
    harmonic(50.0, (64, 64), "direct"),
    well(2, 0.5, cells=(96, 96), points=(80, 104)),
    well(5, 0.01, has_spectrum=False),
    well(8, 50.0),
    well(12, 1.0, degrees=(150, 200)),
    well(15, 0.1, has_spectrum=False),
    well(20, 5.0),
    well(25, 1.0, modes=2),
    well(30, 0.3, has_spectrum=False),
    well(5, 0.3, tilt=0.5, points=(90, 110), degrees=(200, 260)),
    well(12, 1.0, tilt=1.0, degrees=(150, 200)),
    well(20, 1.0, tilt=2.0, cells=(96, 96)),
    well(30, 50.0, tilt=3.0),
    well(5, 1.0, method="evolve", cells=(64, 64)),
    Problem("triple well, 4 T", "27*x^2*(x^2 - 1)^2", 1.0, 1.0, support=(-1.9, 1.9), points=(100, 120), degrees=(180, 220)),
    Problem("quartic", "x^4/4", 0.5, 0.5, support=(-4.2, 4.2)),
    Problem("Morse between mirrors", "5*(1 - exp(-x))^2", 0.5, 1.0, theta=(-1.0, 4.0), walls=MIRRORS, has_spectrum=False),
    Problem("slope between far mirrors", "x", 0.3, 0.5, theta=(0.0, 12.0), walls=MIRRORS, cells=(192, 96), has_spectrum=False),
    Problem("slope between near mirrors", "x", 3.0, 1.0, theta=(0.0, 2.0), walls=MIRRORS, cells=(64, 64), has_spectrum=False),
    Problem("slope above a mirror", "x", 1.0, 0.5, theta=(0.0, 16.0), walls=MIRROR_OPEN, support=(0.0, 17.0), has_spectrum=False),
    Problem("half a parabola", "x^2/2", 0.6, 0.5, theta=(0.0, 6.0), walls=MIRROR_OPEN, frequency=1.0, cells=(96, 96)),
    Problem("flat between mirrors", "0*x", 1.0, 1.0, theta=(0.0, 3.0), walls=MIRRORS, cells=(64, 64), points=(72, 96)),
    Problem("cosine between mirrors", "cos(x)", 0.5, 0.5, theta=(0.0, np.pi), walls=MIRRORS, cells=(96, 96), points=(60, 80)),
    Problem("circle", "-cos(x)", 0.5, 0.5, **CIRCLE, cells=(96, 96), points=(48, 64)),
    Problem("cold circle", "-cos(x)", 5.0, 0.1, **CIRCLE, points=(64, 80)),
    Problem("hot circle, little friction", "-cos(x)", 0.1, 2.0, **CIRCLE, points=(48, 64), degrees=(120, 160)),
    Problem("driven circle, locked", "-cos(x)", 0.5, 0.5, tilt=0.5, **CIRCLE, points=(48, 64)),
    Problem("driven circle, running", "-cos(x)", 0.5, 0.5, tilt=1.5, shift=2.9, **CIRCLE, points=(48, 64), degrees=(100, 140)),
    Problem(
        "driven circle, running, box given",
        "-cos(x)",
        0.5,
        0.5,
        tilt=1.5,
        shift=2.9,
        **CIRCLE,
        velocity=(-4.0, 10.0),
        points=(48, 64),
        degrees=(100, 140),
    ),
    Problem(
        "driven circle, both", "-cos(x)", 0.2, 0.3, tilt=0.5, shift=1.5, scale=0.6, **CIRCLE, points=(64, 80), degrees=(220, 280)
    ),
    Problem("kink", "abs(x)", 0.5, 0.5, support=(-17.0, 17.0), kinks=(0.0,), has_spectrum=False),
    Problem("kink off the faces", "2*abs(x - 0.013)", 2.0, 0.5, support=(-8.5, 8.5), kinks=(0.013,), has_spectrum=False),
    Problem("crooked kink", "max(-x, 3*x)", 1.0, 0.5, support=(-17.0, 6.0), kinks=(0.0,), has_spectrum=False),
    Problem("tilted kink", "abs(x)", 1.0, 0.5, tilt=0.3, support=(-13.0, 24.0), kinks=(0.0,), has_spectrum=False),
    Problem(
        "parabola that becomes a line", "max(x^2/2, 1.5*x)", 0.4, 0.5, support=(-6.2, 12.0), kinks=(0.0, 3.0), has_spectrum=False
    ),
    Problem("two kinked wells", "2*abs(abs(x) - 1)", 1.0, 0.5, support=(-10.0, 10.0), kinks=(-1.0, 0.0, 1.0), has_spectrum=False),
    Problem(
        "noise with a wave",
        "x^2/2",
        1.0,
        noise="0.25*(1 + 0.5*sin(x))",
        scale=0.32,
        support=(-6.8, 6.8),
        points=(72, 90),
        degrees=(140, 200),
    ),
    Problem("noise that grows", "x^2/2 + x^4/8", 1.0, noise="0.3*(1 + 0.3*x^2)", scale=0.8, support=(-4.4, 4.4), points=(72, 96)),
    Problem(
        "noise on a circle",
        "-cos(x)",
        0.5,
        noise="0.25*(1 + 0.6*sin(x))",
        scale=0.6,
        **CIRCLE,
        points=(56, 72),
        degrees=(160, 220),
    ),
    Problem(
        "noise in a double well",
        "1.2*(x^2 - 1)^2",
        1.0,
        noise="0.4*(1 + 0.4*tanh(x))",
        scale=0.5,
        support=(-2.7, 2.7),
        points=(80, 104),
    ),
    Problem(
        "noise between mirrors",
        "cos(x)",
        1.0,
        noise="0.5*(1 + 0.4*cos(x))",
        scale=0.6,
        theta=(0.0, np.pi),
        walls=MIRRORS,
        points=(48, 64),
    ),
    harmonic(0.4, (64, 64), theta=(-2.2, 2.2)),
    harmonic(0.4, (64, 64), theta=(-3.0, 3.0), velocity=(-2.83, 2.83)),
    harmonic(2.0, (64, 64), theta=(-4.3, 4.3), velocity=(-4.3, 4.3)),
    Problem("map, η 0.1, β 0.9", "x^2/2", map=(0.1, 0.9, 1.0)),
    Problem("map, η 0.9, β 0.95", "x^2/2", map=(0.9, 0.95, 0.5)),
]
