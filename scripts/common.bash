# What the scripts share; sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minimum_cmake=3.25

say() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints the comment block at the top of a script: the text of --help stands in one place only.
print_help() { sed -n '2,/^$/ s/^# \{0,1\}//p' "$1"; }

at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# The first CMake that is new enough: the system's, or the private one that scripts/setup makes where that is too old.
find_cmake() {
  local program version
  for program in cmake "$root/.venv/bin/cmake"; do
    version=$("$program" --version 2>/dev/null | sed -n '1s/[^0-9]*//p') || continue
    if at_least "$minimum_cmake" "$version"; then
      command -v "$program"
      return
    fi
  done
  return 1
}

# Runs a command with everything it prints in a log, which is shown if the command fails.
logged() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if ((status != 0)); then
    tail -n 60 "$log" >&2
    printf 'error: this failed (exit code %s): %s\n       full log: %s\n' "$status" "$*" "$log" >&2
  fi
  return "$status"
}

# Does the system know of an NVIDIA GPU?
has_gpu() { [[ -e /dev/nvidiactl || -e /dev/dxg ]]; }

# How many files to compile at once: one per processor, if there are about 2 GiB of memory for each.
job_count() {
  local available limit used
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  # A container may be allowed less than the machine has.
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || say max)
  if [[ $limit != max ]]; then
    used=$(cat /sys/fs/cgroup/memory.current)
    if (((limit - used) / 1024 < available)); then available=$(((limit - used) / 1024)); fi
  fi
  local jobs=$((available / (2 * 1024 * 1024))) processors
  processors=$(nproc)
  if ((jobs > processors)); then jobs=$processors; fi
  if ((jobs < 1)); then jobs=1; fi
  say "$jobs"
}

# Lets ParaView's programs find their Python module where scripts/setup --paraview had to unpack it, because Debian's
# python3-paraview and the python3-vtk9 that libvtk9-dev brings exclude each other.
paraview_environment() {
  local system=/usr/lib/python3/dist-packages
  local private=$root/.cache/paraview$system
  if [[ -d $private && ! -d $system/paraview ]]; then
    # pvbatch of Ubuntu 22.04 does not look for numpy where the system has it.
    export PYTHONPATH=$private:$system${PYTHONPATH:+:$PYTHONPATH}
  fi
}

# Whether pvbatch is there, finds its Python module and numpy.
paraview_works() {
  local script=$root/.cache/paraview-check.py
  command -v pvbatch >/dev/null || return
  mkdir -p "$root/.cache"
  say "import numpy, paraview.simple" >"$script"
  (paraview_environment && pvbatch "$script") >/dev/null 2>&1 </dev/null
}

# Prints the Python that `underdamp plot` takes: the first that can make its figures.
plotting_python() {
  local python
  for python in "${UNDERDAMP_PYTHON-}" python3 /usr/bin/python3 /usr/local/bin/python3; do
    if [[ -n $python ]] && "$python" -c 'import numpy, matplotlib.figure' >/dev/null 2>&1; then
      say "$python"
      return
    fi
  done
  return 1
}
matplotlib_works() { plotting_python >/dev/null; }

# Whether clang is there with its fuzzer and sanitizers, which are packages of their own.
fuzzer_works() {
  local source=$root/.cache/fuzzer-check.cpp
  command -v clang >/dev/null && command -v clang++ >/dev/null || return
  mkdir -p "$root/.cache"
  say 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$source"
  clang++ -fsanitize=fuzzer,address,undefined "$source" -o "${source%.cpp}" >/dev/null 2>&1
}
