#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>

#include <Eigen/Eigenvalues>

#include "kernels/contract/noise_directions.hpp"
#include "kernels/contract/sweep_accuracy.hpp"
#include "kernels/tables/gaussian_weights.hpp"
#include "kernels/tables/remap.hpp"
#include "kernels/tables/velocity_block_table.hpp"
#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"

namespace underdamp {
namespace {

/// Variance along a direction, in cells², above which a negative one beside it is no longer harmless: the sweep is made
/// of several of less noise.
constexpr double largest_mixed_variance = 10.0;

/// Rows of a matrix by output cell, and what each source cell loses through the walls.
struct ContractionMatrix {
  std::vector<std::vector<double>> rows;  ///< [target][source]
  std::vector<double> lower, upper;       ///< [source]
};

ContractionMatrix empty_matrix(int n) {
  const auto cells = static_cast<std::size_t>(n);
  return {std::vector<std::vector<double>>(cells, std::vector<double>(cells, 0.0)), std::vector<double>(cells, 0.0),
          std::vector<double>(cells, 0.0)};
}

/// Part of the mass of each cell that lies below a point y of a line in cell units, by the remap of remap.hpp.
std::vector<double> below(double y, int n) {
  constexpr int reach = reach_of(wide_remap_cells);
  const double base = std::floor(y);
  const auto weights = remap_weights<wide_remap_cells>(y - base);
  std::vector<double> share(static_cast<std::size_t>(n), 0.0);
  for (int c = 0; c < n; ++c) {
    const double k = c - base + reach;
    double value = c < base ? 1.0 : 0.0;
    if (k >= 0.0 && k < wide_remap_cells) value += weights[static_cast<std::size_t>(k)];
    share[static_cast<std::size_t>(c)] = value;
  }
  return share;
}

/// Flux form: target j holds what lay between the pulled-back edges j and j + 1.
ContractionMatrix remapped(const Axis& axis, double contraction) {
  const int n = axis.cells;
  const double origin = -axis.lower / axis.width();  // v = 0 in cell units
  ContractionMatrix matrix = empty_matrix(n);
  const auto edge = [&](int e) {
    const double y = origin + (e - origin) / contraction;
    return below(std::abs(y - std::round(y)) < 1e-13 * n ? std::round(y) : y, n);
  };
  std::vector<double> before = edge(0);
  matrix.lower = before;
  for (int j = 0; j < n; ++j) {
    const std::vector<double> after = edge(j + 1);
    auto& row = matrix.rows[static_cast<std::size_t>(j)];
    for (std::size_t c = 0; c < row.size(); ++c) row[c] = after[c] - before[c];
    before = after;
  }
  for (std::size_t c = 0; c < before.size(); ++c) matrix.upper[c] = 1.0 - before[c];
  return matrix;
}

/// For e < 1/3: each source cell is spread around its image so that its moments stay (docs/method.md, section 3.2).
ContractionMatrix deposited(const Axis& axis, double contraction) {
  const int n = axis.cells;
  const double origin = -axis.lower / axis.width() - 0.5;  // v = 0 in units of cell centres
  ContractionMatrix matrix = empty_matrix(n);
  for (int c = 0; c < n; ++c) {
    const double image = origin + contraction * (c - origin);
    const int center = static_cast<int>(std::lround(image));
    const auto weights = moment_stencil({image - center, 0.0, 0.0, 0.0});
    for (int k = -moment_half_width; k <= moment_half_width; ++k) {
      if (center + k < 0 || center + k >= n) {
        throw Error(ExitCode::bad_input,
                    "with momentum below 1/3 the velocity box must contain 0, six cells from its ends", "grid.velocity",
                    "set velocity = \"auto\" or a box around 0");
      }
      matrix.rows[static_cast<std::size_t>(center + k)][static_cast<std::size_t>(c)] +=
          weights[static_cast<std::size_t>(k + moment_half_width)];
    }
  }
  return matrix;
}

/// Sources [begin, end) of a row that count.
std::pair<int, int> support(const std::vector<double>& row) {
  const auto counts = [](double x) { return x != 0.0; };
  const auto begin = std::find_if(row.begin(), row.end(), counts);
  if (begin == row.end()) return {0, 0};
  const auto end = std::find_if(row.rbegin(), row.rend(), counts).base();
  return {static_cast<int>(begin - row.begin()), static_cast<int>(end - row.begin())};
}

void put_shares(const ContractionMatrix& matrix, int padded, BlockContraction& to) {
  to.lower = matrix.lower;
  to.upper = matrix.upper;
  to.lower_count = support(matrix.lower).second;
  const auto [first, end] = support(matrix.upper);
  to.upper_first = first < end ? first : static_cast<int>(matrix.upper.size());
  to.lower.resize(static_cast<std::size_t>(padded), 0.0);
  to.upper.resize(static_cast<std::size_t>(padded), 0.0);
}

/// By rows of single outputs (lanes = 1) or of packs of them. A pack may begin before its sources, by less than itself.
BlockContraction banded(const ContractionMatrix& matrix, int lanes) {
  const auto n = static_cast<int>(matrix.rows.size());
  BlockContraction band;
  band.lanes = lanes;
  band.rows = (n + lanes - 1) / lanes;
  for (int row = 0; row < band.rows; ++row) {
    int first = n;  // of source − lane
    int end = -lanes;
    for (int lane = 0; lane < lanes && row * lanes + lane < n; ++lane) {
      const auto [begin, stop] = support(matrix.rows[static_cast<std::size_t>(row * lanes + lane)]);
      if (begin == stop) continue;
      first = std::min(first, begin - lane);
      end = std::max(end, stop - lane);
    }
    band.first.push_back(std::min(first, end));
    band.count.push_back(std::max(0, end - first));
    band.taps = std::max(band.taps, band.count.back());
  }
  band.weights.assign(static_cast<std::size_t>(band.rows) * static_cast<std::size_t>(band.taps * lanes), 0.0);
  for (int row = 0; row < band.rows; ++row) {
    for (int s = 0; s < band.count[static_cast<std::size_t>(row)]; ++s) {
      for (int lane = 0; lane < lanes; ++lane) {
        const int target = row * lanes + lane;
        const int source = band.first[static_cast<std::size_t>(row)] + lane + s;
        if (target < n && source >= 0 && source < n) {
          band.weights[static_cast<std::size_t>((row * band.taps + s) * lanes + lane)] =
              matrix.rows[static_cast<std::size_t>(target)][static_cast<std::size_t>(source)];
        }
      }
    }
  }
  put_shares(matrix, band.rows * lanes, band);
  return band;
}

void add_contractions(const PhaseSpace& space, const BlockVelocityLaw& law, VelocityBlockTable& table) {
  const int d = table.parameters;
  std::map<std::tuple<double, double, int, int>, int> known;  // e, v = 0 in cells, cells, lanes
  for (int p = 0; p < space.problems(); ++p) {
    const double e = law.contraction[static_cast<std::size_t>(p)];
    if (!(e >= 0.0 && e <= 1.0))
      throw Error(ExitCode::bad_input, "a velocity sweep contracts by " + std::to_string(e) + ", outside [0, 1]");
    for (int k = 0; k < d; ++k) {
      const Axis& axis = space.problem(p).velocity[static_cast<std::size_t>(k)];
      const int lanes = k + 1 == d ? table.lanes : 1;
      const auto [entry, is_new] =
          known.try_emplace({e, axis.lower / axis.width(), axis.cells, lanes}, static_cast<int>(known.size()));
      table.contraction_of.push_back(entry->second);
      if (is_new)
        table.contractions.push_back(banded(e < deposit_below ? deposited(axis, e) : remapped(axis, e), lanes));
    }
  }
}

/// Kernels that were made, by law and whole cells.
class PassStore {
 public:
  explicit PassStore(VelocityBlockTable& table) : table_(table) {}

