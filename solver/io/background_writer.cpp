#include "solver/io/background_writer.hpp"

#include <system_error>
#include <utility>

namespace underdamp {

BackgroundWriter::~BackgroundWriter() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundWriter::add(std::size_t bytes, std::function<void()> job) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || jobs_.empty() || bytes_ + bytes <= most_bytes_; });
  rethrow();
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {  // no threads are left here
      job();
      return;
    }
  }
  jobs_.push_back({bytes, std::move(job)});
  bytes_ += bytes;
  changed_.notify_all();
}

void BackgroundWriter::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || jobs_.empty(); });
  rethrow();
}

void BackgroundWriter::check() {
  const std::lock_guard lock(mutex_);
  rethrow();
}

void BackgroundWriter::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

void BackgroundWriter::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return is_ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job& job = jobs_.front();  // a deque leaves it where it is while others are added
    lock.unlock();
    std::exception_ptr failure;
    try {
      job.write();
    } catch (...) {
      failure = std::current_exception();
    }
    job.write = nullptr;  // its memory is free before there is room for the next
    lock.lock();
    bytes_ -= job.bytes;
    jobs_.pop_front();
    if (failure) {
      failure_ = failure;
      jobs_.clear();
      bytes_ = 0;
    }
    changed_.notify_all();
  }
}

}  // namespace underdamp
