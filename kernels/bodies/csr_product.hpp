#pragma once
#include <cstddef>

#include "meshes/host_device.hpp"

namespace underdamp {

/// A SparseMatrix in the memory of a device.
struct CsrView {
  int rows;
  const int* row_begin;
  const int* column;
  const double* value;
};

/// y = A x, one row per call.
struct MultiplyRow {
  CsrView matrix;
  const double* x;
  double* y;

  UNDERDAMP_HD void operator()(std::size_t row) const {
    double sum = 0.0;
    for (int k = matrix.row_begin[row]; k < matrix.row_begin[row + 1]; ++k)
      sum += matrix.value[k] * x[matrix.column[k]];
    y[row] = sum;
  }
};

}  // namespace underdamp
