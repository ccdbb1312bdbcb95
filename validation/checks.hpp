#pragma once
#include <string>
#include <utility>
#include <vector>

/// Rows of the table of `underdamp verify` (docs/validation.md).
namespace underdamp {

/// Unresolved: what the run reports of its own errors allows so much that an agreement would say nothing. It fails.
enum class Verdict { passed, failed, unresolved, reported };

/// What `error` of a row is: a distance, which is better the smaller it is; or the probability of a statistic as
/// extreme as the one found, which is small where something is wrong and has no better and worse above its limit.
enum class CheckKind { error, p_value };

/// One line of the table. Verdicts are comparisons that a NaN fails.
struct Check {
  std::string plane;  ///< name of the plane, empty for the only one
  std::string quantity;
  double computed = 0.0;
  double reference = 0.0;
  double error = 0.0;      ///< what is judged, as `kind` says
  double tolerance = 0.0;  ///< largest error, or least p-value
  Verdict verdict = Verdict::reported;
  std::string note;
  CheckKind kind = CheckKind::error;

  bool fails() const { return verdict == Verdict::failed || verdict == Verdict::unresolved; }
};

/// Largest tolerance that may follow from estimated errors, relative to the scale of the quantity.
inline constexpr double largest_tolerance = 1e-3;

/// A check that passes if `error` is at most `tolerance`; one that is not a number fails.
Check judged(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note = "");

/// The same with a tolerance that follows from estimated errors, both relative to the scale of the quantity: one that
/// exceeds `largest_tolerance`, or is not known, is unresolved.
Check judged_by_estimate(const std::string& plane, const std::string& quantity, double computed, double reference,
                         double error, double tolerance, const std::string& note = "");

/// A check that passes if the p-value is at least `least`.
Check judged_p_value(const std::string& plane, const std::string& quantity, double computed, double reference,
                     double p_value, double least, const std::string& note);

/// A row that is not judged; its error is relative to a reference other than 0.
Check reported(const std::string& plane, const std::string& quantity, double computed, double reference,
               const std::string& note);

/// The rows of a table, one after the other.
class CheckList {
 public:
  void add(Check check) { checks_.push_back(std::move(check)); }
  /// judged(), judged_by_estimate(), judged_p_value() and reported() with the same arguments.
  void judge(const std::string& plane, const std::string& quantity, double computed, double reference, double error,
             double tolerance, const std::string& note = "") {
    add(judged(plane, quantity, computed, reference, error, tolerance, note));
  }
  void judge_by_estimate(const std::string& plane, const std::string& quantity, double computed, double reference,
                         double error, double tolerance, const std::string& note = "") {
    add(judged_by_estimate(plane, quantity, computed, reference, error, tolerance, note));
  }
  void judge_p_value(const std::string& plane, const std::string& quantity, double computed, double reference,
                     double p_value, double least, const std::string& note) {
    add(judged_p_value(plane, quantity, computed, reference, p_value, least, note));
  }
  void report(const std::string& plane, const std::string& quantity, double computed, double reference,
              const std::string& note) {
    add(reported(plane, quantity, computed, reference, note));
  }
  std::vector<Check> take() { return std::move(checks_); }

 private:
  std::vector<Check> checks_;
};

/// The larger of two errors; not a number if one of them is none.
double larger_error(double a, double b);

/// True if no check fails.
bool all_passed(const std::vector<Check>& checks);

}  // namespace underdamp
