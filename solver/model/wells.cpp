#include "solver/model/wells.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/contract/backend.hpp"
#include "meshes/cell_index.hpp"

namespace underdamp {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// A minimum, and the barrier between it and the next one.
struct Basin {
  std::size_t bottom;
  std::size_t top;   ///< of the barrier above; on the last one of a line its end
  double over_this;  ///< height of the barrier over this bottom
  double over_next;  ///< and over that of the next minimum
};

/// Minima and maxima in turn. On a circle points beyond the last are those of the next turn, higher by the gain.
std::vector<Basin> basins_of(const QuasiPotential& q) {
  const std::size_t points = q.phi.size() - (q.is_circle ? 1 : 0);
  const auto phi = [&](std::size_t k) { return q.phi[k % points] + q.gain * static_cast<double>(k / points); };
  // On a circle from the highest point of the periodic part on, so that no well lies across the seam.
  std::size_t first = 0;
  if (q.is_circle) {
    double highest = -infinite;
    for (std::size_t k = 0; k < points; ++k) {
      const double part = q.phi[k] - q.gain * static_cast<double>(k) / static_cast<double>(points);
      if (part > highest) first = k;
      highest = std::max(highest, part);
    }
  }
  const std::size_t last = first + points - (q.is_circle ? 0 : 1);
  std::vector<Basin> basins;
  std::size_t lowest = first;
  std::size_t top = first;
  bool falls = true;
  for (std::size_t k = first + 1; k <= last; ++k) {
    if (falls) {
      if (phi(k) <= phi(lowest)) lowest = k;
      if (phi(k) > phi(lowest)) {
        falls = false;
        top = k;
      }
    } else {
      if (phi(k) >= phi(top)) top = k;
      if (phi(k) < phi(top)) {
        basins.push_back({lowest, top, phi(top) - phi(lowest), 0.0});
        falls = true;
        lowest = k;
      }
    }
  }
  if (!falls) basins.push_back({lowest, last, phi(last) - phi(lowest), 0.0});
  if (falls && lowest != first) basins.push_back({lowest, last, 0.0, 0.0});
  if (basins.empty()) basins.push_back({first, last, 0.0, 0.0});
  for (std::size_t b = 0; b < basins.size(); ++b) {
    const bool is_last = b + 1 == basins.size();
    basins[b].over_next =
        is_last ? phi(basins[b].top) - phi(basins[0].bottom + points) : phi(basins[b].top) - phi(basins[b + 1].bottom);
    if (is_last && !q.is_circle) basins[b].over_this = basins[b].over_next = infinite;
  }
  return basins;
}

/// Joins the basins on both sides of barrier b: the deeper bottom stays.
void join(std::vector<Basin>& basins, std::size_t b) {
  const std::size_t next = (b + 1) % basins.size();
  const std::size_t before = (b + basins.size() - 1) % basins.size();
  const double difference = basins[b].over_next - basins[b].over_this;  // how much deeper the next one is
  Basin joint = basins[next];
  if (difference < 0.0) {
    joint.bottom = basins[b].bottom;
    joint.over_this -= difference;
  } else {
    basins[before].over_next += difference;
  }
  basins[next] = joint;
  basins.erase(basins.begin() + static_cast<std::ptrdiff_t>(b));
}

}  // namespace

QuasiPotential quasi_potential(const Model& model, int p, const Interval& range, bool is_circle) {
  constexpr std::size_t points = 8001;
  QuasiPotential q{range, is_circle, 0.0, std::vector<double>(points), std::vector<double>(points)};
  double before = 0.0;
  for (std::size_t k = 0; k < points; ++k) {
    const double theta = q.theta(k);
    const double height = model.k() * model.loss(p, theta);
    q.temperature[k] = std::max(model.diffusion(p, theta) / model.gamma(), std::numeric_limits<double>::min());
    if (k > 0) q.phi[k] = q.phi[k - 1] + 2.0 * (height - before) / (q.temperature[k] + q.temperature[k - 1]);
    before = height;
  }
  const double lowest = *std::min_element(q.phi.begin(), q.phi.end());
  if (is_circle && model.is_driven(p)) q.gain = q.phi.back() - q.phi.front();
  for (double& value : q.phi) value -= lowest;
  return q;
}

