#pragma once
#include <cusparse.h>

#include "kernels/bodies/csr_product.hpp"
#include "kernels/cuda/cuda_array.cuh"

namespace underdamp {

/// cuSPARSE's description of a matrix that lies on the device, with the buffer and the descriptions of vectors that its
/// products need: all made once. A product takes no memory and gives the same bits every time.
class CudaMatrix {
 public:
  CudaMatrix() = default;
  CudaMatrix(const CudaMatrix&) = delete;
  CudaMatrix& operator=(const CudaMatrix&) = delete;
  ~CudaMatrix() {
    if (matrix_ != nullptr) cusparseDestroySpMat(matrix_);
  }

  void describe(const CsrView& m, cusparseHandle_t handle) {
    int nonzeros = 0;
    check(cudaMemcpy(&nonzeros, m.row_begin + m.rows, sizeof nonzeros, cudaMemcpyDeviceToHost), "read the matrix");
    check(cusparseCreateCsr(&matrix_, m.rows, m.rows, nonzeros, const_cast<int*>(m.row_begin),
                            const_cast<int*>(m.column), const_cast<double*>(m.value), CUSPARSE_INDEX_32I,
                            CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, CUDA_R_64F),
          "describe the matrix");
    // The size of the buffer does not depend on the vectors.
    from_.describe(m.rows, const_cast<double*>(m.value));
    to_.describe(m.rows, const_cast<double*>(m.value));
    std::size_t bytes = 0;
    check(cusparseSpMV_bufferSize(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, matrix_, from_.get(), &zero,
                                  to_.get(), CUDA_R_64F, algorithm, &bytes),
          "size the product");
    buffer_.resize(bytes > 0 ? bytes : 1);
  }

  void multiply(const double* x, double* y, cusparseHandle_t handle) const {
    from_.point_to(const_cast<double*>(x));
    to_.point_to(y);
    check(cusparseSpMV(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, matrix_, from_.get(), &zero, to_.get(),
                       CUDA_R_64F, algorithm, buffer_.data()),
          "multiply by the matrix");
  }

 private:
  /// The same bits every time; the default one may add in another order.
  static constexpr cusparseSpMVAlg_t algorithm = CUSPARSE_SPMV_CSR_ALG2;

  static constexpr double one = 1.0;
  static constexpr double zero = 0.0;

  class Vector {
   public:
    Vector() = default;
    ~Vector() {
      if (vector_ != nullptr) cusparseDestroyDnVec(vector_);
    }
    Vector(const Vector&) = delete;
    Vector& operator=(const Vector&) = delete;
    void describe(int size, double* values) {
      check(cusparseCreateDnVec(&vector_, size, values, CUDA_R_64F), "describe a vector");
    }
    void point_to(double* values) const { check(cusparseDnVecSetValues(vector_, values), "describe a vector"); }
    cusparseDnVecDescr_t get() const { return vector_; }

   private:
    cusparseDnVecDescr_t vector_ = nullptr;
  };

  cusparseSpMatDescr_t matrix_ = nullptr;
  CudaArray<char> buffer_;
  Vector from_;
  Vector to_;
};

}  // namespace underdamp
