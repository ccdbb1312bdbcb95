#include "solver/spec/mode_selection.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace underdamp {
namespace {

double weight_decay(const Spec& spec) {
  return spec.optimizer ? spec.optimizer->weight_decay : 0.0;
}

/// Is a parabola of this curvature, with weight decay, one that confines?
bool confines(const Spec& spec, double rho) {
  return rho >= 0.0 && rho + weight_decay(spec) > 0.0;
}

/// Would "drop" leave it out? A formula may confine what has no curvature; noise in proportion to none is none.
bool is_dropped(const Spec& spec, double rho) {
  if (!spec.has_parabolas()) return rho < 0.0;
  return !confines(spec, rho) || (rho == 0.0 && spec.noise.kind == NoiseKind::hessian);
}

/// Names the first eigenvalue that stands for a parameter and holds it not, and how many more there are.
void require_confinement(const Spec& spec, const CsvTable* table) {
  if (!spec.has_parabolas()) return;
  const LossSpec& loss = spec.loss;
  std::vector<std::size_t> loose;
  for (std::size_t l = 0; l < loss.eigenvalues.size(); ++l) {
    const bool counts = l >= loss.weights.size() || loss.weights[l] > 0.0;
    if (counts && !confines(spec, loss.eigenvalues[l])) loose.push_back(l);
  }
  if (loose.empty()) return;
  const double rho = loss.eigenvalues[loose[0]];
  const std::string where = table != nullptr ? " (" + table->place(loose[0]) + ")" : "";
  const std::string more =
      loose.size() > 1 ? fmt::format("; nor do {} more that are not positive", loose.size() - 1) : "";
  refuse(
      spec, spec.loss_key(),
      fmt::format("eigenvalue {}{} is {}: nothing holds the parameter{}", loose[0] + 1, where, number_text(rho), more),
      std::string(rho < 0.0 ? "use eigenvalues of a minimum, or a formula that confines the parameter"
                            : "use eigenvalues > 0, or weight_decay > 0") +
          "; or write negative = \"drop\" in [loss], which leaves such eigenvalues out (Lanczos' method scatters "
          "around 0)");
}

}  // namespace

void select_eigenvalues(Spec& spec, const CsvTable* table) {
  LossSpec& loss = spec.loss;
  if (!loss.drops_negative) require_confinement(spec, table);
  SpectrumModes kept;
  std::vector<double> dropped;
  double parameters = 0.0;
  double lost = 0.0;
  std::size_t weightless = 0;
  for (std::size_t l = 0; l < loss.eigenvalues.size(); ++l) {
    const double rho = loss.eigenvalues[l];
    const bool drops = loss.drops_negative && is_dropped(spec, rho);
    parameters += loss.weights[l];
    if (loss.weights[l] == 0.0) {
      ++weightless;
    } else if (drops) {
      dropped.push_back(rho);
      lost += loss.weights[l];
    } else {
      kept.eigenvalues.push_back(rho);
      kept.weights.push_back(loss.weights[l]);
    }
  }
  const std::size_t all = loss.eigenvalues.size();
  if (kept.eigenvalues.empty()) {
    refuse(spec, spec.loss_key(), fmt::format("of {} eigenvalues none is left that is positive and has a weight", all),
           "use eigenvalues > 0 and weights > 0");
  }
  if (weightless > 0) {
    spec.notes.push_back(
        fmt::format("{}: {} of {} eigenvalues have weight 0 and are left out", spec.loss_key(), weightless, all));
  }
  if (!dropped.empty()) {
    const auto [smallest, largest] = std::minmax_element(dropped.begin(), dropped.end());
    spec.notes.push_back(fmt::format(
        "{}: {} of {} eigenvalues, from {} to {}, are not positive and are left out, as negative = \"drop\" says: "
        "{:.4g} "
        "of {:.4g} parameters",
        spec.loss_key(), dropped.size(), all, number_text(*smallest), number_text(*largest), lost, parameters));
  }
  loss.eigenvalues = std::move(kept.eigenvalues);
  loss.weights = std::move(kept.weights);
}

void require_eigenvalues(const Spec& spec) {
  require_confinement(spec, nullptr);
}

}  // namespace underdamp
