#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace underdamp {

/// Writes files in a thread of its own, one after the other in the order in which they were handed over, while the
/// caller computes. What goes wrong is thrown where the caller next asks; nothing is written after it.
class BackgroundWriter {
 public:
  /// `most_bytes`: what may wait, so that a slow disk does not fill the memory. One job may have more.
  explicit BackgroundWriter(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  /// Everything that was handed over is written; what goes wrong now is lost.
  ~BackgroundWriter();
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;

  /// Hands over a job that holds `bytes`; waits until there is room for them. Throws what an earlier job has thrown.
  void add(std::size_t bytes, std::function<void()> job);
  /// Returns when everything is written. Throws what a job has thrown.
  void flush();
  /// Throws what a job has thrown, without waiting.
  void check();

 private:
  struct Job {
    std::size_t bytes;
    std::function<void()> write;
  };

  void work();
  void rethrow() const;  ///< under the mutex

  std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;  ///< the first is being written
  std::size_t bytes_ = 0;
  std::exception_ptr failure_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace underdamp
