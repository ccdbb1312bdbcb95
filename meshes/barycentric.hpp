#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace underdamp {

/// Shares of the values at `count` nodes in the interpolating polynomial at a point x, by the barycentric formula
/// (Berrut and Trefethen, 2004): (w_q/(x − x_q))/Σ. `distance(q)` is x − x_q, exactly 0 where x counts as that node,
/// which then has it all; `weight(q)` is w_q, for which a factor that all have in common does not matter.
template <class Distance, class Weight>
std::vector<double> barycentric_shares(std::size_t count, const Distance& distance, const Weight& weight) {
  std::vector<double> shares(count, 0.0);
  double sum = 0.0;
  for (std::size_t q = 0; q < count; ++q) {
    const double away = distance(q);
    if (away == 0.0) {
      std::fill(shares.begin(), shares.end(), 0.0);
      shares[q] = 1.0;
      return shares;
    }
    shares[q] = weight(q) / away;
    sum += shares[q];
  }
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace underdamp
