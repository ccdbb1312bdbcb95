#include "solver/spec/inputs.hpp"

#include <map>

#include <fmt/format.h>

#include "solver/io/csv.hpp"
#include "solver/landscape/dataset.hpp"
#include "solver/landscape/function.hpp"
#include "solver/spec/mode_selection.hpp"
#include "solver/spec/start_file.hpp"

namespace underdamp {
namespace {

class InputReader {
 public:
  InputReader(Spec& spec, Diagnostics& problems) : spec_(spec), problems_(problems) {}

  void read() {
    LossSpec& loss = spec_.loss;
    NoiseSpec& noise = spec_.noise;
    if (loss.kind == LossKind::spectrum && !loss.law) spectrum();
    if (loss.kind == LossKind::expression || loss.kind == LossKind::spectrum)
      loss.function = formula("loss.formula", loss.formula);
    if (loss.kind == LossKind::table) loss.function = columns("loss.file", loss.file, loss.columns);
    if (loss.kind == LossKind::dataset) loss.data = dataset();
    if (noise.kind == NoiseKind::expression) noise.function = formula("noise.formula", noise.formula);
    if (noise.kind == NoiseKind::table) noise.function = columns("noise.file", noise.file, noise.columns);
    if (spec_.initial.kind == InitialKind::file && !spec_.initial.file.empty()) {
      gather("initial.file", [&] {
        spec_.initial.density = std::make_shared<const GridDensity>(read_grid_density(spec_.initial.file));
      });
    }
  }

 private:
  /// Runs a reader and reports what it finds wrong under a key.
  template <class Reader>
  void gather(const std::string& key, const Reader& reader) {
    try {
      reader();
    } catch (const SpecError& error) {
      for (const Diagnostic& entry : error.entries()) {
        if (!entry.key.empty()) {  // it is about the spec
          problems_.add(entry.place, entry.key, entry.problem, entry.remedy);
          continue;
        }
        problems_.add(spec_.place(key), key, entry.place.empty() ? entry.problem : entry.place + ": " + entry.problem,
                      entry.remedy);
      }
    }
  }

  /// The file, if it is a CSV; one that is not is reported once.
  const CsvTable* csv(const std::string& key, const std::string& file) {
    if (file.empty()) return nullptr;
    const auto [place, is_new] = tables_.try_emplace(file);
    if (is_new) gather(key, [&, &table = place->second] { table = CsvTable::read(file); });
    return place->second ? &*place->second : nullptr;
  }

  std::shared_ptr<const Function> formula(const std::string& key, const std::string& text) {
    std::shared_ptr<Function> function;
    if (text.empty()) return function;
    // In a spectrum each plane makes its own, with its eigenvalue; here the formula is only looked at.
    std::optional<double> eigenvalue;
    if (spec_.loss.kind == LossKind::spectrum)
      eigenvalue = spec_.loss.eigenvalues.empty() ? 1.0 : spec_.loss.eigenvalues.front();
    gather(key, [&] { function = make_expression(text, eigenvalue); });
    const Interval window = spec_.search_window();
    if (function) function->set_length(0.1 * (window.upper - window.lower));
    return function;
  }

  void spectrum() {
    LossSpec& loss = spec_.loss;
    const CsvTable* table = csv("loss.file", loss.file);
    if (table != nullptr) {
      gather("loss.file", [&] {
        SpectrumModes modes = read_spectrum(*table, loss.column, loss.weight_column);
        loss.eigenvalues = std::move(modes.eigenvalues);
        loss.weights = std::move(modes.weights);
      });
    }
    const bool is_read = !loss.eigenvalues.empty() && loss.weights.size() == loss.eigenvalues.size();
    if (is_read) gather(spec_.loss_key(), [&] { select_eigenvalues(spec_, table); });
  }

  std::shared_ptr<const Function> columns(const std::string& key, const std::string& file,
                                          const std::array<std::string, 2>& names) {
    std::shared_ptr<const Function> function;
    if (const CsvTable* table = csv(key, file)) gather(key, [&] { function = make_table(*table, names); });
    return function;
  }

  std::shared_ptr<const RegressionData> dataset() {
    std::shared_ptr<const RegressionData> data;
    const LossSpec& loss = spec_.loss;
    const CsvTable* table = csv("loss.file", loss.file);
    if (table == nullptr || loss.target.empty()) return data;
    const std::size_t given = table->given_names().size();
    const auto features = static_cast<int>(given) - 1;
    if (given < table->names().size()) {
      spec_.notes.push_back(fmt::format("loss.file: {} of {} columns without a name, such as an index, are no features",
                                        table->names().size() - given, table->names().size()));
    }
    for (const int mode : loss.modes) {
      if (mode <= features || !table->has(loss.target)) continue;
      problems_.add(spec_.place("loss.modes"), "loss.modes",
                    fmt::format("there is no mode {}, the data have {} features", mode, features),
                    fmt::format("use numbers from 1 to {}", features));
    }
    gather("loss.file", [&] {
      data = std::make_shared<const RegressionData>(regression_data(*table, loss.target, loss.standardize));
    });
    return data;
  }

  Spec& spec_;
  Diagnostics& problems_;
  std::map<std::string, std::optional<CsvTable>> tables_;
};

}  // namespace

void read_inputs(Spec& spec, Diagnostics& problems) {
  InputReader(spec, problems).read();
}

}  // namespace underdamp