std::vector<Well> wells_of(const QuasiPotential& potential, double least) {
  auto basins = basins_of(potential);
  while (basins.size() > 1) {
    const auto height = [](const Basin& b) { return std::min(b.over_this, b.over_next); };
    const auto lowest = std::min_element(basins.begin(), basins.end(),
                                         [&](const Basin& a, const Basin& b) { return height(a) < height(b); });
    if (!(height(*lowest) < least)) break;
    join(basins, static_cast<std::size_t>(lowest - basins.begin()));
  }
  const std::size_t points = potential.phi.size() - (potential.is_circle ? 1 : 0);
  std::vector<Well> wells;
  double sum = 0.0;
  for (std::size_t b = 0; b < basins.size(); ++b) {
    const std::size_t before = (b + basins.size() - 1) % basins.size();
    const std::size_t from = b > 0 || potential.is_circle ? basins[before].top : 0;
    Well well;
    well.lower = potential.theta(from % points);
    well.upper = potential.theta(basins[b].top % points);
    if (!potential.is_circle && b + 1 == basins.size()) well.upper = potential.range.upper;
    well.bottom = potential.theta(basins[b].bottom % points);
    if (basins.size() == 1) {
      well.lower = potential.range.lower;
      well.upper = potential.range.upper;
    }
    const double below = b > 0 || potential.is_circle ? basins[before].over_next : infinite;
    well.barrier = basins.size() == 1 ? infinite : std::min(basins[b].over_this, below);
    for (std::size_t k = 0; k < points; ++k) {
      if (well.holds(potential.theta(k))) well.weight += std::exp(-potential.phi[k]) / potential.temperature[k];
    }
    sum += well.weight;
    wells.push_back(well);
  }
  for (Well& well : wells) well.weight /= sum;
  std::sort(wells.begin(), wells.end(), [](const Well& a, const Well& b) { return a.bottom < b.bottom; });
  return wells;
}

std::vector<double> well_shares(const PhaseMesh& mesh, const std::vector<Well>& wells,
                                const std::vector<double>& density) {
  const PhasePlane& plane = mesh.plane(0);
  const auto weights = theta_weights(mesh);
  const CellIndex cell(plane);
  std::vector<double> shares(wells.size(), 0.0);
  double mass = 0.0;
  for (int i = 0; i < plane.theta.cells; ++i) {
    const auto row = static_cast<std::size_t>(i);
    double sum = 0.0;
    for (std::size_t j = 0; j < cell.columns(); ++j) sum += density[cell(row, j)];
    sum *= weights[row];
    mass += sum;
    for (std::size_t w = 0; w < wells.size(); ++w) {
      if (wells[w].holds(plane.theta.center(i))) shares[w] += sum;
    }
  }
  for (double& share : shares) share /= mass;
  return shares;
}

namespace {

/// Where on the way from one bottom to the next a point lies: the probability, for strong friction, of reaching the
/// next one first.
class Crossing {
 public:
  Crossing(const QuasiPotential& q, const std::vector<Well>& wells) : q_(q), wells_(wells), rise_(q.phi.size(), 0.0) {
    // ∫ e^{Φ} from the lower end, piece by piece from bottom to bottom so that none drowns in a higher one.
    for (std::size_t k = 1; k < rise_.size(); ++k) rise_[k] = std::exp(std::min(q.phi[k], 600.0));
  }

  /// Factor of a row at θ, if those of the wells are given.
  double factor(double theta, const std::vector<double>& of_well) const {
    const std::size_t count = wells_.size();
    std::size_t above = 0;
    while (above < count && wells_[above].bottom <= theta) ++above;
    if (!q_.is_circle && (above == 0 || above == count)) return of_well[above == 0 ? 0 : count - 1];
    const std::size_t from = (above + count - 1) % count;
    const std::size_t to = above % count;
    const double length = q_.range.upper - q_.range.lower;
    const auto turned = [&](double x) { return x < wells_[from].bottom ? x + length : x; };
    const double share =
        integral(wells_[from].bottom, turned(theta)) /
        integral(wells_[from].bottom, count == 1 ? wells_[to].bottom + length : turned(wells_[to].bottom));
    return of_well[from] * (1.0 - share) + of_well[to] * share;
  }

