#pragma once
#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>
#include <cub/device/device_for.cuh>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include "kernels/bodies/column_source.hpp"
#include "kernels/bodies/csr_product.hpp"
#include "kernels/bodies/extrapolation.hpp"
#include "kernels/cuda/cuda_array.cuh"
#include "kernels/cuda/cuda_barrier.cuh"
#include "kernels/cuda/cuda_block.cuh"
#include "kernels/cuda/cuda_bundle.cuh"
#include "kernels/cuda/cuda_check.cuh"
#include "kernels/cuda/cuda_columns.cuh"
#include "kernels/cuda/cuda_line.cuh"
#include "kernels/cuda/cuda_matrix.cuh"
#include "kernels/cuda/cuda_reduction.cuh"
#include "kernels/cuda/cuda_shuffle.cuh"
#include "kernels/cuda/launch_plan.hpp"
#include "kernels/cuda/recording.hpp"
#include "kernels/operations/device_context.hpp"

namespace underdamp {

template <class Body>
__global__ void run_lines(Body body) {
  CudaLine line;
  body(line, static_cast<long>(blockIdx.x));
}

template <class Pack, class Body>
__global__ void __launch_bounds__(largest_team) run_bundles(Body body, long bundles, int size, int stride) {
  extern __shared__ __align__(16) double memory[];
  const long index = static_cast<long>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (index >= bundles) return;  // a whole team
  CudaBundle<Pack> bundle(reinterpret_cast<typename Pack::Real*>(memory), size, stride);
  body(bundle, index);
}

template <class Pack, class Body>
__global__ void __launch_bounds__(CudaColumns<Pack>::packs* CudaColumns<Pack>::strips)
    run_columns(Body body, ColumnSource<typename Pack::Real> source, int across) {
  const PlaneBlock block(blockIdx.x, across);
  const int column = (block.across * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * Pack::width;
  const int begin = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y) * CudaColumns<Pack>::strip_rows;
  if (column >= source.runs.lanes || begin >= source.runs.cells) return;
  CudaColumns<Pack> columns(source, block.plane, column, begin, nullptr);
  body(columns);
}

template <class Pack, class Body>
__global__ void __launch_bounds__(largest_run_block) run_runs(Body body, ColumnSource<typename Pack::Real> source) {
  const long run = static_cast<long>(blockIdx.x) * blockDim.z + threadIdx.z;
  RunTally tally;
  if (run < source.runs.runs) sweep_run<Pack>(body, source, run, tally);
  settle_run(tally, run);
}

/// `size` numbers of scratch for each block, in shared memory or, where that is too small, at `memory`.
template <class Real, class Body>
__global__ void __launch_bounds__(block_threads)
    run_blocks(Body body, long blocks, Real* memory, std::size_t size, BlockShape shape) {
  extern __shared__ __align__(16) double shared[];
  Real* const scratch = memory != nullptr ? memory + blockIdx.x * size : reinterpret_cast<Real*>(shared);
  CudaBlock<Real> block(scratch, shape);
  for (long b = blockIdx.x; b < blocks; b += gridDim.x) body(block, b);
}

template <class Real, class Body>
__global__ void run_segments(Body body, int theta_cells, int velocity_cells, int across) {
  const PlaneBlock block(blockIdx.x, across);
  const int column = block.across * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
  const int begin = static_cast<int>(blockIdx.y) * segment_rows;
  if (column < velocity_cells) {
    body.template operator()<ScalarPack<Real>>(block.plane, column, begin, min(begin + segment_rows, theta_cells), 1);
  }
}

/// A warp makes each result.
template <class Body>
__global__ void run_reductions(Body body, long count) {
  const int thread = static_cast<int>(threadIdx.x);
  const long number = static_cast<long>(blockIdx.x) * reductions_of_block + thread / warp_threads;
  if (number < count) reduce_by_warp(body, number, thread % warp_threads);  // or not: whole warps
}

/// A graph of recorded operations.
class CudaGraph {
 public:
  CudaGraph() = default;
  explicit CudaGraph(cudaGraphExec_t graph) : graph_(graph) {}
  CudaGraph(CudaGraph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  CudaGraph& operator=(CudaGraph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  ~CudaGraph() {
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  }
  explicit operator bool() const { return graph_ != nullptr; }
  cudaGraphExec_t get() const { return graph_; }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

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
  static constexpr int block_lanes = 1;
  static constexpr bool cascades = false;  ///< dilated kernels cannot keep their cells in registers

  explicit CudaLauncher(int device) : device_(device) {
    begin();
    check(cudaGetDeviceProperties(&properties_, device_), "cannot read the properties of the GPU");
    check(cudaStreamCreate(&stream_), "cannot create a stream");
    results_.take();
    check(cusparseCreate(&sparse_), "cannot start cuSPARSE");
    check(cusparseSetStream(sparse_, stream_), "cannot start cuSPARSE");
  }
  ~CudaLauncher() {
    cudaSetDevice(device_);
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
  /// A thread of the host begins with device 0, and others may have chosen for it: every operation chooses again.
  void begin() const { check(cudaSetDevice(device_), "cannot use the GPU"); }
  void begin_apart() const {
    target_.require_no_recording();
    begin();
  }
  /// What an operation is called in a profiler.
  class Range {
   public:
    explicit Range(const char* name) { nvtxRangePushA(name); }
    ~Range() { nvtxRangePop(); }
    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;
  };
  void synchronize_each(bool each) { synchronizes_each_ = each; }
  void synchronize() const { check(cudaStreamSynchronize(stream_), "the GPU reports a failure"); }

  template <class Element>
  void upload(const Element* from, std::size_t count, Element* to) const {
    if (count > 0)
      check(cudaMemcpyAsync(to, from, count * sizeof(Element), cudaMemcpyHostToDevice, stream_), "copy to the GPU");
  }
  template <class Element>
  void download(const Element* from, std::size_t count, Element* to) const {
    if (count == 0) return;
    const std::size_t bytes = count * sizeof(Element);
    const bool is_short = bytes <= results_.bytes;  // a few numbers: by way of memory that the GPU writes to directly
    void* const target = is_short ? results_.data : to;
    check(cudaMemcpyAsync(target, from, bytes, cudaMemcpyDeviceToHost, stream_), "copy from the GPU");
    check(cudaStreamSynchronize(stream_), "the GPU reports a failure");
    if (is_short) std::memcpy(to, target, bytes);
  }
  template <class Element>
  void copy(const Element* from, std::size_t count, Element* to) const {
    check(cudaMemcpyAsync(to, from, count * sizeof(Element), cudaMemcpyDeviceToDevice, stream_), "copy on the GPU");
  }
  template <class Element>
  void zero(Element* to, std::size_t count) const {
    check(cudaMemsetAsync(to, 0, count * sizeof(Element), stream_), "clear memory of the GPU");
  }

  void reserve_drift_target(std::size_t cells) { target_.reserve(cells); }
  Real* drift_target(const CudaArray<Real>& cells) { return target_.of(cells); }
  void finish_drift(CudaArray<Real>& cells) { target_.finish(cells); }

  using Recording = underdamp::Recording<CudaGraph>;
  void replay(Recording& recording, const std::function<void()>& operations) {
    if (synchronizes_each_) return operations();  // the kernels of a graph could not be told apart
    recording.replay(*this, target_, operations);
  }
  void launch(const CudaGraph& graph) const { check(cudaGraphLaunch(graph.get(), stream_), "launch of a graph"); }
  /// Empty if this driver cannot make one.
  CudaGraph record(const std::function<void()>& operations) const {
    if (cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal) != cudaSuccess) {
      cudaGetLastError();
      return {};
    }
    cudaGraph_t graph = nullptr;
    try {
      operations();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    if (cudaStreamEndCapture(stream_, &graph) != cudaSuccess || graph == nullptr) {
      cudaGetLastError();
      return {};
    }
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    if (status == cudaSuccess) return CudaGraph(executable);
    cudaGetLastError();
    return {};
  }

  using MatrixHandle = CudaMatrix;
  void prepare(const CsrView& matrix, CudaMatrix& handle) { handle.describe(matrix, sparse_); }
  /// y = A x by cuSPARSE.
  void multiply(const CsrView&, const CudaMatrix& handle, const double* x, double* y) const {
    handle.multiply(x, y, sparse_);
  }

  template <class Body>
  void for_each_line(const char* name, long lines, const Body& body) const {
    run_lines<<<grid(name, lines), 128, 0, stream_>>>(body);
    launched(name);
  }

  /// Does the scratch of a bundle fit into shared memory?
  bool bundle_fits(int arrays, int lanes, int cells, int margin) const {
    return fits(launch_of(arrays, lanes, cells, margin), limits());
  }

  template <class Body>
  void for_each_bundle(const char* name, long bundles, int lanes, int cells, int margin, const Body& body) const {
    const BundleLaunch launch = launch_of(Body::scratch_arrays, lanes, cells, margin);
    if (!fits(launch, limits())) {
      throw Error(ExitCode::device,
                  std::string(name) + ": a line of " + std::to_string(cells) + " velocity cells with margins of " +
                      std::to_string(margin) + " does not fit into the shared memory of the GPU",
                  "CUDA", "use fewer velocity cells or a smaller step, or --device host");
    }
    if (lanes == Wide::width) {
      launch_bundles<Wide>(name, bundles, launch, body);
    } else {
      launch_bundles<Scalar>(name, bundles, launch, body);
    }
  }

  template <class Body>
  void for_each_column_group(const char* name, const ColumnSource<Real>& source, const Body& body) const {
    if (source.runs.lanes % Wide::width == 0) {
      launch_columns<Wide>(name, source, body);
    } else {
      launch_columns<Scalar>(name, source, body);
    }
  }

  /// Blocks that do not fit into shared memory use as much of the GPU's memory as those that run side by side need.
  template <class Body>
  void for_each_block(const char* name, long blocks, const BlockShape& shape, const Body& body) {
    const std::size_t size = CudaBlock<Real>::scratch_size(shape, Body::scratch_arrays);
    const std::size_t bytes = size * sizeof(Real);
    const auto kernel = run_blocks<Real, Body>;
    if (bytes + static_shared_bytes <= limits().of_block) {
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), name);
      kernel<<<grid(name, blocks), block_threads, bytes, stream_>>>(body, blocks, nullptr, size, shape);
    } else {
      const long together = std::min<long>(blocks, 2L * properties_.multiProcessorCount);
      if (block_scratch_.size() < static_cast<std::size_t>(together) * size) {
        target_.note_change();
        block_scratch_.resize(static_cast<std::size_t>(together) * size);
      }
      kernel<<<grid(name, together), block_threads, 0, stream_>>>(body, blocks, block_scratch_.data(), size, shape);
    }
    launched(name);
  }

  template <class Body>
  void for_each_segment(const char* name, const FieldShape& shape, const Body& body) const {
    constexpr int threads = 128;
    const PlaneLaunch launch = plane_launch(shape.velocity_cells, shape.theta_cells, threads, segment_rows);
    run_segments<Real><<<grid(name, launch.blocks(shape.planes), launch.down), threads, 0, stream_>>>(
        body, shape.theta_cells, shape.velocity_cells, launch.across);
    launched(name);
  }

  template <class Body>
  void for_each_column(const char* name, long columns, const Body& body) const {
    for_each_value(name, static_cast<std::size_t>(columns), body);
  }

  /// A reduction.
  template <class Body>
  void for_each_result(const char* name, long count, const Body& body) const {
    run_reductions<<<grid(name, reduction_blocks(count)), reductions_of_block * warp_threads, 0, stream_>>>(body,
                                                                                                            count);
    launched(name);
  }

  template <class Body>
  void for_each_value(const char* name, std::size_t count, const Body& body) const {
    check(cub::DeviceFor::Bulk(count, body, stream_), name);
    launched(name);
  }

 private:
  /// Looks whether a launch was accepted and, with synchronize_each(true), whether the kernel succeeded.
  void launched(const char* name) const {
    check(cudaGetLastError(), name);
    if (synchronizes_each_) check(cudaStreamSynchronize(stream_), name);
  }
  LaunchLimits limits() const { return {properties_.sharedMemPerBlockOptin, properties_.sharedMemPerMultiprocessor}; }
  BundleLaunch launch_of(int arrays, int lanes, int cells, int margin) const {
    return bundle_launch({arrays, lanes, cells, margin, static_cast<int>(sizeof(Real))}, limits());
  }

  [[noreturn]] static void refuse(const char* name, const std::string& what) {
    throw Error(ExitCode::device, name + (": " + what), "CUDA", "use fewer cells or planes, or --device host");
  }
  static dim3 grid(const char* name, long blocks, int rows_of_blocks = 1) {
    if (!is_grid(blocks, rows_of_blocks)) {
      refuse(name, std::to_string(blocks) + " × " + std::to_string(rows_of_blocks) + " blocks are no grid of a GPU");
    }
    return dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(rows_of_blocks));
  }

