#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "kernels/backend_ops.hpp"
#include "kernels/cuda/cuda_array.cuh"
#include "kernels/cuda/cuda_barrier.cuh"
#include "kernels/cuda/cuda_bundle.cuh"
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

/// The registers of a multiprocessor are enough for so many threads of a velocity sweep.
inline constexpr int largest_team = 384;

template <class Pack, class Body>
__global__ void __launch_bounds__(largest_team) run_bundles(Body body, int bundles, int size, int stride) {
  extern __shared__ __align__(16) double memory[];
  const int index = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (index >= bundles) return;  // a whole team
  CudaBundle<Pack> bundle(reinterpret_cast<typename Pack::Real*>(memory), size, stride);
  body(bundle, index);
}

template <class Pack, class Body>
__global__ void __launch_bounds__(CudaColumns<Pack>::packs* CudaColumns<Pack>::strips)
    run_columns(Body body, ColumnSource<typename Pack::Real> source) {
  const int plane = static_cast<int>(blockIdx.z);
  const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * Pack::width;
  const int begin = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y) * CudaColumns<Pack>::strip_rows;
  if (column >= source.shape.velocity_cells || begin >= source.shape.theta_cells) return;
  CudaColumns<Pack> columns(source.rows_of(plane), plane, column, begin);
  body(columns);
}

template <class Real, class Body>
__global__ void run_segments(Body body, int theta_cells, int velocity_cells) {
  const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int begin = static_cast<int>(blockIdx.y) * segment_rows;
  if (column < velocity_cells) {
    body.template operator()<ScalarPack<Real>>(static_cast<int>(blockIdx.z), column, begin,
                                               min(begin + segment_rows, theta_cells), 1);
  }
}

template <class Body>
__global__ void run_values(Body body, std::size_t count) {
  const std::size_t position = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (position < count) body(position);
}

