#include "solver/landscape/mode_spectrum.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "solver/io/diagnostics.hpp"

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

SpectrumModes read_spectrum(const CsvTable& table, const std::string& column, const std::string& weight_column) {
  if (table.rows() > most_modes) {
    refuse(table.path(), "", fmt::format("{} rows are too many, the limit is {}", table.rows(), most_modes),
           "bin the eigenvalues, and give a weight_column");
  }
  std::vector<std::string> columns{column};
  if (!weight_column.empty()) columns.push_back(weight_column);
  const auto values = table.numbers(columns);
  SpectrumModes modes{values[0], weight_column.empty() ? std::vector<double>(values[0].size(), 1.0) : values[1]};
  Diagnostics problems(10);
  for (std::size_t l = 0; l < modes.weights.size(); ++l) {
    if (modes.weights[l] >= 0.0) continue;
    problems.add(table.place(l), "", fmt::format("the weight is {}", number_text(modes.weights[l])),
                 "use a weight ≥ 0");
  }
  problems.throw_if_any();
  return modes;
}

}  // namespace underdamp
