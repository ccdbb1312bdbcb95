#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <string>

#include "kernels/backend_ops.hpp"
#include "kernels/cuda/cuda_array.cuh"
#include "kernels/cuda/cuda_check.cuh"
#include "kernels/cuda/cuda_columns.cuh"
#include "kernels/cuda/cuda_line.cuh"
#include "kernels/cuda/cuda_matrix.cuh"

namespace underdamp {

template <class Body>
__global__ void run_lines(Body body) {
  CudaLine line;
  body(line, static_cast<int>(blockIdx.x));
}

template <class Body>
__global__ void run_bundles(Body body, int stride) {
  extern __shared__ double memory[];
  CudaBundle bundle(memory, stride);
  body(bundle, static_cast<int>(blockIdx.x));
}

template <class Body>
__global__ void __launch_bounds__(CudaColumns::lanes* CudaColumns::strips) run_columns(Body body, ColumnSource source) {
  __shared__ double tile[CudaColumns::staged_rows * CudaColumns::lanes];
  const int plane = static_cast<int>(blockIdx.z);
  CudaColumns columns(tile, source.rows_of(plane), plane, static_cast<int>(blockIdx.x) * CudaColumns::lanes,
                      static_cast<int>(blockIdx.y) * CudaColumns::tile_rows);
  body(columns);
}

template <class Body>
__global__ void run_segments(Body body, int theta_cells, int velocity_cells) {
  const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int begin = static_cast<int>(blockIdx.y) * segment_rows;
  if (column < velocity_cells) {
    body.template operator()<ScalarPack>(static_cast<int>(blockIdx.z), column, begin,
                                         min(begin + segment_rows, theta_cells), 1);
  }
}

template <class Body>
__global__ void run_values(Body body, std::size_t count) {
  const std::size_t position = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (position < count) body(position);
}

/// Loops of one GPU, all on one stream.
class CudaLauncher {
 public:
  template <class T>
  using Array = CudaArray<T>;
  static constexpr int lanes = 1;

  explicit CudaLauncher(int device) : device_(device) {
    check(cudaSetDevice(device_), "cannot use the GPU");
    check(cudaGetDeviceProperties(&properties_, device_), "cannot read the properties of the GPU");
    check(cudaStreamCreate(&stream_), "cannot create a stream");
    check(cusparseCreate(&sparse_), "cannot start cuSPARSE");
    check(cusparseSetStream(sparse_, stream_), "cannot start cuSPARSE");
  }
  ~CudaLauncher() {
    cusparseDestroy(sparse_);
    cudaStreamDestroy(stream_);
  }
  CudaLauncher(const CudaLauncher&) = delete;
  CudaLauncher& operator=(const CudaLauncher&) = delete;

  DeviceDescription describe() const {
    return {DeviceKind::cuda, std::string("cuda: ") + properties_.name, properties_.multiProcessorCount,
            properties_.totalGlobalMem, {0, static_cast<std::size_t>(properties_.l2CacheSize)}};
  }
  void synchronize() { check(cudaStreamSynchronize(stream_), "the GPU reports a failure"); }

  template <class T>
  void upload(const T* from, std::size_t count, T* to) const {
    if (count > 0)
      check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyHostToDevice, stream_), "copy to the GPU");
  }
  template <class T>
  void download(const T* from, std::size_t count, T* to) const {
    if (count == 0) return;
    check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDeviceToHost, stream_), "copy from the GPU");
    check(cudaStreamSynchronize(stream_), "the GPU reports a failure");
  }
  void copy(const double* from, std::size_t count, double* to) const {
    check(cudaMemcpyAsync(to, from, count * sizeof(double), cudaMemcpyDeviceToDevice, stream_), "copy on the GPU");
  }
  void zero(double* to, std::size_t count) const {
    check(cudaMemsetAsync(to, 0, count * sizeof(double), stream_), "clear memory of the GPU");
  }

  /// A drift sweep writes into a spare field, which then becomes the field.
  double* drift_target(const CudaArray<double>& cells) {
    spare_.resize(cells.size());
    return spare_.data();
  }
  void finish_drift(CudaArray<double>& cells) { swap(cells, spare_); }

  using MatrixHandle = CudaMatrix;
  void prepare(const CsrView& matrix, CudaMatrix& handle) { handle.describe(matrix, sparse_); }
  /// y = A x by cuSPARSE.
  void multiply(const CsrView& matrix, const CudaMatrix& handle, const double* x, double* y) const {
    handle.multiply(matrix.rows, x, y, sparse_);
  }

  template <class Body>
  void for_each_line(const char* name, int lines, const Body& body) const {
    run_lines<<<static_cast<unsigned>(lines), 128, 0, stream_>>>(body);
    check(cudaGetLastError(), name);
  }

  template <class Body>
  void for_each_bundle(const char* name, int bundles, int cells, int margin, const Body& body) const {
    const int stride = cells + 2 * margin + 1;
    const std::size_t bytes =
        static_cast<std::size_t>(Body::scratch_arrays) * static_cast<std::size_t>(stride) * sizeof(double);
    if (bytes > properties_.sharedMemPerBlockOptin) {
      throw Error(ExitCode::device,
                  std::string(name) + ": a line of " + std::to_string(cells) + " velocity cells with margins of " +
                      std::to_string(margin) + " does not fit into the shared memory of the GPU",
                  "CUDA", "use fewer velocity cells or a smaller step, or --device host");
    }
    check(cudaFuncSetAttribute(run_bundles<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          name);
    const unsigned threads = static_cast<unsigned>(std::clamp((cells + 127) / 128 * 32, 64, 512));
    run_bundles<<<static_cast<unsigned>(bundles), threads, bytes, stream_>>>(body, stride);
    check(cudaGetLastError(), name);
  }

  template <class Body>
  void for_each_column_group(const char* name, const ColumnSource& source, const Body& body) const {
    const FieldShape& shape = source.shape;
    const dim3 grid(static_cast<unsigned>((shape.velocity_cells + CudaColumns::lanes - 1) / CudaColumns::lanes),
                    static_cast<unsigned>((shape.theta_cells + CudaColumns::tile_rows - 1) / CudaColumns::tile_rows),
                    static_cast<unsigned>(shape.planes));
    run_columns<<<grid, dim3(CudaColumns::lanes, CudaColumns::strips), 0, stream_>>>(body, source);
    check(cudaGetLastError(), name);
  }

  template <class Body>
  void for_each_segment(const char* name, const FieldShape& shape, const Body& body) const {
    const dim3 grid(static_cast<unsigned>((shape.velocity_cells + 127) / 128),
                    static_cast<unsigned>((shape.theta_cells + segment_rows - 1) / segment_rows),
                    static_cast<unsigned>(shape.planes));
    run_segments<<<grid, 128, 0, stream_>>>(body, shape.theta_cells, shape.velocity_cells);
    check(cudaGetLastError(), name);
  }

  template <class Body>
  void for_each_column(const char* name, int columns, const Body& body) const {
    for_each_value(name, static_cast<std::size_t>(columns), body);
  }

  template <class Body>
  void for_each_value(const char* name, std::size_t count, const Body& body) const {
    run_values<<<static_cast<unsigned>((count + 127) / 128), 128, 0, stream_>>>(body, count);
    check(cudaGetLastError(), name);
  }

 private:
  int device_;
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  cusparseHandle_t sparse_ = nullptr;
  CudaArray<double> spare_;
};

}  // namespace underdamp
