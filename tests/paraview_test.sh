#!/usr/bin/env bash
# Pictures by ParaView of real runs, and what ParaView reads of them. Exit code 77: skipped, for there is no ParaView.
#
# usage: paraview_test.sh vectors|pictures|incomplete PROGRAM FOLDER

set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../scripts/common.bash
source "$source/scripts/common.bash"

part=$1 program=$2 folder=$3
if ! paraview_works; then
  say "skipped: pvbatch with its Python module was not found (scripts/setup --paraview installs it)"
  exit 77
fi
# Under Xvfb whatever display there is, so that no window opens and every machine draws alike.
unset DISPLAY
if ! command -v xvfb-run >/dev/null; then
  say "skipped: xvfb-run was not found (scripts/setup --paraview installs it)"
  exit 77
fi

rm -rf "$folder"
mkdir -p "$folder"
draw() { "$source/scripts/pvbatch" "$source/paraview/currents.py" "$@"; }
check() { "$source/scripts/pvbatch" "$source/tests/paraview_checks.py" "$@"; }
compute() { "$program" run "$folder/$1.toml" --output "$folder/$1" --device host --quiet; }

# One mode with Sigma = sigma2 · H, away from the origin and with more cells in theta than in v, so that no two things
# that could be confused are equal. The checks know its exact solution.
spec() {
  cat <<'SPEC'
title = "oscillator"
[optimizer]
learning_rate = 0.1
momentum = 0.9
batch_size = 32
[loss]
kind = "quadratic"
hessian = 1.0
minimum = 0.3
[noise]
kind = "hessian"
sigma2 = 1.0
[grid]
cells = [160, 128]
[initial]
kind = "gaussian"
mean = [0.6, 0.0]
covariance = [[0.004, 0.0], [0.0, 0.08]]
SPEC
}
evolve() { printf '[evolve]\nuntil = 3.0\ntolerance = 1e-6\nframes = 3\n'; }
stationary() { printf '[stationary]\ntolerance = 1e-8\nmodes = 2\n'; }

case $part in
  vectors)
    for precision in float32 float64; do
      { spec && evolve && stationary && printf '[output]\nprecision = "%s"\n' $precision; } >"$folder/$precision.toml"
      compute $precision
      check vectors "$folder/$precision"
    done
    ;;
  pictures)
    { spec && evolve && stationary; } >"$folder/run.toml"
    compute run
    draw "$folder/run" --output "$folder/last.png" --animation "$folder/frames" --size 960x450
    check picture "$folder/last.png"
    check animation "$folder/frames" 4
    draw "$folder/run" --stationary --flow lines --output "$folder/lines.png" --size 960x450
    check picture "$folder/lines.png"
    ;;
  incomplete)
    # Density only, then the stationary state only, then nothing.
    { spec && evolve && printf '[output]\nfields = ["density"]\n'; } >"$folder/density.toml"
    compute density
    draw "$folder/density" --frame 1 --output "$folder/density.png" --size 960x450
    check picture "$folder/density.png"
    { spec && stationary; } >"$folder/stationary.toml"
    compute stationary
    draw "$folder/stationary" --output "$folder/stationary.png" --size 960x450
    check picture "$folder/stationary.png"
    mkdir "$folder/nothing"
    for arguments in nothing nowhere "density --frame 4" "density --part reversible"; do
      status=0
      # shellcheck disable=SC2086
      draw "$folder"/$arguments 2>"$folder/message" || status=$?
      grep -q "to fix:" "$folder/message" || die "no cure in the message: $(cat "$folder/message")"
      ((status == 2)) || die "exit code $status instead of 2 for $arguments"
    done
    ;;
  *) die "unknown part $part" ;;
esac