/// Loops of one GPU, all on one stream.
template <class T>
class CudaLauncher {
 public:
  using Real = T;
  using Wide = WidePack<Real>;
  using Scalar = ScalarPack<Real>;
  template <class Element>
  using Array = CudaArray<Element>;
  static constexpr int lane_choices[2] = {Wide::width, Scalar::width};  ///< lines of a bundle, the best first
  static constexpr bool cascades = false;  ///< dilated kernels cannot keep their cells in registers

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
    return {DeviceKind::cuda,
            std::string("cuda: ") + properties_.name,
            properties_.multiProcessorCount,
            properties_.totalGlobalMem,
            {0, static_cast<std::size_t>(properties_.l2CacheSize)}};
  }
  void synchronize() { check(cudaStreamSynchronize(stream_), "the GPU reports a failure"); }

  template <class Element>
  void upload(const Element* from, std::size_t count, Element* to) const {
    if (count > 0)
      check(cudaMemcpyAsync(to, from, count * sizeof(Element), cudaMemcpyHostToDevice, stream_), "copy to the GPU");
  }
  template <class Element>
  void download(const Element* from, std::size_t count, Element* to) const {
    if (count == 0) return;
    check(cudaMemcpyAsync(to, from, count * sizeof(Element), cudaMemcpyDeviceToHost, stream_), "copy from the GPU");
    check(cudaStreamSynchronize(stream_), "the GPU reports a failure");
  }
  template <class Element>
  void copy(const Element* from, std::size_t count, Element* to) const {
    check(cudaMemcpyAsync(to, from, count * sizeof(Element), cudaMemcpyDeviceToDevice, stream_), "copy on the GPU");
  }
  template <class Element>
  void zero(Element* to, std::size_t count) const {
    check(cudaMemsetAsync(to, 0, count * sizeof(Element), stream_), "clear memory of the GPU");
  }

  /// A drift sweep writes into a spare field, which a velocity sweep reads or which becomes the field.
  void reserve_drift_target(std::size_t cells) {
    if (spare_.size() < cells) spare_.resize(cells);
  }
  Real* drift_target(const CudaArray<Real>& cells) {
    reserve_drift_target(cells.size());
    return spare_.data();
  }
  void finish_drift(CudaArray<Real>& cells) {
    swap(cells, spare_);
    ++memory_changes_;
  }

  /// Operations as one CUDA graph: one launch instead of one for each sweep.
  class Recording {
   public:
    Recording() = default;
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording() {
      if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    }

   private:
    friend class CudaLauncher;
    cudaGraphExec_t graph_ = nullptr;
    long memory_changes_ = -1;  ///< what the graph points to is where it was then
    bool used_ = false;         ///< making a graph pays from the second time on
    bool failed_ = false;
  };

  /// Carries out `operations`, from a graph of them if that can be made.
  void replay(Recording& recording, const std::function<void()>& operations) {
    if (recording.graph_ != nullptr && recording.memory_changes_ != memory_changes_) {
      cudaGraphExecDestroy(std::exchange(recording.graph_, nullptr));
    }
    const bool repeats = std::exchange(recording.used_, true);
    if (recording.graph_ == nullptr && repeats && !recording.failed_) capture(recording, operations);
    if (recording.graph_ == nullptr) {
      operations();
    } else {
      check(cudaGraphLaunch(recording.graph_, stream_), "launch of a graph");
    }
  }

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

  /// Does the scratch of a bundle fit into shared memory?
  bool bundle_fits(int arrays, int lanes, int cells, int margin) const {
    return bundle_bytes(arrays, lanes, cells, margin) + static_shared_bytes <= properties_.sharedMemPerBlockOptin;
  }

  template <class Body>
  void for_each_bundle(const char* name, int bundles, int lanes, int cells, int margin, const Body& body) const {
    if (!bundle_fits(Body::scratch_arrays, lanes, cells, margin)) {
      throw Error(ExitCode::device,
                  std::string(name) + ": a line of " + std::to_string(cells) + " velocity cells with margins of " +
                      std::to_string(margin) + " does not fit into the shared memory of the GPU",
                  "CUDA", "use fewer velocity cells or a smaller step, or --device host");
    }
    if (lanes == Wide::width) {
      launch_bundles<Wide>(name, bundles, cells, margin, body);
    } else {
      launch_bundles<Scalar>(name, bundles, cells, margin, body);
    }
  }

  template <class Body>
  void for_each_column_group(const char* name, const ColumnSource<Real>& source, const Body& body) const {
    if (source.shape.velocity_cells % Wide::width == 0) {
      launch_columns<Wide>(name, source, body);
    } else {
      launch_columns<Scalar>(name, source, body);
    }
  }

  template <class Body>
  void for_each_segment(const char* name, const FieldShape& shape, const Body& body) const {
    const dim3 grid(static_cast<unsigned>((shape.velocity_cells + 127) / 128),
                    static_cast<unsigned>((shape.theta_cells + segment_rows - 1) / segment_rows),
                    static_cast<unsigned>(shape.planes));
    run_segments<Real><<<grid, 128, 0, stream_>>>(body, shape.theta_cells, shape.velocity_cells);
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
  static constexpr std::size_t static_shared_bytes = 1024;  ///< more than the kernels declare

  static int stride_of(int lanes, int cells, int margin) { return (cells + 2 * margin + 1) * lanes; }
  static std::size_t bundle_bytes(int arrays, int lanes, int cells, int margin) {
    return static_cast<std::size_t>(arrays) * static_cast<std::size_t>(stride_of(lanes, cells, margin) + 1) *
           sizeof(Real);
  }

  /// As many threads to a team as have a block of cells each; short lines share a block of threads.
  template <class Pack, class Body>
  void launch_bundles(const char* name, int bundles, int cells, int margin, const Body& body) const {
    constexpr int block = CudaBundle<Pack>::block;
    const int rounds = (cells + largest_team * block - 1) / (largest_team * block);
    const int threads = (cells + rounds * block * 32 - 1) / (rounds * block * 32) * 32;
    const int stride = stride_of(Pack::width, cells, margin) + (Pack::width == 1 && cells % 2 == 0 ? 1 : 0);
    const int size = Body::scratch_arrays * stride;
    const auto bytes = static_cast<std::size_t>(size) * sizeof(Real);
    const int room = static_cast<int>(properties_.sharedMemPerMultiprocessor / 2 / bytes);
    const int teams = std::clamp(std::min(128 / threads, room), 1, 4);
    const auto kernel = run_bundles<Pack, Body>;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(static_cast<std::size_t>(teams) * bytes)),
          name);
    kernel<<<static_cast<unsigned>((bundles + teams - 1) / teams),
             dim3(static_cast<unsigned>(threads), static_cast<unsigned>(teams)),
             static_cast<std::size_t>(teams) * bytes, stream_>>>(body, bundles, size, stride);
    check(cudaGetLastError(), name);
  }

  template <class Pack, class Body>
  void launch_columns(const char* name, const ColumnSource<Real>& source, const Body& body) const {
    using Columns = CudaColumns<Pack>;
    const FieldShape& shape = source.shape;
    const int columns = Columns::packs * Pack::width;
    const int rows = Columns::strips * Columns::strip_rows;
    const dim3 grid(static_cast<unsigned>((shape.velocity_cells + columns - 1) / columns),
                    static_cast<unsigned>((shape.theta_cells + rows - 1) / rows), static_cast<unsigned>(shape.planes));
    run_columns<Pack><<<grid, dim3(Columns::packs, Columns::strips), 0, stream_>>>(body, source);
    check(cudaGetLastError(), name);
  }

  /// Leaves no graph if this driver cannot make one; the operations then go one by one.
  void capture(Recording& recording, const std::function<void()>& operations) {
    recording.failed_ = true;
    if (cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
      cudaGetLastError();
      return;
    }
    cudaGraph_t graph = nullptr;
    try {
      operations();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      throw;
    }
    if (cudaStreamEndCapture(stream_, &graph) != cudaSuccess || graph == nullptr) {
      cudaGetLastError();
      return;
    }
    const cudaError_t status = cudaGraphInstantiate(&recording.graph_, graph, 0);
    cudaGraphDestroy(graph);
    if (status != cudaSuccess) {
      recording.graph_ = nullptr;
      cudaGetLastError();
      return;
    }
    recording.failed_ = false;
    recording.memory_changes_ = memory_changes_;
  }

  int device_;
  long memory_changes_ = 0;  ///< how often a field and the spare one changed places
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  cusparseHandle_t sparse_ = nullptr;
  CudaArray<Real> spare_;
};

}  // namespace underdamp
