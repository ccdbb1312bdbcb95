#pragma once
#include <chrono>
#include <string>

namespace underdamp {

/// Tells how far a run is: a bar with the time left on a terminal, a line every ten seconds elsewhere, nothing if
/// quiet. Writes to standard error, so that results on standard output stay clean.
class Progress {
 public:
  /// `what` names the work, `end` is the value of `update` at which it is done; 0: that is not known, the time it has
  /// taken is shown instead. `begin`: the value at which this part of the work began.
  Progress(std::string what, double end, bool quiet, double begin = 0.0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(double now);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(double now, double elapsed);

  std::string what_;
  double end_;
  double from_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point last_ = begin_;
};

/// A warning on standard error, whether or not the user wants to see progress. That nobody can read it ends no run.
void warn(const std::string& text);

/// "2 h 05 min", "1 min 12 s", "3.4 s".
std::string duration_text(double seconds);

}  // namespace underdamp
