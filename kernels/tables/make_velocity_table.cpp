#include "kernels/tables/make_velocity_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "kernels/contract/sweep_accuracy.hpp"
#include "kernels/tables/gaussian_weights.hpp"
#include "kernels/tables/kernel_store.hpp"
#include "kernels/tables/remap.hpp"
#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"

namespace underdamp {
namespace {

ContractionTable flux_contraction(const Axis& axis, double contraction) {
  const int n = axis.cells;
  const double origin = -axis.lower / axis.width();  // v = 0 in cell units
  ContractionTable table;
  for (int e = 0; e <= n; ++e) {
    double y = origin + (e - origin) / contraction;
    if (std::abs(y - std::round(y)) < 1e-13 * n) y = std::round(y);  // so that b_{e+1} > b_e also where e = 1
    const double b = std::floor(y);
    const auto weights = remap_weights(y - b);
    table.base.push_back(static_cast<int>(b));
    table.fraction.push_back(y - b);
    table.weights.insert(table.weights.end(), weights.begin(), weights.end());
  }
  for (int j = 0; j < n; ++j) {
    const int first = table.base[static_cast<std::size_t>(j)] + 1;
    const int count = table.base[static_cast<std::size_t>(j) + 1] - first;
    if (count > 0) table.whole_cells.push_back({j, first, count});
  }
  return table;
}

DepositTable deposit_contraction(const Axis& axis, double contraction) {
  const int n = axis.cells;
  std::vector<std::vector<std::pair<int, double>>> row(static_cast<std::size_t>(n));
  const double origin = -axis.lower / axis.width() - 0.5;  // v = 0 in units of cell centres
  DepositTable table;
  table.first_target = n;
  for (int m = 0; m < n; ++m) {
    const double image = origin + contraction * (m - origin);
    const int center = static_cast<int>(std::lround(image));
    if (!(center >= moment_half_width && center < n - moment_half_width)) {
      throw Error(ExitCode::bad_input,
                  "with momentum below 1/3 the velocity box must contain 0, six cells from its ends", "grid.velocity",
                  "set velocity = \"auto\" or a box around 0");
    }
    table.first_target = std::min(table.first_target, center - moment_half_width);
    table.last_target = std::max(table.last_target, center + moment_half_width);
    const auto weights = moment_stencil({image - center, 0.0, 0.0, 0.0});
    for (int k = -moment_half_width; k <= moment_half_width; ++k) {
      row[static_cast<std::size_t>(center + k)].push_back(
          {m, weights[static_cast<std::size_t>(k + moment_half_width)]});
    }
  }
  table.row_begin.push_back(0);
  for (const auto& entries : row) {
    for (const auto& [source, weight] : entries) {
      table.source.push_back(source);
      table.weights.push_back(weight);
    }
    table.row_begin.push_back(static_cast<int>(table.source.size()));
  }
  return table;
}

void add_contractions(VelocityTable& table, const PhaseMesh& mesh, const VelocityLaw& law) {
  const int n = mesh.velocity_cells();
  std::map<std::pair<double, double>, int> known;  // (e, position of v = 0 in cells)
  for (int p = 0; p < mesh.planes(); ++p) {
    const Axis& axis = mesh.plane(p).velocity;
    const double e = law.contraction[static_cast<std::size_t>(p)];
    if (!(e >= 0.0 && e <= 1.0)) {
      throw Error(ExitCode::bad_input, "a velocity sweep contracts by " + std::to_string(e) + ", outside [0, 1]");
    }
    const auto [entry, is_new] = known.try_emplace({e, axis.lower / axis.width()}, static_cast<int>(known.size()));
    table.contraction_of_plane.push_back(entry->second);
    if (!is_new) continue;
    if (table.deposits) {
      table.deposit_tables.push_back(deposit_contraction(axis, e));
    } else {
      table.contractions.push_back(flux_contraction(axis, e));
      const auto& base = table.contractions.back().base;
      table.margin = std::max({table.margin, remap_reach + 2 - base.front(), base.back() - n + remap_reach + 2});
      if (table.margin > 8 * n) {
        throw Error(ExitCode::bad_input, "one step carries the velocity box far away: it lies far from v = 0",
                    "grid.velocity", "use a box around v = 0, or a smaller step");
      }
    }
  }
}

/// Splits the kick of a line into whole cells and the rest, which the convolution takes.
double split_kick(VelocityTable& table, double kick, double contraction, int n) {
  // Before a contraction a kick of c counts as c/e.
  const double scale = table.deposits ? 1.0 : contraction;
  const double limit = 3.0 * n;
  const double shift = std::round(std::clamp(kick / scale, -limit, limit));
  table.shift.push_back(static_cast<int>(shift));
  return std::clamp(kick - scale * shift, -0.5, 0.5);
}

/// Planes whose kernels are made together and shared where they are alike; others are made beside them.
constexpr int planes_together = 16;

/// Kernels of the planes first … last − 1. `law` and sizes as in `all`.
VelocityTable kernels_of(const VelocityTable& all, const PhaseMesh& mesh, const VelocityLaw& law, int first_plane,
                         int last_plane) {
  VelocityTable table;
  table.lanes = all.lanes;
  table.cascade = all.cascade;
  table.deposits = all.deposits;
  KernelStore store(table, mesh.velocity_cells(), mesh.theta_cells());
  std::vector<KickLaw> laws(static_cast<std::size_t>(table.lanes));
  for (int plane = first_plane; plane < last_plane; ++plane) {
    const double width = mesh.plane(plane).velocity.width();
    const double contraction = law.contraction[static_cast<std::size_t>(plane)];
    const KickLaw compensation = table.deposits ? KickLaw{} : box_compensation(contraction);
    for (int first = 0; first < mesh.theta_cells(); first += table.lanes) {
      for (int lane = 0; lane < table.lanes; ++lane) {
        if (first + lane >= mesh.theta_cells()) {
          laws[static_cast<std::size_t>(lane)] = laws[static_cast<std::size_t>(lane) - 1];  // idle lane
          continue;
        }
        const auto line = static_cast<std::size_t>(static_cast<long>(plane) * mesh.theta_cells() + first + lane);
        KickLaw& kick = laws[static_cast<std::size_t>(lane)];
        kick = compensation;
        kick.mean = split_kick(table, law.kick[line] / width, contraction, mesh.velocity_cells());
        kick.variance += law.variance[line] / (width * width);
      }
      store.add_bundle(laws);
    }
  }
  return table;
}

bool same_kernels(const VelocityTable& a, const VelocityTable& b) {
  const auto same_level = [](const LevelEntry& x, const LevelEntry& y) {
    return x.weights == y.weights && x.half_width == y.half_width && x.log2_stride == y.log2_stride;
  };
  return a.weights == b.weights &&
         std::equal(a.levels.begin(), a.levels.end(), b.levels.begin(), b.levels.end(), same_level);
}

/// Puts parts one after the other; one whose kernels are those of the part before shares them.
void append(const std::vector<VelocityTable>& parts, VelocityTable& table) {
  long first_level = 0;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const VelocityTable& part = parts[k];
    if (k == 0 || !same_kernels(part, parts[k - 1])) {
      first_level = static_cast<long>(table.levels.size());
      const auto first_weight = static_cast<long>(table.weights.size());
      for (LevelEntry level : part.levels) {
        level.weights += first_weight;
        table.levels.push_back(level);
      }
      table.weights.insert(table.weights.end(), part.weights.begin(), part.weights.end());
    }
    for (BundleEntry bundle : part.bundles) {
      bundle.first_level += first_level;
      table.bundles.push_back(bundle);
    }
    table.shift.insert(table.shift.end(), part.shift.begin(), part.shift.end());
    table.margin = std::max(table.margin, part.margin);
  }
}

}  // namespace