  template <class Pack, class Body>
  void launch_bundles(const char* name, long bundles, const BundleLaunch& launch, const Body& body) const {
    const auto kernel = run_bundles<Pack, Body>;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(launch.bytes)),
          name);
    kernel<<<grid(name, launch.blocks(bundles)),
             dim3(static_cast<unsigned>(launch.threads), static_cast<unsigned>(launch.teams)), launch.bytes, stream_>>>(
        body, bundles, launch.size, launch.stride);
    launched(name);
  }

  template <class Pack, class Body>
  void launch_columns(const char* name, const ColumnSource<Real>& source, const Body& body) const {
    using Columns = CudaColumns<Pack>;
    const ThetaRuns& runs = source.runs;
    if (source.by_run) {
      const RunLaunch launch = run_launch(runs.lanes, runs.cells, Pack::width);
      if (!counts(runs.runs)) refuse(name, std::to_string(runs.runs) + " runs of columns are too many");
      const dim3 threads(static_cast<unsigned>(launch.across), static_cast<unsigned>(launch.down),
                         static_cast<unsigned>(launch.runs));
      run_runs<Pack><<<grid(name, launch.blocks(runs.runs)), threads, 0, stream_>>>(body, source);
      return launched(name);
    }
    if (!counts(runs.runs * runs.lanes)) refuse(name, std::to_string(runs.runs * runs.lanes) + " columns are too many");
    const PlaneLaunch launch =
        plane_launch(runs.lanes, runs.cells, Columns::packs * Pack::width, Columns::strips * Columns::strip_rows);
    run_columns<Pack><<<grid(name, launch.blocks(static_cast<int>(runs.runs)), launch.down),
                        dim3(Columns::packs, Columns::strips), 0, stream_>>>(body, source, launch.across);
    launched(name);
  }

  int device_;
  bool synchronizes_each_ = false;
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  cusparseHandle_t sparse_ = nullptr;
  DriftTarget<CudaArray<Real>> target_;
  CudaArray<Real> block_scratch_;
  PinnedMemory results_;
};

}  // namespace underdamp
