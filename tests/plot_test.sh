#!/usr/bin/env bash
# Figures of real runs by `underdamp plot`, and its messages. Exit code 77: skipped, for there is no matplotlib.
#
# usage: plot_test.sh figures|messages PROGRAM FOLDER BUILD

set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../scripts/common.bash
source "$source/scripts/common.bash"

part=$1 program=$2 folder=$3 build=$4
unset UNDERDAMP_PYTHON
rm -rf "$folder"
mkdir -p "$folder"

spec() {
  cat <<'SPEC'
title = "three modes"
[optimizer]
learning_rate = 0.1
momentum = 0.9
batch_size = 32
[loss]
kind = "spectrum"
eigenvalues = [2.0, 0.4, 0.1]
[noise]
kind = "hessian"
sigma2 = 1.0
[grid]
cells = [64, 64]
SPEC
}
run() { "$program" run "$folder/$1.toml" --output "$folder/$1" --device host --quiet >/dev/null; }
expect() { grep -q -- "$2" "$1" || die "$1 does not contain: $2"; }

# refused CODE TEXT ARGUMENTS…: `plot` ends with this exit code and a message that contains TEXT.
refused() {
  local code=0
  "$program" plot "${@:3}" >/dev/null 2>"$folder/message" || code=$?
  [[ $code == "$1" ]] || die "exit code $code instead of $1 for: plot ${*:3}"
  expect "$folder/message" "$2"
  expect "$folder/message" "to fix:"
}

case $part in
  figures)
    python=$(plotting_python) || { say "skipped: no Python has matplotlib (scripts/setup installs it)" && exit 77; }
    { spec && printf '[ensemble]\nparticles = 1000\n[displacement]\nuntil = 50.0\nfit = [1.0, 20.0]\n'; } >"$folder/way.toml"
    { spec && printf '[evolve]\nuntil = 1.0\nframes = 2\n[stationary]\nmodes = 2\n'; } >"$folder/field.toml"
    run way
    run field
    cmake --install "$build" --prefix "$folder/installed" >/dev/null
    "$folder/installed/bin/underdamp" plot "$folder/way" >"$folder/list"
    "$program" plot "$folder/field" "$folder/elsewhere" >>"$folder/list"
    figures=(way/plots/{displacement,correlation,modes} elsewhere/{history,marginals,modified_loss,spectrum})
    pictures=$(find "$folder/field" -name '*.vti' | head -n 1)
    if [[ -n $pictures ]]; then figures+=(elsewhere/{density,landscape}); fi
    for figure in "${figures[@]}"; do
      for suffix in png svg; do expect "$folder/list" "$folder/$figure.$suffix"; done
      [[ $(head -c 4 "$folder/$figure.png" | tail -c 3) == PNG ]] || die "$figure.png is no PNG"
      "$python" -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$folder/$figure.svg"
    done
    for text in "local exponent" "Langevin particles" "SGD recursion" "all modes"; do
      expect "$folder/way/plots/displacement.svg" "$text"
    done
    for text in "mean of" "standard deviation of" "expected loss" "entropy" "mode 01" "mode 03"; do
      expect "$folder/elsewhere/history.svg" "$text"
    done
    { spec | sed 's/eigenvalues = .*/eigenvalues = [1.0]/' && printf '[evolve]\nuntil = 1.0\nframes = 2\n[stationary]\nmodes = 2\n'; } \
      >"$folder/one.toml"
    run one
    if [[ -n $pictures ]]; then
      "$python" "$source/tests/plot_checks.py" "$source/app/plot" "$folder/one"
      : >"$folder/one/stationary.vti" # a picture that cannot be read is no reason to draw nothing
      "$program" plot "$folder/one" >"$folder/list" 2>"$folder/message"
      expect "$folder/message" "note: no figure of $folder/one/stationary.vti"
      expect "$folder/one/plots/density.svg" "t = 1"
    fi
    # A Python that has no matplotlib is passed over, and that one was named is said.
    printf '#!/bin/sh\nexec "%s" -I -S "$@"\n' "$python" >"$folder/bare"
    chmod +x "$folder/bare"
    UNDERDAMP_PYTHON=$folder/bare "$program" plot "$folder/way" >/dev/null 2>"$folder/message"
    expect "$folder/message" "warning: UNDERDAMP_PYTHON is passed over"
    code=0
    "$program" plot "$folder/way" >/dev/full 2>"$folder/message" || code=$?
    [[ $code == 5 ]] || die "exit code $code instead of 5 with a full standard output"
    expect "$folder/message" "cannot write to standard output"
    refused 5 "/proc/nowhere" "$folder/way" /proc/nowhere
    mkdir "$folder/empty" && echo '{}' >"$folder/empty/summary.json"
    refused 2 "nothing to plot" "$folder/empty"
    refused 2 "no summary.json" "$folder/elsewhere"
    ;;
  messages)
    refused 2 "there is no such folder" "$folder/none"
    # Every Python finds this one first.
    mkdir "$folder/hidden" && echo 'raise ImportError("hidden from the test")' >"$folder/hidden/matplotlib.py"
    cp "$folder/hidden/matplotlib.py" "$folder/hidden/numpy.py"
    PYTHONPATH=$folder/hidden UNDERDAMP_PYTHON=$folder/none refused 5 "no Python has matplotlib" "$folder"
    expect "$folder/message" "$folder/none: No such file or directory"
    expect "$folder/message" "python3-matplotlib"
    expect "$folder/message" "UNDERDAMP_PYTHON"
    ;;
  *) die "unknown part $part" ;;
esac