double VelocityTable::taps() const {
  double sum = 0.0;
  for (const BundleEntry& bundle : bundles) {
    for (int level = 0; level < bundle.levels; ++level) {
      const int width = 2 * levels[static_cast<std::size_t>(bundle.first_level + level)].half_width + 1;
      sum += std::ldexp(width, -bundle.restrictions);
    }
    // Both half-band filters, 19 taps to a coarse cell and 18 to every second fine one, on ever fewer cells.
    sum += 37.0 * (1.0 - std::ldexp(1.0, -bundle.restrictions));
  }
  return sum / static_cast<double>(bundles.size());
}

VelocityTable make_velocity_table(const PhaseMesh& mesh, const VelocityLaw& law, int lanes, bool cascade) {
  VelocityTable table;
  table.lanes = lanes;
  table.cascade = cascade;
  table.bundles_per_plane = (mesh.theta_cells() + lanes - 1) / lanes;
  table.deposits = *std::min_element(law.contraction.begin(), law.contraction.end()) < deposit_below;
  table.margin = remap_reach + 2;
  add_contractions(table, mesh, law);
  const int parts = (mesh.planes() + planes_together - 1) / planes_together;
  const auto made = parallel_runs<VelocityTable>(
      static_cast<std::size_t>(parts), 0,
      [&](std::uint64_t part) {
        const int first = static_cast<int>(part) * planes_together;
        return kernels_of(table, mesh, law, first, std::min(first + planes_together, mesh.planes()));
      },
      [](double) {});
  append(made, table);
  return table;
}

}  // namespace underdamp
