#include "solver/mode_spectrum.hpp"

#include <cmath>

#include <fmt/format.h>

namespace underdamp {

SpectrumModes power_law_modes(const PowerLaw& law) {
  SpectrumModes modes;
  const double ratio = std::log(law.smallest / law.largest);
  double sum = 0.0;
  for (int l = 0; l < law.count; ++l) {
    const bool at_end = l == 0 || l + 1 == law.count;
    const double x = ratio * l / (law.count - 1);
    modes.eigenvalues.push_back(l == 0 ? law.largest : at_end ? law.smallest : law.largest * std::exp(x));
    modes.weights.push_back((at_end ? 0.5 : 1.0) * std::exp((1.0 - law.alpha) * x));
    sum += modes.weights.back();
  }
  for (double& weight : modes.weights) weight *= law.parameters / sum;
  return modes;
}

void read_eigenvalues(const CsvTable& table, LossSpec& loss) {
  if (table.rows() > most_modes) {
    refuse(table.path(), "", fmt::format("{} rows are too many, the limit is {}", table.rows(), most_modes),
           "bin the eigenvalues, and give a weight_column");
  }
  std::vector<std::string> columns{loss.column};
  if (!loss.weight_column.empty()) columns.push_back(loss.weight_column);
  const auto values = table.numbers(columns);
  loss.eigenvalues = values[0];
  loss.weights = loss.weight_column.empty() ? std::vector<double>(values[0].size(), 1.0) : values[1];
  Diagnostics problems(10);
  for (std::size_t l = 0; l < loss.weights.size(); ++l) {
    if (loss.weights[l] > 0.0) continue;
    problems.add(table.place(l), "", fmt::format("the weight is {}", number_text(loss.weights[l])), "use a weight > 0");
  }
  problems.throw_if_any();
}

void require_eigenvalues(const Spec& spec) {
  if (!spec.has_parabolas()) return;
  const double decay = spec.optimizer ? spec.optimizer->weight_decay : 0.0;
  for (std::size_t l = 0; l < spec.loss.eigenvalues.size(); ++l) {
    const double rho = spec.loss.eigenvalues[l];
    if (rho >= 0.0 && rho + decay > 0.0) continue;
    refuse(spec, spec.loss_key(),
           fmt::format("eigenvalue {} is {}: nothing holds the parameter", l + 1, number_text(rho)),
           rho < 0.0 ? "use eigenvalues of a minimum, or a formula that confines the parameter"
                     : "use eigenvalues > 0, or weight_decay > 0");
  }
}

}  // namespace underdamp
