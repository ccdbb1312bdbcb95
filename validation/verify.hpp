#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.hpp"
#include "solver/spec.hpp"

/// `underdamp verify`: a spec is run and compared with every exact answer that applies, with particles, and with SGD
/// itself (docs/validation.md).
namespace underdamp {

enum class Verdict { passed, failed, reported };

/// One line of the table. Verdicts are comparisons that a NaN fails.
struct Check {
  std::string plane;  ///< name of the plane, empty for the only one
  std::string quantity;
  double computed = 0.0;
  double reference = 0.0;
  double error = 0.0;      ///< what is judged: a distance, or for statistics the p-value
  double tolerance = 0.0;  ///< largest `error`; for statistics the least p-value
  Verdict verdict = Verdict::reported;
  std::string note;
};

struct VerifyOptions {
  /// Probability with which a right density fails against particles.
  double false_alarm = 1e-6;
  /// Called with what is being done and the share of it; what it throws ends the work.
  std::function<void(const std::string& what, double share)> poll = [](const std::string&, double) {};
};

/// Runs the spec and judges it. Throws what a run throws.
std::vector<Check> verify(const Spec& spec, Backend& backend, const VerifyOptions& options);

/// A check that passes if `error` is at most `tolerance`; one that is not a number fails.
Check judged(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note = "");

/// The larger of two errors; not a number if one of them is none.
double larger_error(double a, double b);

/// True if no check failed.
bool all_passed(const std::vector<Check>& checks);

}  // namespace underdamp
