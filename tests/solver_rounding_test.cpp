#include <limits>

#include <gtest/gtest.h>

#include "solver/io/rounding.hpp"

namespace underdamp {
namespace {

TEST(Rounding, DigitsEndWhereTheErrorBegins) {
  EXPECT_EQ(rounded_to_error(0.51487, 2e-4), "0.5149");
  EXPECT_EQ(rounded_to_error(-0.51487, 2e-4), "-0.5149");
  EXPECT_EQ(rounded_to_error(0.51, 2e-4), "0.5100");  // the zeros are known
  EXPECT_EQ(rounded_to_error(1234.5, 30.0), "1230");
  EXPECT_EQ(rounded_to_error(1234.5, 3.0), "1234");  // to even
  EXPECT_EQ(rounded_to_error(9960.0, 100.0), "10000");
  EXPECT_EQ(rounded_to_error(12345678.0, 3e5), "1.23e7");
  EXPECT_EQ(rounded_to_error(1.2345e-7, 2e-9), "1.23e-7");
  EXPECT_EQ(rounded_to_error(0.99996, 1e-4), "1.000");
  EXPECT_EQ(rounded_to_error(5e-9, 4e-9), "5e-9");
  EXPECT_EQ(rounded_to_error(5.2, 3.0), "5");
}

TEST(Rounding, NoMoreThanSixDigits) {
  EXPECT_EQ(rounded_to_error(0.123456789, 1e-12), "0.123457");
  EXPECT_EQ(rounded_to_error(0.125, 0.0), "0.125");
  EXPECT_EQ(rounded_to_error(0.125, std::numeric_limits<double>::quiet_NaN()), "0.125");
  EXPECT_EQ(rounded_to_error(1e-300, 1e-320), "1e-300");
}

TEST(Rounding, WhatIsSmallerThanItsErrorIsZero) {
  EXPECT_EQ(rounded_to_error(-9.7e-11, 1e-9), "0");
  EXPECT_EQ(with_error(-9.7e-11, 1e-9), "0 ± 1e-9");
  EXPECT_EQ(with_error(0.0, 0.0), "0");
  EXPECT_EQ(with_error(5.0, std::numeric_limits<double>::infinity()), "0 ± inf");
}

TEST(Rounding, ErrorsAreOneDigitRoundedUp) {
  EXPECT_EQ(with_error(0.51487, 2e-4), "0.5149 ± 2e-4");
  EXPECT_EQ(with_error(0.51487, 1.2e-4), "0.5149 ± 2e-4");
  EXPECT_EQ(with_error(0.51487, 0.02), "0.51 ± 0.02");
  EXPECT_EQ(with_error(0.51487, 0.0096), "0.515 ± 0.01");
  EXPECT_EQ(with_error(1234.5, 20.0), "1230 ± 20");
  EXPECT_EQ(with_error(2.0, 3e-5), "2.00000 ± 3e-5");
}

TEST(Rounding, ErrorsThatNoShownDigitFeelsAreLeftOut) {
  EXPECT_EQ(with_error(0.123456789, 4e-7), "0.123457");
  EXPECT_EQ(with_error(0.123456789, 6e-7), "0.123457 ± 6e-7");
  EXPECT_EQ(with_error(0.125, 0.0), "0.125");
}

TEST(Rounding, WhatIsNotKnownIsNotClaimed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(with_error(0.125, nan), "0.125 ± ?");
  EXPECT_EQ(with_error(nan, 1e-3), "nan");
  EXPECT_EQ(with_error(-std::numeric_limits<double>::infinity(), 1e-3), "-inf");
}

}  // namespace
}  // namespace underdamp
