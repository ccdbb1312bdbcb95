#include "kernels/tables/kernel_store.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "kernels/tables/coarse_grid.hpp"
#include "meshes/barycentric.hpp"

namespace underdamp {
namespace {

/// Lines that make a family worth its points.
constexpr int fewest_lines = 32;

/// Fewest points with 2 (4s)^{−N}/√N! below the rounding of a kernel's peak.
int points_for(double deviation) {
  double error = 2.0;
  int n = 0;
  for (; error > 1e-16; ++n) error /= 4.0 * deviation * std::sqrt(n + 1.0);
  return n;
}

std::vector<KickLaw> laws_at(const KickLaw& law, const std::vector<double>& means) {
  std::vector<KickLaw> laws(means.size(), law);
  for (std::size_t q = 0; q < laws.size(); ++q) laws[q].mean = means[q];
  return laws;
}

}  // namespace

KernelFamily::KernelFamily(const KickLaw& law, bool cascade) {
  // The level that carries the mean is the narrowest part of a cascade.
  const double deviation = std::sqrt(law.variance);
  const bool has_fine_level = cascade && deviation > cascade_from && deviation < restrict_from;
  const int count = points_for(has_fine_level ? fine_level_deviation : deviation);
  for (int q = 0; q < count; ++q) points_.push_back(0.5 * std::cos((q + 0.5) * std::numbers::pi / count));
  convolution_ = convolution_with(laws_at(law, points_), cascade);
}

std::vector<double> KernelFamily::shares(double f) const {
  // Chebyshev points of the first kind.
  const auto weight = [&](std::size_t q) {
    const double angle = (static_cast<double>(q) + 0.5) * std::numbers::pi / static_cast<double>(points_.size());
    return q % 2 == 0 ? std::sin(angle) : -std::sin(angle);
  };
  const auto distance = [&](std::size_t q) {
    const double away = f - points_[q];
    return std::abs(away) < 1e-15 ? 0.0 : away;
  };
  return barycentric_shares(points_.size(), distance, weight);
}

void KernelStore::add_bundle(const std::vector<KickLaw>& laws) {
  if (!table_.bundles.empty() && laws == last_laws_) {
    table_.bundles.push_back(table_.bundles.back());
    return;
  }
  const bool alike =
      std::all_of(laws.begin(), laws.end(), [&](const KickLaw& l) { return l.variance == laws[0].variance; });
  const StoredFamily* const stored = is_family(laws) ? &family(laws[0]) : nullptr;
  // A deposit leaves spikes, not resolved data: no cascade after it.
  const Convolution own =
      stored == nullptr ? convolution_with(laws, table_.cascade && !table_.deposits) : Convolution{};
  const Convolution& convolution = stored != nullptr ? stored->family.at_points() : own;
  // The stencils of a deposit and the half-band filter have negative weights, whatever the kernel.
  BundleEntry bundle{static_cast<long>(table_.levels.size()), 0,
                     table_.deposits || convolution.restrictions > 0 ? 1 : 0, convolution.restrictions};
  for (std::size_t k = 0; k < convolution.levels.size(); ++k) {
    const KernelLevel& level = convolution.levels[k];
    if (std::any_of(level.weights.begin(), level.weights.end(), [](double w) { return w < 0.0; }))
      bundle.may_undershoot = 1;
    const long position = store(convolution, k, stored, laws, alike);
    table_.levels.push_back({position, level.half_width, std::countr_zero(static_cast<unsigned>(level.stride))});
    ++bundle.levels;
    const int reach = level.half_width * level.stride;
    table_.margin = std::max(table_.margin, reach);
    if (bundle.restrictions > 0)
      table_.margin = std::max(table_.margin, largest_extent + std::max(reach, restriction_margin));
  }
  table_.bundles.push_back(bundle);
  last_laws_ = laws;
}

/// Position of the numbers of a level. Where all lanes have one variance, levels after the first are the same for all
/// such bundles.
long KernelStore::store(const Convolution& convolution, std::size_t level, const StoredFamily* stored,
                        const std::vector<KickLaw>& laws, bool alike) {
  const KernelLevel& kernel = convolution.levels[level];
  const bool shareable = alike && kernel.stride > 1;
  const std::pair<int, double> key{kernel.stride, kernel.weights[kernel.weights.size() / 2]};
  if (shareable) {
    const auto known = shared_.find(key);
    if (known != shared_.end()) return known->second;
  }
  const auto position = static_cast<long>(table_.weights.size());
  if (stored != nullptr) {
    append_interpolated(*stored, level, laws);
  } else {
    const auto entries = entries_of(kernel, convolution.restrictions, laws.size());
    table_.weights.insert(table_.weights.end(), entries.begin(), entries.end());
  }
  if (shareable) shared_[key] = position;
  return position;
}

bool KernelStore::is_family(const std::vector<KickLaw>& laws) const {
  const KickLaw& first = laws[0];
  return lines_ >= fewest_lines && first.variance >= sampling_felt_below * sampling_felt_below &&
         std::all_of(laws.begin(), laws.end(), [&](const KickLaw& law) {
           return law.variance == first.variance && law.fourth_cumulant == first.fourth_cumulant &&
                  law.sixth_cumulant == first.sixth_cumulant;
         });
}

const KernelStore::StoredFamily& KernelStore::family(const KickLaw& law) {
  const std::array<double, 3> key{law.variance, law.fourth_cumulant, law.sixth_cumulant};
  const auto known = families_.find(key);
  if (known != families_.end()) return known->second;
  StoredFamily stored{KernelFamily(law, table_.cascade && !table_.deposits), {}};
  const Convolution& convolution = stored.family.at_points();
  const std::size_t points = stored.family.shares(0.0).size();
  for (const KernelLevel& level : convolution.levels)
    stored.entries.push_back(entries_of(level, convolution.restrictions, points));
  return families_.emplace(key, std::move(stored)).first->second;
}

void KernelStore::append_interpolated(const StoredFamily& stored, std::size_t level, const std::vector<KickLaw>& laws) {
  const std::size_t lanes = laws.size();
  std::vector<double> shares;  // [point·lanes + lane]
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const auto own = stored.family.shares(laws[lane].mean);
    shares.resize(own.size() * lanes);
    for (std::size_t q = 0; q < own.size(); ++q) shares[q * lanes + lane] = own[q];
  }
  const std::size_t points = shares.size() / lanes;
  const std::vector<double>& entries = stored.entries[level];
  const std::size_t count = entries.size() / points;
  const std::size_t begin = table_.weights.size();
  table_.weights.resize(begin + count * lanes, 0.0);
  double* const out = table_.weights.data() + begin;
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t q = 0; q < points; ++q) {
      const double entry = entries[k * points + q];
      for (std::size_t lane = 0; lane < lanes; ++lane) out[k * lanes + lane] += entry * shares[q * lanes + lane];
    }
  }
}

