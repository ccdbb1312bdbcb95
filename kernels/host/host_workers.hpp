#pragma once
#include <atomic>
#include <exception>
#include <memory>
#include <string>

namespace underdamp {

/// The workers of the host, who run one function side by side. A launch costs one call through a pointer per worker:
/// the loops themselves are compiled into the function.
class HostWorkers {
 public:
  virtual ~HostWorkers() = default;
  virtual int count() const = 0;
  virtual std::string name() const = 0;  ///< for example "Kokkos OpenMP, 8 threads"

  /// Calls body(worker) for worker = 0 … count() − 1 and returns when all have returned. `name` is what profilers show.
  /// If workers throw, the others go on and one of the exceptions is thrown then. One launch ends before the next
  /// begins.
  template <class Body>
  void run(const char* name, const Body& body) const {
    const Guarded<Body> guarded{body, {}};
    launch(
        name, [](const void* context, int worker) { static_cast<const Guarded<Body>*>(context)->run(worker); },
        &guarded);
    if (guarded.failure.first) std::rethrow_exception(guarded.failure.first);
  }

 private:
  /// No exception leaves a thread.
  struct Failure {
    std::atomic_flag is_taken;
    std::exception_ptr first;
  };
  template <class Body>
  struct Guarded {
    const Body& body;
    mutable Failure failure;

    void run(int worker) const noexcept {
      try {
        body(worker);
      } catch (...) {
        if (!failure.is_taken.test_and_set()) failure.first = std::current_exception();
      }
    }
  };

 protected:
  using Call = void (*)(const void* context, int worker);
  virtual void launch(const char* name, Call call, const void* context) const = 0;
};

/// The workers of this build: Kokkos' default host execution space, or threads of the standard library.
std::unique_ptr<HostWorkers> make_host_workers();

/// Threads of the standard library, the calling one among them. Throws Error (device) if the system gives fewer.
std::unique_ptr<HostWorkers> make_thread_workers(int count);
/// OMP_NUM_THREADS, which Kokkos reads too, or one per processor where it is not set to a positive number.
int threads_asked_for();

}  // namespace underdamp
