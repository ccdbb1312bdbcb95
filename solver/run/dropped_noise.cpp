#include "solver/run/dropped_noise.hpp"

#include <fmt/format.h>

namespace underdamp {

Json dropped_noise(const Model& model) {
  const NoiseCoupling* noise = model.dropped_noise();
  if (noise == nullptr) return nullptr;
  return {{"largest_correlation", noise->correlation}, {"between_modes", Json::array({noise->first, noise->second})}};
}

std::string dropped_noise_text(const Json& dropped) {
  return fmt::format(
      "  noise          gradients of modes {} and {} are correlated by {:.2g}, more than those of any other two: "
      "planes leave that out. Each mode,\n                 and sums over modes "
      "such as displacements, are right without it; "
      "what two modes do at once is not\n",
      dropped["between_modes"][0].get<int>(), dropped["between_modes"][1].get<int>(),
      dropped["largest_correlation"].get<double>());
}

}  // namespace underdamp
