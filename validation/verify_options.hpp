#pragma once
#include <functional>
#include <string>

namespace underdamp {

struct VerifyOptions {
  /// Probability with which a right density fails against particles.
  double false_alarm = 1e-6;
  /// Called with what is being done and the share of it; what it throws ends the work.
  std::function<void(const std::string& what, double share)> poll = [](const std::string&, double) {};
};

}  // namespace underdamp
