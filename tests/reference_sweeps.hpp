#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/contract/velocity_law.hpp"
#include "kernels/tables/gaussian_weights.hpp"
#include "kernels/tables/velocity_table.hpp"
#include "meshes/phase_mesh.hpp"

/// The sweeps once more, written from their definitions, slowly and without tables: the oracle of the kernel tests.
namespace underdamp::testing {

struct ReferenceResult {
  std::vector<double> values;
  double left_lower = 0.0;  ///< Σ p lost through the lower wall, all planes
  double left_upper = 0.0;
};

/// Cell values of an infinite line; zero where nothing was set.
class InfiniteLine {
 public:
  InfiniteLine(int n, int margin) : margin_(margin), cells_(static_cast<std::size_t>(n + 2 * margin), 0.0) {}
  double& at(int c) { return cells_[static_cast<std::size_t>(c + margin_)]; }
  double get(int c) const {
    const int k = c + margin_;
    return k >= 0 && k < static_cast<int>(cells_.size()) ? cells_[static_cast<std::size_t>(k)] : 0.0;
  }
  /// Σ_{c<b} p_c.
  double below(int b) const {
    double sum = 0.0;
    for (int c = -margin_; c < b; ++c) sum += get(c);
    return sum;
  }
  double total() const { return below(static_cast<int>(cells_.size()) - margin_); }

  /// Part F of C(y) = Σ_{c<⌊y⌋} p_c + F: Lagrange interpolation of C through the 12 edges around ⌊y⌋.
  double flux(double y, bool limited) const {
    const int b = static_cast<int>(std::floor(y));
    const double a = y - b;
    double value = 0.0;
    for (int i = -5; i <= 6; ++i) {
      double basis = 1.0;
      for (int k = -5; k <= 6; ++k) {
        if (k != i) basis *= (a - k) / (i - k);
      }
      double difference = 0.0;  // C(b + i) − C(b)
      for (int c = 0; c < i; ++c) difference += get(b + c);
      for (int c = i; c < 0; ++c) difference -= get(b + c);
      value += basis * difference;
    }
    return limited ? std::min(get(b), std::max(0.0, value)) : value;
  }