/// The weights of a level and what it carries past the walls, as LevelEntry has them, by lane.
std::vector<double> KernelStore::entries_of(const KernelLevel& level, int restrictions, std::size_t lanes) {
  std::vector<double> entries = level.weights;
  if (restrictions > 0) {
    append_coarse_walls(level, restrictions, lanes, entries);
    return entries;
  }
  std::vector<double> tail(level.weights.size() + lanes, 0.0);
  for (std::size_t m = level.weights.size(); m-- > 0;) tail[m] = tail[m + lanes] + level.weights[m];
  entries.insert(entries.end(), tail.begin(), tail.end());
  return entries;
}

void KernelStore::append_coarse_walls(const KernelLevel& level, int restrictions, std::size_t lanes,
                                      std::vector<double>& entries) {
  const int extent = coarse_extent(restrictions);
  const auto share = [&](const std::vector<double>& beyond, int distance) {
    return beyond[static_cast<std::size_t>(std::clamp(distance + wall_reach, 0, 2 * wall_reach))];
  };
  const auto& [below, above] = walls(restrictions);
  const int count = extent + level.half_width + wall_reach + 1;
  for (const bool upper : {false, true}) {
    for (int c = 0; c < count; ++c) {
      const int distance = upper ? extent - 1 - c : c - extent;  // of the cell from the wall cell
      std::vector<double> sum(lanes, 0.0);
      for (int m = -level.half_width; m <= level.half_width; ++m) {
        const double beyond = share(upper ? above : below, distance + m);
        const double* const weight = level.weights.data() + static_cast<std::size_t>(m + level.half_width) * lanes;
        for (std::size_t lane = 0; lane < lanes; ++lane) sum[lane] += weight[lane] * beyond;
      }
      entries.insert(entries.end(), sum.begin(), sum.end());
    }
  }
}

const std::pair<std::vector<double>, std::vector<double>>& KernelStore::walls(int restrictions) {
  auto& entry = walls_[restrictions];
  if (entry.first.empty()) entry = {beyond_wall(0, restrictions).below, beyond_wall(cells_, restrictions).above};
  return entry;
}

}  // namespace underdamp