 private:
  double integral(double lower, double upper) const {
    const std::size_t points = q_.phi.size() - 1;
    const double step = (q_.range.upper - q_.range.lower) / static_cast<double>(points);
    double sum = 0.0;
    const auto first = static_cast<std::size_t>(std::ceil((lower - q_.range.lower) / step - 1e-9));
    for (std::size_t k = first; q_.range.lower + static_cast<double>(k) * step <= upper; ++k) sum += rise_[k % points];
    return sum;
  }

  const QuasiPotential& q_;
  const std::vector<Well>& wells_;
  std::vector<double> rise_;
};

}  // namespace

std::vector<DistantWell> wells_beyond(const Model& model, int p, const Interval& inside, double direction,
                                      const std::optional<Interval>& limits, double least) {
  const QuasiPotential q = quasi_potential(model, p, inside, false);
  const double length = inside.upper - inside.lower;
  const double width = length / static_cast<double>(q.phi.size() - 1);
  double whole = 0.0;
  for (std::size_t k = 0; k < q.phi.size(); ++k) whole += width * std::exp(-q.phi[k]) / q.temperature[k];
  double theta = direction > 0.0 ? inside.upper : inside.lower;
  double phi = direction > 0.0 ? q.phi.back() : q.phi.front();
  double height = model.k() * model.loss(p, theta);
  constexpr double furthest = 100.0;
  constexpr double growth = 1.005;
  constexpr double depth = 1.0;   // of what is a well
  constexpr double margin = 3.0;  // above its bottom hardly anything is left
  constexpr double most = 600.0;  // e^most is still finite
  std::vector<DistantWell> wells;
  std::optional<DistantWell> well;
  double top = phi;
  double lowest = phi;
  const auto take = [&] {
    if (well && well->weight >= least * whole)
      wells.push_back({well->bottom, well->weight / whole, well->bottom == theta});
    well.reset();
  };
  double passed = 0.0;
  for (double step = 0.0005 * length; passed < furthest * length; passed += step, step *= growth) {
    theta += direction * step;
    const double next = model.k() * model.loss(p, theta);
    const double temperature = model.diffusion(p, theta) / model.gamma();
    const bool is_within = !limits || (theta >= limits->lower && theta <= limits->upper);
    if (!is_within || !std::isfinite(next) || !(temperature > 0.0)) break;
    phi += (next - height) / temperature;
    height = next;
    if (!well && phi < top - depth) {
      well.emplace();
      lowest = infinite;
    }
    top = well ? phi : std::max(top, phi);
    if (!well) continue;
    if (phi < lowest) well->bottom = theta;
    lowest = std::min(lowest, phi);
    well->weight += step * std::exp(std::min(-phi, most)) / temperature;
    if (phi > lowest + margin) take();
  }
  take();
  return wells;
}

void set_well_shares(const PhaseMesh& mesh, const QuasiPotential& potential, const std::vector<Well>& wells,
                     const std::vector<double>& shares, std::vector<double>& density) {
  const PhasePlane& plane = mesh.plane(0);
  const CellIndex cell(plane);
  const Crossing crossing(potential, wells);
  constexpr int turns = 3;  // the rows near a barrier belong to both sides
  for (int turn = 0; turn < turns; ++turn) {
    const auto present = well_shares(mesh, wells, density);
    std::vector<double> factors;
    for (std::size_t w = 0; w < wells.size(); ++w) factors.push_back(present[w] > 0.0 ? shares[w] / present[w] : 1.0);
    for (int i = 0; i < plane.theta.cells; ++i) {
      const double factor = crossing.factor(plane.theta.center(i), factors);
      const auto first = density.begin() + static_cast<std::ptrdiff_t>(cell(i, 0));
      std::for_each(first, first + static_cast<std::ptrdiff_t>(cell.columns()),
                    [&](double& value) { value *= factor; });
    }
  }
}

}  // namespace underdamp