 private:
  int margin_;
  std::vector<double> cells_;
};

/// Σ of the cells whose pulled-back edges are y and y'.
inline double remapped(const InfiniteLine& line, double y, double next, bool limited) {
  double sum = line.flux(next, limited) - line.flux(y, limited);
  for (int b = static_cast<int>(std::floor(y)); b < static_cast<int>(std::floor(next)); ++b) sum += line.get(b);
  return sum;
}

inline ReferenceResult reference_drift(const PhaseMesh& mesh, const std::vector<double>& values,
                                       const std::vector<double>& duration, bool limited) {
  ReferenceResult result{values, 0.0, 0.0};
  const int n = mesh.theta_cells();
  const int m = mesh.velocity_cells();
  for (int p = 0; p < mesh.planes(); ++p) {
    const auto cell = [&](int i, int j) {
      return (static_cast<std::size_t>(p) * static_cast<std::size_t>(n) + static_cast<std::size_t>(i)) *
                 static_cast<std::size_t>(m) +
             static_cast<std::size_t>(j);
    };
    for (int j = 0; j < m; ++j) {
      const int margin = 3 * n;
      InfiniteLine line(n, margin);
      for (int i = -margin; i < n + margin; ++i) {
        if (i >= 0 && i < n) line.at(i) = values[cell(i, j)];
        if (mesh.walls() == ThetaBoundary::periodic) line.at(i) = values[cell(((i % n) + n) % n, j)];
        if (mesh.walls() == ThetaBoundary::reflecting && i < 0 && i >= -n) line.at(i) = values[cell(-1 - i, m - 1 - j)];
        if (mesh.walls() == ThetaBoundary::reflecting && i >= n && i < 2 * n)
          line.at(i) = values[cell(2 * n - 1 - i, m - 1 - j)];
      }
      const double shift =
          duration[static_cast<std::size_t>(p)] * mesh.plane(p).velocity.center(j) / mesh.plane(p).theta.width();
      for (int i = 0; i < n; ++i) result.values[cell(i, j)] = remapped(line, i - shift, i + 1 - shift, limited);
      if (mesh.walls() == ThetaBoundary::open) {
        result.left_lower += line.below(static_cast<int>(std::floor(-shift))) + line.flux(-shift, limited);
        result.left_upper +=
            line.total() - line.below(static_cast<int>(std::floor(n - shift))) - line.flux(n - shift, limited);
      }
    }
  }
  return result;
}

/// Convolution of one line with one kernel level inside [0, n).
inline std::vector<double> convolved(const std::vector<double>& in, const KernelLevel& level, ReferenceResult& result) {
  const int n = static_cast<int>(in.size());
  std::vector<double> out(in.size(), 0.0);
  for (int c = 0; c < n; ++c) {
    for (int m = -level.half_width; m <= level.half_width; ++m) {
      const double moved =
          level.weights[static_cast<std::size_t>(m + level.half_width)] * in[static_cast<std::size_t>(c)];
      const int target = c + m * level.stride;
      if (target < 0) result.left_lower += moved;
      if (target >= n) result.left_upper += moved;
      if (target >= 0 && target < n) out[static_cast<std::size_t>(target)] += moved;
    }
  }
  return out;
}

/// a of the half-band filter at offset o: interpolation at 0 from the nodes ±1, ±3, …, ±17.
inline double half_band(int offset) {
  if (offset == 0) return 1.0;
  if (offset % 2 == 0 || std::abs(offset) > 17) return 0.0;
  double basis = 1.0;
  for (int node = -17; node <= 17; node += 2) {
    if (node != offset) basis *= static_cast<double>(-node) / (offset - node);
  }
  return basis;
}

/// The same on a grid that is 2^restrictions times coarser, on an infinite line.
inline std::vector<double> convolved_coarsely(const std::vector<double>& in, const Convolution& convolution,
                                              ReferenceResult& result) {
  const int n = static_cast<int>(in.size());
  const int margin = 8 * n + 400;
  InfiniteLine line(n, margin);
  for (int c = 0; c < n; ++c) line.at(c) = in[static_cast<std::size_t>(c)];
  for (int g = 0; g < convolution.restrictions; ++g) {
    InfiniteLine coarse(n, margin);
    for (int k = -margin / 2 + 10; k < (n + margin) / 2 - 10; ++k) {
      for (int o = -17; o <= 17; ++o) coarse.at(k) += 0.5 * half_band(o) * line.get(2 * k + o);
    }
    line = coarse;
  }
  const KernelLevel& level = convolution.levels.front();
  InfiniteLine smooth(n, margin);
  for (int k = -margin + 200; k < n + margin - 200; ++k) {
    for (int m = -level.half_width; m <= level.half_width; ++m) {
      smooth.at(k) += level.weights[static_cast<std::size_t>(m + level.half_width)] * line.get(k - m);
    }
  }
  line = smooth;
  for (int g = 0; g < convolution.restrictions; ++g) {
    InfiniteLine fine(n, margin);
    for (int j = -margin + 200; j < n + margin - 200; ++j) {
      for (int o = -17; o <= 17; ++o) {
        if ((j - o) % 2 == 0) fine.at(j) += half_band(o) * line.get((j - o) / 2);
      }
    }
    line = fine;
  }
  result.left_lower += line.below(0);
  result.left_upper += line.total() - line.below(n);
  std::vector<double> out;
  for (int j = 0; j < n; ++j) out.push_back(line.get(j));
  return out;
}

inline void clip(std::vector<double>& line) {
  double sum = 0.0;
  double positive = 0.0;
  for (const double x : line) {
    sum += x;
    positive += std::max(0.0, x);
  }
  for (double& x : line) x = positive > 0.0 ? std::max(0.0, x) * std::max(0.0, sum) / positive : 0.0;
}

/// V for contractions in flux form (e ≥ 1/3). `cascade`: see convolution_with.
inline ReferenceResult reference_velocity(const PhaseMesh& mesh, const std::vector<double>& values,
                                          const VelocityLaw& law, bool limited, bool cascade = true) {
  ReferenceResult result{values, 0.0, 0.0};
  const int m = mesh.velocity_cells();
  for (int l = 0; l < mesh.shape().lines(); ++l) {
    const int p = l / mesh.theta_cells();
    const Axis& axis = mesh.plane(p).velocity;
    const double e = law.contraction[static_cast<std::size_t>(p)];
    const double kick = law.kick[static_cast<std::size_t>(l)] / axis.width();
    const int shift = static_cast<int>(std::round(kick / e));
    KickLaw kick_law = box_compensation(e);
    kick_law.mean = kick - e * shift;
    kick_law.variance += law.variance[static_cast<std::size_t>(l)] / (axis.width() * axis.width());
    InfiniteLine moved(m, 20 * m);
    for (int j = 0; j < m; ++j)
      moved.at(j + shift) =
          values[static_cast<std::size_t>(l) * static_cast<std::size_t>(m) + static_cast<std::size_t>(j)];
    const double origin = -axis.lower / axis.width();
    const auto pulled = [&](int edge) { return origin + (edge - origin) / e; };
    std::vector<double> line;
    for (int j = 0; j < m; ++j) line.push_back(remapped(moved, pulled(j), pulled(j + 1), limited));
    result.left_lower += moved.below(static_cast<int>(std::floor(pulled(0)))) + moved.flux(pulled(0), limited);
    result.left_upper +=
        moved.total() - moved.below(static_cast<int>(std::floor(pulled(m)))) - moved.flux(pulled(m), limited);
    const std::array<KickLaw, 1> one{kick_law};
    const Convolution convolution = convolution_with(one, cascade);
    if (convolution.restrictions > 0) {
      line = convolved_coarsely(line, convolution, result);
    } else {
      for (const KernelLevel& level : convolution.levels) line = convolved(line, level, result);
    }
    if (limited && *std::min_element(line.begin(), line.end()) < 0.0) clip(line);
    std::copy(line.begin(), line.end(), result.values.begin() + static_cast<std::ptrdiff_t>(l) * m);
  }
  return result;
}

}  // namespace underdamp::testing
