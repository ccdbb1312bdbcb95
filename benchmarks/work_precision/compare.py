"""Work and precision on one core: time to an L1 error of 1e-2, 1e-3, 1e-4 and 1e-6, this product and its peers.

usage: taskset -c 1 python compare.py measure STORE.json --underdamp PROGRAM [options]
       python compare.py check --underdamp PROGRAM [--methods A,B]
       python compare.py table STORE.json [--output TABLE.md]

`measure` runs every method with every one of its settings, each in a process of its own, and keeps the best of several repeats in
STORE.json; what STORE.json holds already is not run again, so that an interrupted call goes on where it was. Options:

  --methods A,B   --problems A,B   only these
  --near SCAN.json   of each method only the settings that were near its best ones in an earlier store (underdamp: all)
  --cap S         longest single run, 120 s; what takes longer is noted as such
  --budget S      stop after S seconds with exit code 75 if there is more to do; runs known to be longer start first thing in a call
  --forget A,B    forget the stored results of these methods

`check` runs every method with one or a few coarse settings and compares the error with the one known for them; exit code 1 if one
is larger. `table` writes Markdown: targets, times, ratios, settings.
"""

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LEVELS = (1e-2, 1e-3, 1e-4, 1e-6)
MORE_TO_DO = 75
DAY = 86400.0

# ---- measuring --------------------------------------------------------------------------------------------------------


