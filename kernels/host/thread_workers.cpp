#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels/host/host_workers.hpp"
#include "meshes/error.hpp"

namespace underdamp {
namespace {

/// Threads that wait for a launch, as long as the object lives; worker 0 is the thread that calls.
class ThreadWorkers final : public HostWorkers {
 public:
  explicit ThreadWorkers(int count) {
    threads_.reserve(static_cast<std::size_t>(std::max(count, 1)));
    try {
      for (int worker = 1; worker < count; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
    } catch (const std::system_error& error) {
      dismiss();  // they would be waited for, and wait themselves
      throw Error(ExitCode::device,
                  "the host gives " + std::to_string(this->count()) + " of " + std::to_string(count) +
                      " threads: " + error.code().message(),
                  {}, "set OMP_NUM_THREADS to fewer threads");
    }
  }
  ~ThreadWorkers() override { dismiss(); }
  int count() const override { return static_cast<int>(threads_.size()) + 1; }
  std::string name() const override {
    return "std::thread, " + std::to_string(count()) + (threads_.empty() ? " thread" : " threads");
  }

 private:
  void launch(const char*, Call call, const void* context) const override {
    call_ = call;
    context_ = context;
    busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    if (!threads_.empty()) wake();
    call(context, 0);
    for (int left = busy_.load(std::memory_order_acquire); left != 0; left = busy_.load(std::memory_order_acquire)) {
      busy_.wait(left, std::memory_order_acquire);
    }
  }
  void dismiss() const {
    call_ = nullptr;
    wake();
  }
  void wake() const {
    launches_.fetch_add(1, std::memory_order_release);
    launches_.notify_all();
  }
  /// No launch is missed: the next begins when every thread has counted itself out of the last.
  void serve(int worker) const {
    for (unsigned seen = 0;; ++seen) {
      launches_.wait(seen, std::memory_order_acquire);
      if (call_ == nullptr) return;
      call_(context_, worker);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
    }
  }

  mutable Call call_ = nullptr;
  mutable const void* context_ = nullptr;
  mutable std::atomic<unsigned> launches_{0};
  mutable std::atomic<int> busy_{0};
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

}  // namespace

int threads_asked_for() {
  int threads = 0;
  if (const char* const text = std::getenv("OMP_NUM_THREADS")) std::from_chars(text, text + std::strlen(text), threads);
  return threads > 0 ? threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::unique_ptr<HostWorkers> make_thread_workers(int count) {
  return std::make_unique<ThreadWorkers>(count);
}

}  // namespace underdamp
