#pragma once
#include <array>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "kernels/tables/gaussian_weights.hpp"
#include "kernels/tables/velocity_table.hpp"

namespace underdamp {

/// Kernels of one law as functions of its mean f, |f| ≤ ½: known at Chebyshev points and interpolated between them
/// (docs/method.md, section 5). Lines of constant noise share one: it costs a third of a kernel for each of them.
///
/// A Gaussian of deviation s is off by 2 (4s)^{−N}/√N! of its peak with N points: below 1e-16 for s ≥ 1.4 and 14
/// points, s ≥ 7 and 9.
class KernelFamily {
 public:
  /// `law.variance` is that of a sampled kernel which sampling leaves its moments.
  KernelFamily(const KickLaw& law, bool cascade);

  /// The levels, lane q with a mean at point q.
  const Convolution& at_points() const { return convolution_; }
  /// Shares of the points in a kernel of mean f; they add up to 1.
  std::vector<double> shares(double f) const;

 private:
  std::vector<double> points_;
  Convolution convolution_;
};

/// Appends the kernels of bundles to a VelocityTable.
class KernelStore {
 public:
  /// Of `lines` lines to a plane, `cells` cells each.
  KernelStore(VelocityTable& table, int cells, int lines) : table_(table), cells_(cells), lines_(lines) {}

  /// `laws`: one for each lane.
  void add_bundle(const std::vector<KickLaw>& laws);

 private:
  /// A family and what its kernels carry past the walls.
  struct StoredFamily {
    KernelFamily family;
    std::vector<std::vector<double>> entries;  ///< [level][entry·points + point], as `entries_of` has them
  };

  bool is_family(const std::vector<KickLaw>& laws) const;
  const StoredFamily& family(const KickLaw& law);
  std::vector<double> entries_of(const KernelLevel& level, int restrictions, std::size_t lanes);
  void append_coarse_walls(const KernelLevel& level, int restrictions, std::size_t lanes, std::vector<double>& entries);
  void append_interpolated(const StoredFamily& stored, std::size_t level, const std::vector<KickLaw>& laws);
  long store(const Convolution& convolution, std::size_t level, const StoredFamily* stored,
             const std::vector<KickLaw>& laws, bool alike);
  const std::pair<std::vector<double>, std::vector<double>>& walls(int restrictions);

  VelocityTable& table_;
  int cells_;
  int lines_;
  std::map<int, std::pair<std::vector<double>, std::vector<double>>> walls_;
  std::map<std::array<double, 3>, StoredFamily> families_;  ///< by variance and cumulants
  std::map<std::pair<int, double>, long> shared_;
  std::vector<KickLaw> last_laws_;
};

}  // namespace underdamp
