#include <gtest/gtest.h>

#include "kernels/cuda/cuda_loader.hpp"

namespace underdamp {
namespace {

TEST(CudaLoader, SaysEveryTimeWhyThereIsNoModule) {
  // The system gives its reason once: after that it has none, and a null pointer is no text.
  std::string first;
  EXPECT_EQ(make_cuda_backend(Precision::float64, first), nullptr);
  EXPECT_EQ(first.rfind("the CUDA module was not built", 0), 0U) << first;
  EXPECT_NE(first.find("scripts/build builds it"), std::string::npos) << first;
  for (const Precision precision : {Precision::float64, Precision::float32}) {
    std::string again;
    EXPECT_EQ(make_cuda_backend(precision, again), nullptr);
    EXPECT_EQ(again, first);
  }
}

}  // namespace
}  // namespace underdamp
