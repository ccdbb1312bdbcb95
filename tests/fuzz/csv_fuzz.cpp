#include "meshes/error.hpp"
#include "solver/landscape/dataset.hpp"
#include "solver/landscape/function.hpp"
#include "solver/spec/start_file.hpp"
#include "tests/fuzz/harness.hpp"

/// One CSV for all that is read from one: columns of numbers, splines, data sets and initial densities.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace underdamp;
  const std::string text = fuzz::text_of(data, size);
  fuzz::accept_or_refuse([&] {
    const CsvTable table = CsvTable::parse(text, "fuzz.csv");
    const std::vector<std::string>& names = table.names();
    fuzz::accept_or_refuse([&] { static_cast<void>(table.numbers(names)); });
    fuzz::accept_or_refuse([&] {
      const auto spline = make_table(table, {names.front(), names.back()});
      const Interval known = *spline->domain();
      for (const double theta : {known.lower, 0.5 * (known.lower + known.upper), known.upper, 0.0, -1e300})
        fuzz::keep(spline->value(theta) + spline->derivative(theta) + spline->second_derivative(theta));
    });
    for (const bool standardize : {true, false}) {
      fuzz::accept_or_refuse([&] {
        const Dataset dataset(std::make_shared<const RegressionData>(regression_data(table, names.back(), standardize)),
                              0.0);
        for (const HessianMode& mode : dataset.modes()) fuzz::keep(mode.eigenvalue + mode.noise);
      });
    }
    if (!table.has("density")) return;
    const fuzz::TemporaryFile file("density.csv", text);
    fuzz::accept_or_refuse([&] { static_cast<void>(read_grid_density(file.path())); });
  });
  return 0;
}
