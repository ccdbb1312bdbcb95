#pragma once
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace underdamp::testing {

/// So little address space that the system gives only a few threads.
class FewThreads {
 public:
  FewThreads() {
    getrlimit(RLIMIT_AS, &before_);
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    rlimit little = before_;
    little.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{200} << 20);
    setrlimit(RLIMIT_AS, &little);
  }
  FewThreads(const FewThreads&) = delete;
  FewThreads& operator=(const FewThreads&) = delete;
  ~FewThreads() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

#if defined(__SANITIZE_ADDRESS__)
#define NEEDS_ITS_ADDRESS_SPACE() GTEST_SKIP() << "the address sanitizer needs the address space"
#else
#define NEEDS_ITS_ADDRESS_SPACE()
#endif

}  // namespace underdamp::testing
