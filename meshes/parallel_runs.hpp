#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace underdamp {

/// run(r) for r = 0 … count − 1, spread over threads; every run has its own place in the result, so that this does not
/// depend on their number. `threads` 0: one per processor; where the system gives fewer, these do. `poll` is called by
/// the calling thread with the share done. The first exception that a run or `poll` throws ends all of it.
template <class Result, class Run>
std::vector<Result> parallel_runs(std::size_t count, unsigned threads, const Run& run,
                                  const std::function<void(double)>& poll) {
  std::vector<Result> results(count);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&](bool reports) noexcept {
    try {
      if (reports) poll(0.0);
      for (std::size_t r = next++; r < count && !stop; r = next++) {
        results[r] = run(static_cast<std::uint64_t>(r));
        if (reports) poll(static_cast<double>(std::min(next.load(), count)) / static_cast<double>(count));
      }
    } catch (...) {
      stop = true;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, std::max<std::size_t>(count, 1)));
  {
    std::vector<std::jthread> others;
    others.reserve(threads);
    try {
      for (unsigned t = 1; t < threads; ++t) others.emplace_back(work, false);
    } catch (const std::system_error&) {
      // No more threads are to be had.
    }
    work(true);
  }
  if (failure) std::rethrow_exception(failure);
  return results;
}

}  // namespace underdamp
