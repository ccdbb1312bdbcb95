#include "meshes/error.hpp"
#include "solver/landscape/function.hpp"
#include "tests/fuzz/harness.hpp"

/// Formulas: read, evaluated and differentiated.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  underdamp::fuzz::accept_or_refuse([&] {
    const auto function = underdamp::make_expression(underdamp::fuzz::text_of(data, size));
    for (const double theta : {0.0, 0.5, -2.0, 1e9}) {
      underdamp::fuzz::keep(function->value(theta) + function->derivative(theta) + function->second_derivative(theta));
    }
  });
  return 0;
}
