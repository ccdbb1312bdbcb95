#include "validation/checks.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace underdamp {

Check judged(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note) {
  const Verdict verdict = error <= tolerance ? Verdict::passed : Verdict::failed;
  return {plane, quantity, computed, reference, error, tolerance, verdict, note};
}

Check judged_by_estimate(const std::string& plane, const std::string& quantity, double computed, double reference,
                         double error, double tolerance, const std::string& note) {
  Check check = judged(plane, quantity, computed, reference, error, tolerance, note);
  if (tolerance <= largest_tolerance) return check;
  check.verdict = Verdict::unresolved;
  check.note =
      fmt::format("{}{}unresolved, the reported errors are too large for a verdict: use more cells, or a wider box",
                  note, note.empty() ? "" : "; ");
  return check;
}

Check judged_p_value(const std::string& plane, const std::string& quantity, double computed, double reference,
                     double p_value, double least, const std::string& note) {
  const Verdict verdict = p_value >= least ? Verdict::passed : Verdict::failed;
  return {plane, quantity, computed, reference, p_value, least, verdict, note, CheckKind::p_value};
}

Check reported(const std::string& plane, const std::string& quantity, double computed, double reference,
               const std::string& note) {
  const double error = reference != 0.0 ? std::abs(computed / reference - 1.0) : std::abs(computed);
  return {plane, quantity, computed, reference, error, 0.0, Verdict::reported, note};
}

double larger_error(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

bool all_passed(const std::vector<Check>& checks) {
  return std::none_of(checks.begin(), checks.end(), [](const Check& c) { return c.fails(); });
}

}  // namespace underdamp