  void add(const NoiseDirection& along, KickLaw law) {
    const double whole = std::round(law.mean);
    law.mean -= whole;
    if (law == KickLaw{} && whole == 0.0) return;
    const auto [entry, is_new] =
        known_.try_emplace({law.mean, law.variance, law.fourth_cumulant, law.sixth_cumulant}, Place{});
    if (is_new) entry->second = store(single_kernel(law));
    const Place place = entry->second;
    table_.passes.push_back({along.direction, static_cast<int>(whole) - place.count / 2, place.count, place.weights});
  }

 private:
  struct Place {
    long weights = 0;
    int count = 0;
  };

  Place store(const std::vector<double>& kernel) {
    const Place place{static_cast<long>(table_.weights.size()), static_cast<int>(kernel.size())};
    auto& all = table_.weights;
    all.insert(all.end(), kernel_padding, 0.0);
    all.insert(all.end(), kernel.begin(), kernel.end());
    all.insert(all.end(), kernel_padding, 0.0);
    std::vector<double> tails(kernel.size() + 1, 0.0);
    for (std::size_t i = kernel.size(); i-- > 0;) tails[i] = tails[i + 1] + kernel[i];
    all.insert(all.end(), tails.begin(), tails.end());
    return place;
  }

  VelocityBlockTable& table_;
  std::map<std::tuple<double, double, double, double>, Place> known_;
};

double largest_eigenvalue(const SymmetricEntries& c, int d) {
  Eigen::MatrixXd matrix(d, d);
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j < d; ++j) matrix(i, j) = c[static_cast<std::size_t>(entry_of(d, i, j))];
  }
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix, Eigen::EigenvaluesOnly).eigenvalues()[d - 1];
}

