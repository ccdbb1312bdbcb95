#pragma once
#include "solver/landscape/mode_spectrum.hpp"
#include "solver/spec/key_rules.hpp"
#include "solver/spec/spec.hpp"
#include "solver/spec/spec_words.hpp"

/// The keys of a spec, each once: name, place of its value, what it may be. Defaults are what initialises the places.
/// A `Visitor` reads them (key_reader.hpp), writes them back (resolved_spec.cpp) or lists them (key_list.cpp).
///
///   required(name, place, rule)      must be there
///   optional(name, place, rule)      keeps its default if it is not
///   fixed(name, word)                can say this word only
///   kind(place, words, keys)         the key `kind`; keys(kind): those of each kind
///   given(name, is_given)            do the keys that belong to this one count? `is_given`: seen from the value
///   part(place, keys)                keys whose values are one optional struct
///
/// What keys have to do with each other is in spec_reader.cpp, every key's meaning in docs/spec.md.
namespace underdamp {

template <class Visitor, class S>
void top_level_keys(Visitor& v, S& spec) {
  v.optional("title", spec.title, Text{"a text"});
  v.optional("dynamics", spec.dynamics, dynamics_words());
}

template <class Visitor, class S>
void optimizer_keys(Visitor& v, S& o) {
  v.required("learning_rate", o.learning_rate, positive);
  v.required("momentum", o.momentum, Range{0.0, 1.0, false, true});
  v.required("batch_size", o.batch_size, Range{1.0, infinity, false, false});
  v.optional("weight_decay", o.weight_decay, non_negative);
}

template <class Visitor, class S>
void langevin_keys(Visitor& v, S& l) {
  v.required("friction", l.friction, positive);
  v.optional("temperature", l.temperature, positive);
}

inline const FileName csv_file{"the name of a CSV file"};

template <class Visitor, class S>
void power_law_keys(Visitor& v, S& law) {
  v.fixed("law", "power");
  v.required("alpha", law.alpha, Range{-10.0, 10.0, false, false});
  v.required("min", law.smallest, positive);
  v.required("max", law.largest, positive);
  v.required("count", law.count, WholeNumber{2, static_cast<long>(most_modes)});
  v.optional("parameters", law.parameters, positive);
}

template <class Visitor, class S>
void spectrum_keys(Visitor& v, S& loss) {
  v.optional("formula", loss.formula, Text{"a formula in x and h such as \"h*x^2/2 + x^4\""});
  const bool is_listed = !loss.law && loss.file.empty();
  if (v.given("law", loss.law.has_value())) v.part(loss.law, [&](auto& law) { power_law_keys(v, law); });
  if (v.given("eigenvalues", is_listed) || v.given("file", !loss.file.empty()))
    v.optional("negative", loss.drops_negative, Words<bool>{{{"refuse", false}, {"drop", true}}});
  if (v.given("eigenvalues", is_listed)) {
    v.optional("eigenvalues", loss.eigenvalues, Numbers{1, any, "a list of numbers, the eigenvalues of the Hessian"});
    v.optional("weights", loss.weights, Numbers{1, non_negative, "a list of numbers ≥ 0, one for each eigenvalue"});
  }
  if (v.given("file", !loss.file.empty())) {
    v.optional("file", loss.file, csv_file);
    v.optional("column", loss.column, Text{"the column of the eigenvalues"});
    v.optional("weight_column", loss.weight_column, Text{"the column of the weights"});
  }
}

template <class Visitor, class S>
void loss_keys(Visitor& v, S& loss) {
  v.kind(loss.kind, loss_words(), [&](LossKind kind) {
    switch (kind) {
      case LossKind::quadratic:
        v.optional("hessian", loss.hessian, non_negative);
        return v.optional("minimum", loss.minimum, coordinate);
      case LossKind::polynomial:
        return v.required("coefficients", loss.coefficients, Numbers{3, any, "at least three numbers [c0, c1, c2, …]"});
      case LossKind::expression:
        return v.required("formula", loss.formula, Text{"a formula in x such as \"(x^2-1)^2/4\""});
      case LossKind::table:
        v.required("file", loss.file, csv_file);
        return v.optional("columns", loss.columns, ColumnNames{});
      case LossKind::dataset:
        v.required("file", loss.file, csv_file);
        v.required("target", loss.target, Text{"the column to be predicted"});
        v.optional("standardize", loss.standardize, TrueOrFalse{});
        return v.optional("modes", loss.modes, ModeNumbers{});
      case LossKind::spectrum:
        return spectrum_keys(v, loss);
    }
  });
}

template <class Visitor, class S>
void noise_keys(Visitor& v, S& noise) {
  v.kind(noise.kind, noise_words(), [&](NoiseKind kind) {
    switch (kind) {
      case NoiseKind::hessian:
      case NoiseKind::isotropic:
        return v.required("sigma2", noise.sigma2, positive);
      case NoiseKind::constant:
        return v.required("covariance", noise.covariance, Variance{});
      case NoiseKind::expression:
        return v.required("formula", noise.formula, Text{"a formula in x such as \"1 + x^2\""});
      case NoiseKind::table:
        v.required("file", noise.file, csv_file);
        return v.optional("columns", noise.columns, ColumnNames{});
      case NoiseKind::dataset:
      case NoiseKind::temperature:
        return;
    }
  });
}

template <class Visitor, class S>
void grid_keys(Visitor& v, S& grid) {
  v.optional("cells", grid.cells, CellCounts{{PhaseMesh::minimum_cells, most_cells}});
  v.optional("theta", grid.theta, BoxSide{});
  v.optional("velocity", grid.velocity, BoxSide{});
  v.optional("theta_boundary", grid.walls, WallWords<ThetaBoundary>{boundary_words()});
}

template <class Visitor, class S>
void initial_keys(Visitor& v, S& initial) {
  v.kind(initial.kind, initial_words(), [&](InitialKind kind) {
    switch (kind) {
      case InitialKind::gaussian:
        v.optional("mean", initial.mean, Point{});
        return v.optional("covariance", initial.covariance, Covariance{});
      case InitialKind::stationary:
        return;
      case InitialKind::uniform:
        v.optional("theta", initial.theta, BoxSide{});
        return v.optional("velocity", initial.velocity, BoxSide{});
      case InitialKind::file:
        return v.required("file", initial.file,
                          FileName{"a CSV with columns theta, v, density, or a .vti of an earlier run"});
    }
  });
}

/// Of a run: as a time, or in steps of SGD.
template <class Visitor, class S>
void end_keys(Visitor& v, S& part) {
  v.optional("until", part.until, positive);
  v.optional("steps", part.steps, WholeNumber{1, 1'000'000'000});
}

template <class Visitor, class S>
void evolve_keys(Visitor& v, S& evolve) {
  end_keys(v, evolve);
  v.optional("precision", evolve.precision, precision_words());
  v.optional("tolerance", evolve.tolerance, Range{1e-13, 0.1, false, false});
  v.optional("step", evolve.step, positive);
  v.optional("frames", evolve.frames, WholeNumber{1, 100'000});
  v.optional("every", evolve.every, positive);
  v.optional("positivity", evolve.limit_positivity, Words<bool>{{{"limit", true}, {"none", false}}});
}

template <class Visitor, class S>
void stationary_keys(Visitor& v, S& stationary) {
  v.optional("method", stationary.method, method_words());
  v.optional("tolerance", stationary.tolerance, Range{1e-12, 0.1, false, false});
  v.optional("modes", stationary.modes, WholeNumber{0, 60});
}

template <class Visitor, class S>
void ensemble_keys(Visitor& v, S& ensemble) {
  v.optional("particles", ensemble.particles, WholeNumber{100, 1'000'000'000'000});
  v.optional("seed", ensemble.seed, WholeNumber{0, std::numeric_limits<long>::max()});
  v.optional("integrator", ensemble.integrator, integrator_words());
  v.optional("step", ensemble.step, positive);
  v.optional("sampling", ensemble.sampling, sampling_words());
  v.optional("runs", ensemble.runs, WholeNumber{2, 100'000'000});
}

template <class Visitor, class S>
void checkpoint_keys(Visitor& v, S& checkpoint) {
  v.optional("every_seconds", checkpoint.every_seconds, Range{0.0, 1e9, false, false});
}

template <class Visitor, class S>
void displacement_keys(Visitor& v, S& displacement) {
  v.optional("start", displacement.start, displacement_words());
  end_keys(v, displacement);
  v.optional("from", displacement.from, positive);
  v.optional("points", displacement.points, WholeNumber{2, 10'000});
  v.optional("tolerance", displacement.tolerance, Range{1e-10, 0.1, false, false});
  v.optional("fit", displacement.fit, FromTo{});
}

template <class Visitor, class S>
void output_keys(Visitor& v, S& output) {
  v.optional("directory", output.directory, Text{"the name of a folder"});
  v.optional("fields", output.fields,
             WordList<OutputField>{field_words(), "a list of field names, such as [\"density\"]"});
  v.optional("precision", output.float64,
             Words<std::optional<bool>>{{{"auto", std::nullopt}, {"float32", false}, {"float64", true}}});
}

/// All tables: table(name, place, keys), keys(visitor, place).
template <class Visitor, class S>
void spec_tables(Visitor& v, S& spec) {
  top_level_keys(v, spec);
  v.table("optimizer", spec.optimizer, [](auto& w, auto& part) { optimizer_keys(w, part); });
  v.table("langevin", spec.langevin, [](auto& w, auto& part) { langevin_keys(w, part); });
  v.table("loss", spec.loss, [](auto& w, auto& part) { loss_keys(w, part); });
  v.table("noise", spec.noise, [](auto& w, auto& part) { noise_keys(w, part); });
  v.table("grid", spec.grid, [](auto& w, auto& part) { grid_keys(w, part); });
  v.table("initial", spec.initial, [](auto& w, auto& part) { initial_keys(w, part); });
  v.table("evolve", spec.evolve, [](auto& w, auto& part) { evolve_keys(w, part); });
  v.table("stationary", spec.stationary, [](auto& w, auto& part) { stationary_keys(w, part); });
  v.table("ensemble", spec.ensemble, [](auto& w, auto& part) { ensemble_keys(w, part); });
  v.table("checkpoint", spec.checkpoint, [](auto& w, auto& part) { checkpoint_keys(w, part); });
  v.table("displacement", spec.displacement, [](auto& w, auto& part) { displacement_keys(w, part); });
  v.table("output", spec.output, [](auto& w, auto& part) { output_keys(w, part); });
}

}  // namespace underdamp
