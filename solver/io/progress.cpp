#include "solver/io/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace underdamp {

Progress::Progress(std::string what, double end, bool quiet, double begin)
    : what_(std::move(what)), end_(end), from_(begin), quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_ && terminal_) std::fputs("\r\x1b[K", stderr);
}

void Progress::update(double now) {
  if (quiet_) return;
  const auto time = Clock::now();
  const double since = std::chrono::duration<double>(time - last_).count();
  if (since < (terminal_ ? 0.1 : 10.0)) return;
  last_ = time;
  const double elapsed = std::chrono::duration<double>(time - begin_).count();
  if (end_ > 0.0) {
    draw(now, elapsed);
  } else {
    drawn_ = true;
    std::fputs(fmt::format("{}{}: {} so far{}", terminal_ ? "\r\x1b[K" : "", what_, duration_text(elapsed),
                           terminal_ ? "" : "\n")
                   .c_str(),
               stderr);
    std::fflush(stderr);
  }
}

void Progress::draw(double now, double elapsed) {
  drawn_ = true;
  const double share = std::clamp(now / end_, 0.0, 1.0);
  const std::string left =
      now > from_ ? duration_text(elapsed * std::max(0.0, end_ - now) / (now - from_)) + " left" : "";
  if (!terminal_) {
    std::fputs(fmt::format("{}: {:.0f} %, {}\n", what_, 100.0 * share, left).c_str(), stderr);
    return;
  }
  constexpr int width = 30;
  const int full = static_cast<int>(share * width + 0.5);
  std::string bar;
  for (int k = 0; k < width; ++k) bar += k < full ? "█" : "░";
  std::fputs(fmt::format("\r\x1b[K{} {} {:3.0f} %  {}", what_, bar, 100.0 * share, left).c_str(), stderr);
  std::fflush(stderr);
}

void warn(const std::string& text) {
  std::fputs(("warning: " + text + "\n").c_str(), stderr);
}

std::string duration_text(double seconds) {
  if (seconds < 0.1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 60.0) return fmt::format("{:.1f} s", seconds);
  const long whole = static_cast<long>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02d} min", whole / 3600, whole / 60 % 60);
}

}  // namespace underdamp
