"""PETSc TS through petsc4py: the sparse finite-volume generator as an AIJ matrix; everything in the loop is PETSc's C code.

scheme "rk"    explicit Runge-Kutta with PETSc's adaptive step (TSRK, TSAdapt "basic"), tolerance absolute per cell
scheme "cn"    Crank-Nicolson (TSCN) with a fixed step; one LU factorisation (PETSc's own with nested dissection) serves all steps
scheme "rosw"  Rosenbrock-W (TSROSW) with the adaptive step; every change of step is another factorisation

Tried and slower on these problems: TSARKIMEX, TSBDF, Runge-Kutta 8vr, LU by UMFPACK and KLU. Set-up: assembly, and all LU
factorisations of the implicit schemes (PETSc's log tells their time).
"""

import itertools
import time
from functools import partial

from sparse_generator import generator

from .interface import Method, Solution

_prefixes = itertools.count()


def set_options(PETSc, ts, settings: dict) -> None:
    """Under a prefix of its own: options outlive the TS they were meant for."""
    if settings["scheme"] == "rk":
        values = {"ts_type": "rk", "ts_rk_type": settings["tableau"], "ts_adapt_type": "basic"}
    elif settings["scheme"] == "cn":
        # −2: the Jacobian and with it the factors are made once.
        values = {"ts_type": "cn", "ts_adapt_type": "none", "snes_lag_jacobian": -2, "snes_lag_jacobian_persists": 1}
    else:
        values = {"ts_type": settings["scheme"], "ts_adapt_type": "basic"}
    if settings["scheme"] != "rk":
        values |= {"snes_type": "ksponly", "ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_ordering_type": "nd"}
    prefix = f"solve{next(_prefixes)}_"
    database = PETSc.Options()
    for key, value in values.items():
        database.setValue(prefix + key, value)
    ts.setOptionsPrefix(prefix)
    ts.setFromOptions()


def solve(order: int, problem, settings: dict) -> Solution:
    import petsc4py

    petsc4py.init(["work_precision"])
    from petsc4py import PETSc

    cells = tuple(settings["cells"])
    begin = time.perf_counter()
    csr = generator(problem, cells, order)
    indices = csr.indptr.astype(PETSc.IntType), csr.indices.astype(PETSc.IntType)
    matrix = PETSc.Mat().createAIJ(csr.shape, csr=(*indices, csr.data))
    matrix.assemble()
    jacobian = matrix.duplicate(copy=True)  # TS turns it into 1/τ − L
    density = matrix.createVecRight()
    density.setArray(problem.initial(cells).ravel())
    ts = PETSc.TS().create()
    ts.setProblemType(PETSc.TS.ProblemType.LINEAR)
    ts.setRHSFunction(lambda ts, t, u, f: matrix.mult(u, f), matrix.createVecLeft())
    ts.setRHSJacobian(lambda ts, t, u, J, P: matrix.copy(P), jacobian, jacobian)
    ts.setMaxTime(problem.until)
    ts.setExactFinalTime(PETSc.TS.ExactFinalTime.MATCHSTEP)
    ts.setMaxSteps(10**7)
    if "tolerance" in settings:
        ts.setTolerances(rtol=0.0, atol=settings["tolerance"])
        ts.setTimeStep(1e-4)
    else:
        ts.setTimeStep(problem.until / settings["steps"])
    set_options(PETSc, ts, settings)
    ts.setSolution(density)
    ts.setUp()
    PETSc.Log.begin()
    events = [PETSc.Log.Event(name) for name in ("MatLUFactorSym", "MatLUFactorNum")]
    earlier = sum(event.getPerfInfo()["time"] for event in events)
    ready = time.perf_counter()
    ts.solve(density)
    seconds = time.perf_counter() - ready
    factorisation = sum(event.getPerfInfo()["time"] for event in events) - earlier
    result = density.getArray().reshape(cells).copy()
    return Solution(result, ready - begin + factorisation, seconds - factorisation, {"steps": ts.getStepNumber()})


def settings(order: int, problem) -> list[dict]:
    explicit = {
        ("ou-1", 2): ((64, 1e-2), (128, 1e-2), (160, 1e-2), (192, 1e-2), (192, 1e-3), (256, 1e-3), (384, 1e-3), (512, 1e-3), (552, 1e-4), ((640, 512), 1e-4)),
        ("ou-1", 4): ((48, 1e-3), (56, 1e-3), (64, 1e-3), (80, 1e-5), (88, 1e-5), (128, 1e-5), (144, 1e-6), (160, 1e-6), (256, 1e-7), (384, 1e-7), (448, 1e-8)),
        ("narrow", 2): ((128, 1e-2), (192, 1e-2), (256, 1e-2), (384, 1e-3), (512, 1e-3), (768, 1e-3)),
        ("narrow", 4): ((96, 1e-3), (128, 1e-3), (192, 1e-3), (256, 1e-4), (320, 1e-5), (384, 1e-5), (512, 1e-6)),
    }[problem.name, order]
    implicit = {
        ("ou-1", 2): ((128, 50), (192, 150), (256, 200), (512, 300)),
        ("ou-1", 4): ((48, 75), (80, 300), (128, 800)),
        ("narrow", 2): ((256, 100), (512, 300)),
        ("narrow", 4): ((128, 100), (192, 200), (256, 400)),
    }[problem.name, order]
    found = [
        {"cells": list(n) if isinstance(n, tuple) else [n, n], "scheme": "rk", "tableau": tableau, "tolerance": tolerance}
        for n, tolerance in explicit
        for tableau in ("3bs", "5dp")
    ]
    found += [{"cells": [n, n], "scheme": "cn", "steps": steps} for n, steps in implicit]
    return found + [{"cells": [128, 128], "scheme": "rosw", "tolerance": 1e-3}]


def trials(bound: float):
    explicit = tuple({"cells": [64, 64], "scheme": "rk", "tableau": tableau, "tolerance": 1e-5} for tableau in ("3bs", "5dp"))
    implicit = ({"cells": [64, 64], "scheme": "cn", "steps": 400}, {"cells": [64, 64], "scheme": "rosw", "tolerance": 1e-5})
    return tuple((settings, bound) for settings in explicit + implicit)


METHODS = [
    Method(f"petsc-{order}", f"PETSc TS, order {order}", partial(settings, order), partial(solve, order), trials(bound))
    for order, bound in ((2, 0.08), (4, 3.2e-3))
]