def measure_one(method_name: str, problem_name: str, settings: dict) -> dict:
    """Best of at most seven repeats within two seconds; at least two unless one takes more than ten seconds."""
    from peers import methods
    from problems import PROBLEMS

    method, problem = methods()[method_name], PROBLEMS[problem_name]
    best, spent, repeats = None, 0.0, 0
    while repeats < 2 or (repeats < 7 and spent < 2.0):
        begin, cpu = time.perf_counter(), cpu_seconds()
        solution = method.solve(problem, settings)
        wall = time.perf_counter() - begin
        spent, repeats = spent + wall, repeats + 1
        seconds = solution.seconds_setup + solution.seconds_solve
        if best is None or seconds < best["seconds"]:
            best = {
                "seconds": seconds,
                "seconds_setup": solution.seconds_setup,
                "seconds_solve": solution.seconds_solve,
                "error": problem.error(solution.density),
                "details": solution.details,
                "cpu_share": (cpu_seconds() - cpu) / wall,
            }
        if spent > 10.0:
            break
    return best | {"repeats": repeats}


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run_one(method: str, problem: str, settings: dict, cap: float) -> dict:
    """measure_one in a process of its own. The time of imports does not count towards the cap of the first repeat by more than 15 s."""
    command = [sys.executable, "-W", "ignore", __file__, "one", method, problem, json.dumps(settings)]
    try:
        done = subprocess.run(command, timeout=2.0 * cap + 15.0, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return {"failure": f"longer than {cap:g} s"}
    if done.returncode != 0:
        return {"failure": (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1][:200]}
    result = json.loads(done.stdout.splitlines()[-1])
    return {"failure": f"longer than {cap:g} s"} if result["seconds"] > cap else result


def key_of(record: dict) -> tuple:
    return record["method"], record["problem"], json.dumps(record["settings"], sort_keys=True)


def near_best(records: list[dict], factor: float = 1.5) -> set[tuple]:
    """Keys of the settings that take at most `factor` times as long as the fastest for a level, and of all frontiers."""
    good = [r for r in records if "failure" not in r and r["error"] < 0.3]
    keep = set()
    for kind in {(r["method"], r["problem"]) for r in good}:
        own = [r for r in good if (r["method"], r["problem"]) == kind]
        keep |= {key_of(r) for r in frontier(own)}
        for level in LEVELS:
            best = best_for(own, level)
            if best:
                keep |= {key_of(r) for r in own if level / 30.0 < r["error"] <= level and r["seconds"] <= factor * best["seconds"]}
    return keep


def wanted(arguments) -> list[dict]:
    from peers import methods
    from problems import PROBLEMS

    names = arguments.methods.split(",") if arguments.methods else list(methods())
    problems = arguments.problems.split(",") if arguments.problems else list(PROBLEMS)
    jobs = [
        {"method": name, "problem": problem, "settings": settings}
        for problem in problems
        for name in names
        for settings in methods()[name].settings(PROBLEMS[problem])
    ]
    if arguments.near:
        scan = json.loads(arguments.near.read_text())["measurements"]
        keep, known = near_best(scan), {key_of(r): r.get("seconds", 0.0) for r in scan}
        jobs = [job for job in jobs if key_of(job) in keep or job["method"] == "underdamp"]
        for job in jobs:
            job["expected"] = known.get(key_of(job), 0.0)
    return jobs


def measure(arguments) -> int:
    if len(os.sched_getaffinity(0)) != 1:
        sys.exit("compare.py: run me on one core: taskset -c 1 python compare.py ...")
    prepare(arguments.underdamp)
    store = json.loads(arguments.store.read_text()) if arguments.store.exists() else {"measurements": []}
    forget = arguments.forget.split(",") if arguments.forget else []
    store["measurements"] = [r for r in store["measurements"] if r["method"] not in forget]
    done = {key_of(r) for r in store["measurements"]}
    jobs = [job for job in wanted(arguments) if key_of(job) not in done]
    jobs.sort(key=lambda job: -job.get("expected", 0.0) if job.get("expected", 0.0) > 20.0 else 0.0)
    begin = time.perf_counter()
    for number, job in enumerate(jobs):
        elapsed = time.perf_counter() - begin
        if number > 0 and elapsed + 1.2 * job.get("expected", 0.0) > arguments.budget:
            return MORE_TO_DO
        job.pop("expected", None)
        record = job | run_one(job["method"], job["problem"], job["settings"], arguments.cap)
        store["measurements"].append(record)
        store["machine"] = machine()
        write_whole(arguments.store, json.dumps(store, indent=1))
        print(line_of(record), flush=True)
    return 0


def write_whole(file: pathlib.Path, text: str) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.replace(file)


def line_of(r: dict) -> str:
    outcome = r.get("failure") or f"L1 {r['error']:.2e}  {duration(r['seconds'])}  (set-up {duration(r['seconds_setup'])})"
    return f"{r['problem']:7} {r['method']:14} {settings_text(r['settings']):44} {outcome}"


def machine() -> dict:
    versions = {}
    for name in ("numpy", "scipy", "fipy", "petsc", "petsc4py", "vtk"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    compiler = subprocess.run([os.environ.get("CXX", "g++"), "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    fields = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in info if ":" in line}
    return {
        "date": datetime.date.today().isoformat(),
        "processor": f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']}, {fields['cpu MHz']} MHz)",
        "avx512": "avx512f" in fields["flags"].split(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
        "compiler": compiler,
        "versions": versions,
    }


def check(arguments) -> int:
    from peers import methods

    prepare(arguments.underdamp)
    names = arguments.methods.split(",") if arguments.methods else list(methods())
    failed = 0
    for name in names:
        for settings, bound in methods()[name].trials:
            record = {"method": name, "problem": "ou-1", "settings": settings} | run_one(name, "ou-1", settings, 60.0)
            good = "failure" not in record and record["error"] <= bound
            failed += not good
            print(f"{line_of(record)}  {'ok' if good else f'FAILED, known: {bound:g}'}", flush=True)
    return 1 if failed else 0


def prepare(program: pathlib.Path) -> None:
    """One thread for every library; where `underdamp` is."""
    for name in THREADS:
        os.environ[name] = "1"
    os.environ["UNDERDAMP_PROGRAM"] = str(program.resolve())


# ---- table ------------------------------------------------------------------------------------------------------------

TARGETS = (
    # peer, level, target ratio, why it may be missed
    ("scipy-expm-2", 1e-3, 3000, ""),
    ("scipy-cn-2", 1e-3, 3000, ""),
    ("petsc-2", 1e-3, 3000, ""),
    ("scipy-expm-4", 1e-3, 3000, "the target was set against second-order finite volumes; fourth-order stencils reach 1e-3 on grids about seven times coarser along each axis"),
    ("scipy-cn-4", 1e-3, 3000, "as above"),
    ("petsc-4", 1e-3, 3000, "as above"),
    ("cpp-rk4", 1e-6, 300, "a narrow start makes this product's grid finer, not the fourth-order scheme's: the density of t = 1, which decides over its grid, is as wide as that of OU-1"),
    ("fourier-rk4", 1e-6, 5, ""),
    ("fourier-split", 1e-6, 5, "not the peer of the target: it is the same splitting and extrapolation as in this product, on a spectral basis"),
)


def duration(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= (2.0 if unit != "s" else 1.0) * size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds * 1e3)} ms"


def three_digits(x: float) -> str:
    return f"{x:.0f}" if x >= 100 else f"{x:.{max(0, 1 - math.floor(math.log10(x)))}f}" if x > 0 else "0"


def settings_text(settings: dict) -> str:
    rest = [f"{value:g}" if isinstance(value, float) else str(value) for key, value in settings.items() if key not in ("cells", "scheme", "steps")]
    words = ["×".join(map(str, settings["cells"]))]
    if "scheme" in settings and settings["scheme"] not in ("rk4", "strang"):
        words.append(settings["scheme"])
    if "steps" in settings:
        words.append(f"{settings['steps']} steps")
    return ", ".join(words + rest)


def best_for(records: list[dict], level: float):
    """The fastest record with an error of at most `level`, or None."""
    reached = [r for r in records if r["error"] <= level]
    return min(reached, key=lambda r: r["seconds"]) if reached else None


def frontier(records: list[dict]) -> list[dict]:
    """From the least to the most accurate, none slower and less accurate than another."""
    found = []
    for r in sorted(records, key=lambda r: (r["seconds"], r["error"])):
        if not found or r["error"] < found[-1]["error"]:
            found.append(r)
    return found


def extrapolated(records: list[dict], level: float):
    """Seconds to `level` by the slope of the last decade of the frontier, or None where there is none to measure."""
    front = frontier(records)
    last = front[-1]
    earlier = [r for r in front if 3.0 * last["error"] <= r["error"] <= 30.0 * last["error"]]
    if not earlier:
        return None
    slope = math.log(last["seconds"] / earlier[0]["seconds"]) / math.log(earlier[0]["error"] / last["error"])
    return last["seconds"] * (last["error"] / level) ** max(slope, 0.0)


def entry(records: list[dict], level: float):
    """(seconds, measured or extrapolated)"""
    best = best_for(records, level)
    if best:
        return best["seconds"], True
    seconds = extrapolated(records, level) if records else None
    return (seconds, False) if seconds else (None, False)


def shown(seconds, measured: bool) -> str:
    if seconds is None:
        return "not reached"
    if measured:
        return duration(seconds)
    return "*> 1 day*" if seconds > DAY else f"*≈ {duration(seconds)}*"


def ratio_text(peer, own) -> str:
    if peer[0] is None or own[0] is None:
        return "–"
    far = not peer[1] and peer[0] > DAY
    ratio = min(peer[0], DAY if far else math.inf) / own[0]
    text = f"{ratio:.1f}" if ratio < 10 else f"{float(f'{ratio:.2g}'):,.0f}".replace(",", " ")
    return text if peer[1] else f"*{'>' if far else '≈'} {text}*"


class Table:
    def __init__(self, store: dict):
        from peers import methods
        from problems import PROBLEMS

        self.machine, self.problems, self.methods = store["machine"], PROBLEMS, methods()
        self.all = store["measurements"]
        self.good = [r for r in self.all if "failure" not in r and math.isfinite(r["error"]) and r["error"] < 1.0]

    def records(self, method: str, problem: str) -> list[dict]:
        return [r for r in self.good if (r["method"], r["problem"]) == (method, problem)]

    def measured_methods(self) -> list[str]:
        return [name for name in self.methods if any(r["method"] == name for r in self.all)]

    def head(self) -> list[str]:
        m = self.machine
        own = self.records("underdamp", next(iter(self.problems)))[0]["details"]
        versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
        return [
            f"# Work and precision on one core, {m['date']}",
            "",
            f"underdamp {own['version']}, commit {own['commit']}, {own['device']}; {m['processor']}, AVX-512 {'yes' if m['avx512'] else 'no'}; {m['system']}; "
            f"Python {m['python']}, {versions}; {m['compiler']}.",
            "Commands and settings: `benchmarks/work_precision/README.md`. One core (`taskset`), every library with one thread, best of up to seven runs.",
            "Time: set-up + stepping; underdamp: `solver_seconds`. Error: Σ|P − p_exact| h_θ h_v at the cell centres at t = 1.",
            "*≈ italics*: no run reached the level; extrapolated along the last decade of measured errors, and *> 1 day* where that gives more.",
            "",
        ]

    def targets(self) -> list[str]:
        lines = ["## Targets", "", "| peer | L1 | target | " + " | ".join(p.title for p in self.problems.values()) + " |", "|---|---|---|" + "---|" * len(self.problems)]
        reasons = []
        for name, level, target, reason in TARGETS:
            if name not in self.measured_methods():
                continue
            cells, missed = [], False
            for problem in self.problems:
                peer, own = entry(self.records(name, problem), level), entry(self.records("underdamp", problem), level)
                met = None not in (peer[0], own[0]) and peer[0] >= target * own[0]
                missed |= not met
                cells.append(f"{ratio_text(peer, own)}× {'met' if met else '**not met**'}")
            lines.append(f"| {self.methods[name].title} | {level:.0e} | {target}× | " + " | ".join(cells) + " |")
            if missed and reason:
                reasons.append(f"- {self.methods[name].title}: {reason}.")
        return lines + ["", *reasons, *([""] if reasons else [])]

    def times(self, problem: str) -> list[str]:
        header = "| method | " + " | ".join(f"{level:.0e}" for level in LEVELS) + " |"
        rule = "|---|" + "---|" * len(LEVELS)
        lines = [f"## {self.problems[problem].title}: time to an L1 error of", "", header, rule]
        ratios = ["Ratio to underdamp:", "", header, rule]
        for name in self.measured_methods():
            records = self.records(name, problem)
            entries = [entry(records, level) for level in LEVELS]
            own = [entry(self.records("underdamp", problem), level) for level in LEVELS]
            lines.append(f"| {self.methods[name].title} | " + " | ".join(shown(*e) for e in entries) + " |")
            if name != "underdamp":
                ratios.append(f"| {self.methods[name].title} | " + " | ".join(ratio_text(*pair) for pair in zip(entries, own)) + " |")
        return [*lines, "", *ratios, ""]

    def settings(self, problem: str) -> list[str]:
        lines = [
            f"## {self.problems[problem].title}: the runs of these times",
            "",
            "For a level that was not reached: the most accurate run.",
            "",
            "| method | level | settings | L1 | set-up | stepping | whole process |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in self.measured_methods():
            records = self.records(name, problem)
            for level in LEVELS:
                best = best_for(records, level)
                if best is None and records:
                    best = min(records, key=lambda r: r["error"])
                if best is None:
                    continue
                mark = "" if best["error"] <= level else " (not reached)"
                wall = best["details"].get("wall_seconds")
                lines.append(
                    f"| {self.methods[name].title} | {level:.0e}{mark} | {settings_text(best['settings'])} | {best['error']:.1e} | "
                    f"{duration(best['seconds_setup'])} | {duration(best['seconds_solve'])} | {duration(wall) if wall else ''} |"
                )
                if mark:
                    break
        return [*lines, ""]

    def remarks(self) -> list[str]:
        too_long = sum("failure" in r and r["failure"].startswith("longer") for r in self.all)
        other = [r for r in self.all if "failure" in r and not r["failure"].startswith("longer")]
        unstable = sum("failure" not in r and not (math.isfinite(r["error"]) and r["error"] < 1.0) for r in self.all)
        disturbed = [r for r in self.good if r["cpu_share"] < 0.9 and r["seconds"] > 0.1]
        return [
            f"{len(self.all)} settings were run: {too_long} took longer than the cap, {unstable} were unstable or far too coarse, {len(other)} failed, "
            f"{len(disturbed)} of those above 0.1 s had less than 90 % of the core to themselves.",
            "",
            "GPU part (`gpu_sparse_stepping.py` next to `underdamp run --device cuda`): not run yet, no GPU.",
        ]


def table(arguments) -> int:
    t = Table(json.loads(arguments.store.read_text()))
    lines = t.head() + t.targets()
    for problem in t.problems:
        lines += t.times(problem)
    if arguments.output:
        lines += [f"![error over time]({arguments.output.stem}.svg)", ""]
    for problem in t.problems:
        lines += t.settings(problem)
    text = "\n".join(lines + t.remarks()) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)
    return 0


def main() -> int:
    if len(sys.argv) == 5 and sys.argv[1] == "one":
        print(json.dumps(measure_one(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("measure")
    one.add_argument("store", type=pathlib.Path)
    one.add_argument("--underdamp", type=pathlib.Path, required=True)
    one.add_argument("--methods")
    one.add_argument("--problems")
    one.add_argument("--near", type=pathlib.Path)
    one.add_argument("--cap", type=float, default=120.0)
    one.add_argument("--budget", type=float, default=math.inf)
    one.add_argument("--forget")
    trial = commands.add_parser("check")
    trial.add_argument("--underdamp", type=pathlib.Path, required=True)
    trial.add_argument("--methods")
    other = commands.add_parser("table")
    other.add_argument("store", type=pathlib.Path)
    other.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    return {"measure": measure, "check": check, "table": table}[arguments.command](arguments)


if __name__ == "__main__":
    sys.exit(main())