/// Sweeps of equal noise that the Gaussian of a line is made of.
int repeats_of(const std::vector<NoiseDirection>& directions, const SymmetricEntries& c, int d) {
  const bool any_negative =
      std::any_of(directions.begin(), directions.end(), [](const NoiseDirection& e) { return e.variance < 0.0; });
  if (!any_negative) return 1;
  return std::max(1, static_cast<int>(std::ceil(largest_eigenvalue(c, d) / largest_mixed_variance)));
}

/// The passes of one line. `kick` and `c` in cells; `compensation`: of the contraction.
void add_line(const std::array<double, most_parameters>& kick, const SymmetricEntries& c, int d,
              const KickLaw& compensation, PassStore& store) {
  const std::vector<NoiseDirection> directions = noise_directions(c, d);
  const int repeats = repeats_of(directions, c, d);
  for (int r = 0; r < repeats; ++r) {
    for (std::size_t e = 0; e < directions.size(); ++e) {
      KickLaw law = r == 0 && e < static_cast<std::size_t>(d) ? compensation : KickLaw{};
      if (r == 0 && e < static_cast<std::size_t>(d)) law.mean = kick[e];
      law.variance += directions[e].variance / repeats;
      store.add(directions[e], law);
    }
  }
}

/// Passes of the lines of one problem after another; where the noise does not depend on θ its directions come again.
void add_passes(const PhaseSpace& space, const BlockVelocityLaw& law, VelocityBlockTable& table) {
  const int d = table.parameters;
  const FieldShape shape = space.shape();
  PassStore store(table);
  for (int p = 0; p < space.problems(); ++p) {
    const double e = law.contraction[static_cast<std::size_t>(p)];
    const KickLaw compensation = e < deposit_below ? KickLaw{} : box_compensation(e);
    std::array<double, most_parameters> width{1.0, 1.0, 1.0};
    for (int k = 0; k < d; ++k) {
      const auto axis = static_cast<std::size_t>(k);
      width[axis] = space.problem(p).velocity[axis].width();
    }
    for (int i = 0; i < shape.theta_cells; ++i) {
      const auto line = static_cast<std::size_t>(static_cast<long>(p) * shape.theta_cells + i);
      std::array<double, most_parameters> kick{};
      SymmetricEntries c{};
      for (int k = 0; k < d; ++k) {
        const auto axis = static_cast<std::size_t>(k);
        // A kick out of the box, or that is not finite, must not overflow: all that it moves has left.
        const double most = 4.0 * space.velocity_cells(k);
        kick[axis] = std::clamp(law.kick[line * static_cast<std::size_t>(d) + axis] / width[axis], -most, most);
        for (int l = k; l < d; ++l) {
          const auto entry = static_cast<std::size_t>(entry_of(d, k, l));
          c[entry] = law.covariance[line * static_cast<std::size_t>(entries_of(d)) + entry] /
                     (width[axis] * width[static_cast<std::size_t>(l)]);
        }
      }
      table.first_pass.push_back(static_cast<long>(table.passes.size()));
      add_line(kick, c, d, compensation, store);
    }
  }
  table.first_pass.push_back(static_cast<long>(table.passes.size()));
}

}  // namespace

double VelocityBlockTable::taps() const {
  double sum = 0.0;
  for (const BlockPass& pass : passes) sum += pass.count;
  sum /= static_cast<double>(first_pass.size() - 1);
  for (int k = 0; k < parameters; ++k)
    sum += contractions[static_cast<std::size_t>(contraction_of[static_cast<std::size_t>(k)])].taps;
  return sum;
}

VelocityBlockTable make_velocity_block_table(const PhaseSpace& space, const BlockVelocityLaw& law, int lanes) {
  const auto lines = static_cast<std::size_t>(space.shape().lines());
  const auto d = static_cast<std::size_t>(space.parameters());
  require(law.contraction.size() == static_cast<std::size_t>(space.problems()), "each problem has its contraction");
  require(law.kick.size() == lines * d, "a velocity law has a kick of each line and axis");
  require(law.covariance.size() == lines * static_cast<std::size_t>(entries_of(space.parameters())),
          "a velocity law has a covariance of each line");
  VelocityBlockTable table;
  table.parameters = space.parameters();
  table.lanes = lanes;
  add_contractions(space, law, table);
  add_passes(space, law, table);
  return table;
}

}  // namespace underdamp
