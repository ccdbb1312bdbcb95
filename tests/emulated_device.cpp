#include "emulated_device.hpp"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/bodies/column_source.hpp"
#include "kernels/host/host_array.hpp"
#include "kernels/operations/backend_of.hpp"
#include "kernels/operations/field_operations_of.hpp"
#include "kernels/operations/generator_operations_of.hpp"
#include "kernels/operations/particle_operations_of.hpp"
#include "kernels/operations/phase_sum_operations_of.hpp"
#include "kernels/operations/plane_sums_of.hpp"
#include "kernels/operations/reduction_operations_of.hpp"
#include "kernels/operations/sweep_operations_of.hpp"

// What nvcc knows and g++ does not. Blocks run one after the other, so that static stands for shared memory.
#define __device__
#define __shared__ static
struct EmulatedIndex {
  unsigned x = 0, y = 0, z = 0;
};
static EmulatedIndex threadIdx;
static EmulatedIndex blockDim;
static void __syncthreads();
static double __shfl_down_sync(unsigned, double value, int distance);
static void team_barrier(int, int) {
  __syncthreads();
}
using std::max;
using std::min;

#include "kernels/cuda/cuda_block.cuh"
#include "kernels/cuda/cuda_bundle.cuh"
#include "kernels/cuda/cuda_columns.cuh"
#include "kernels/cuda/cuda_line.cuh"
#include "kernels/cuda/cuda_reduction.cuh"
#include "kernels/cuda/recording.hpp"

namespace {

/// The threads of one block as coroutines.
class EmulatedBlock {
 public:
  EmulatedBlock() : random_(12345) {}

  void run(unsigned width, unsigned height, const std::function<void()>& body) {
    body_ = body;
    blockDim = {width, height, 1};
    const unsigned count = width * height;
    threads_.resize(count);
    shuffle_.assign(count, {});
    for (unsigned t = 0; t < count; ++t) start(t);
    std::vector<unsigned> order(count);
    for (unsigned t = 0; t < count; ++t) order[t] = t;
    for (unsigned running = count; running > 0;) {
      std::shuffle(order.begin(), order.end(), random_);
      for (const unsigned t : order) {
        if (threads_[t].done) continue;
        current_ = t;
        threadIdx = {t % width, t / width, 0};
        swapcontext(&scheduler_, &threads_[t].context);
        if (threads_[t].done) --running;
      }
    }
    for (const Thread& thread : threads_) {
      if (thread.barriers != threads_[0].barriers)
        throw std::logic_error("threads of a block met different numbers of barriers");
    }
  }

  void barrier() {
    ++threads_[current_].barriers;
    swapcontext(&threads_[current_].context, &scheduler_);
  }

  /// All threads call it together; two barriers keep successive calls apart.
  double shuffle_down(double value, int distance) {
    const unsigned other = current_ % 32 + static_cast<unsigned>(distance);
    return of_lane(value, other < 32 && current_ - current_ % 32 + other < threads_.size() ? other : current_ % 32);
  }
  template <class Value>
  Value of_lane(const Value& value, unsigned lane) {
    static_assert(sizeof(Value) <= sizeof(Exchanged));
    const unsigned mine = current_;
    std::memcpy(shuffle_[mine].data(), &value, sizeof(Value));
    barrier();
    Value result;
    std::memcpy(&result, shuffle_[mine - mine % 32 + lane].data(), sizeof(Value));
    barrier();
    return result;
  }

 private:
  using Exchanged = std::array<char, 32>;
  struct Thread {
    ucontext_t context{};
    std::vector<char> stack = std::vector<char>(128 * 1024);
    bool done = false;
    long barriers = 0;
  };

  static void enter();

  void start(unsigned t) {
    Thread& thread = threads_[t];
    thread.done = false;
    thread.barriers = 0;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = &scheduler_;
    makecontext(&thread.context, &EmulatedBlock::enter, 0);
  }

  std::mt19937 random_;
  std::function<void()> body_;
  std::vector<Thread> threads_;
  std::vector<Exchanged> shuffle_;
  ucontext_t scheduler_{};
  unsigned current_ = 0;
};

EmulatedBlock emulated_block;

void EmulatedBlock::enter() {
  emulated_block.body_();
  emulated_block.threads_[emulated_block.current_].done = true;
}

}  // namespace

static void __syncthreads() {
  emulated_block.barrier();
}
static double __shfl_down_sync(unsigned, double value, int distance) {
  return emulated_block.shuffle_down(value, distance);
}
namespace underdamp {
template <class Value>
Value of_lane(const Value& value, int lane) {
  return emulated_block.of_lane(value, static_cast<unsigned>(lane));
}
}  // namespace underdamp

namespace underdamp::testing {
namespace {

long graph_launches = 0;
std::set<std::string> launched;

/// Launches with the pointers and numbers that they were given when they were recorded, like those of a CUDA graph.
using EmulatedGraph = std::vector<std::function<void()>>;

/// The launches of CudaLauncher, block after block.
template <class T>
class EmulatedLauncher {
 public:
  using Real = T;
  using Wide = WidePack<Real>;
  using Scalar = ScalarPack<Real>;
  template <class Element>
  using Array = HostArray<Element>;
  static constexpr int lane_choices[2] = {Wide::width, Scalar::width};
  static constexpr int block_lanes = 1;
  static constexpr bool cascades = false;
  static constexpr unsigned threads = 64;

  DeviceDescription describe() const { return {DeviceKind::cuda, "emulated GPU", 1, 0}; }
  struct Range {
    explicit Range(const char*) {}
  };
  void begin() const {}
  void begin_apart() const { target_.require_no_recording(); }
  void synchronize() const {}
  void synchronize_each(bool) const {}

  template <class Element>
  void upload(const Element* from, std::size_t count, Element* to) const {
    if (count > 0) std::memcpy(to, from, count * sizeof(Element));
  }
  template <class Element>
  void download(const Element* from, std::size_t count, Element* to) const {
    upload(from, count, to);
  }
  template <class Element>
  void copy(const Element* from, std::size_t count, Element* to) const {
    queue([=] { std::memcpy(to, from, count * sizeof(Element)); });
  }
  template <class Element>
  void zero(Element* to, std::size_t count) const {
    queue([=] { std::memset(to, 0, count * sizeof(Element)); });
  }

  void reserve_drift_target(std::size_t cells) { target_.reserve(cells); }
  Real* drift_target(const HostArray<Real>& cells) { return target_.of(cells); }
  void finish_drift(HostArray<Real>& cells) { target_.finish(cells); }

  struct Graph {
    std::shared_ptr<EmulatedGraph> launches;
    explicit operator bool() const { return launches != nullptr; }
  };
  using Recording = underdamp::Recording<Graph>;
  void replay(Recording& recording, const std::function<void()>& operations) {
    recording.replay(*this, target_, operations);
  }
  void launch(const Graph& graph) const {
    ++graph_launches;
    for (const auto& work : *graph.launches) work();
  }
  Graph record(const std::function<void()>& operations) const {
    Graph graph{std::make_shared<EmulatedGraph>()};
    recorded_ = graph.launches.get();
    try {
      operations();
    } catch (...) {
      recorded_ = nullptr;
      throw;
    }
    recorded_ = nullptr;
    return graph;
  }

  struct MatrixHandle {};
  void prepare(const CsrView&, MatrixHandle&) const {}
  void multiply(const CsrView& matrix, const MatrixHandle&, const double* x, double* y) const {
    for_each_value("multiply", static_cast<std::size_t>(matrix.rows), MultiplyRow{matrix, x, y});
  }

  template <class Body>
  void for_each_line(const char* name, long lines, const Body& body) const {
    launched.insert(name);
    queue([=] {
      for (long l = 0; l < lines; ++l) {
        emulated_block.run(threads, 1, [&] {
          CudaLine line;
          body(line, l);
        });
      }
    });
  }

  /// As if shared memory were small, so that both packs occur.
  bool bundle_fits(int arrays, int lanes, int cells, int margin) const {
    return arrays * lanes * (cells + 2 * margin) < 1000;
  }

  template <class Body>
  void for_each_bundle(const char* name, long bundles, int lanes, int cells, int margin, const Body& body) const {
    launched.insert(name);
    queue([=, this] {
      lanes == Wide::width ? run_bundles<Wide>(bundles, cells, margin, body)
                           : run_bundles<Scalar>(bundles, cells, margin, body);
    });
  }

  template <class Body>
  void for_each_column_group(const char* name, const ColumnSource<Real>& source, const Body& body) const {
    launched.insert(name);
    queue([=, this] {
      const bool wide = source.runs.lanes % Wide::width == 0;
      if (source.by_run) {
        wide ? run_runs<Wide>(source, body) : run_runs<Scalar>(source, body);
      } else {
        wide ? run_columns<Wide>(source, body) : run_columns<Scalar>(source, body);
      }
    });
  }

  template <class Body>
  void for_each_block(const char* name, long blocks, const BlockShape& shape, const Body& body) const {
    launched.insert(name);
    queue([=] {
      HostArray<Real> memory;
      const std::size_t size = CudaBlock<Real>::scratch_size(shape, Body::scratch_arrays);
      memory.resize(size);
      for (long b = 0; b < blocks; ++b) {
        std::fill(memory.data(), memory.data() + size, std::numeric_limits<Real>::quiet_NaN());
        emulated_block.run(threads, 1, [&] {
          CudaBlock<Real> block(memory.data(), shape);
          body(block, b);
        });
      }
    });
  }

  template <class Body>
  void for_each_segment(const char* name, const FieldShape& shape, const Body& body) const {
    launched.insert(name);
    queue([=] {
      for (int plane = 0; plane < shape.planes; ++plane) {
        for (int row = 0; row < shape.theta_cells; row += segment_rows) {
          for (int column = 0; column < shape.velocity_cells; ++column) {
            body.template operator()<Scalar>(plane, column, row, std::min(row + segment_rows, shape.theta_cells), 1);
          }
        }
      }
    });
  }

  template <class Body>
  void for_each_column(const char* name, long columns, const Body& body) const {
    launched.insert(name);
    queue([=] {
      for (long c = 0; c < columns; ++c) body(c);
    });
  }

  template <class Body>
  void for_each_result(const char* name, long count, const Body& body) const {
    launched.insert(name);
    queue([=] {
      // Threads of a block that wait for each other are slow: where there is little to do they are followed.
      constexpr long most_parts = 64;
      for (long number = 0; number < count; ++number) {
        if (body.size(number) > most_parts) {
          reduce(body, number);
        } else {
          emulated_block.run(warp_threads, 1, [&] { reduce_by_warp(body, number, static_cast<int>(threadIdx.x)); });
        }
      }
    });
  }

  template <class Body>
  void for_each_value(const char* name, std::size_t count, const Body& body) const {
    launched.insert(name);
    queue([=] {
      for (std::size_t k = 0; k < count; ++k) body(k);
    });
  }

 private:
  /// At once, or when what is being recorded is launched.
  template <class Work>
  void queue(const Work& work) const {
    if (recorded_ == nullptr) {
      work();
    } else {
      recorded_->push_back(work);
    }
  }

  template <class Pack, class Body>
  void run_bundles(long bundles, int cells, int margin, const Body& body) const {
    const int stride = (cells + 2 * margin + 1) * Pack::width;
    const int size = Body::scratch_arrays * stride;
    // Shared memory holds anything at first: not-a-number shows what is read before it was written.
    HostArray<Real> memory;
    memory.resize(static_cast<std::size_t>(size));
    for (long b = 0; b < bundles; ++b) {
      std::fill(memory.data(), memory.data() + size, std::numeric_limits<Real>::quiet_NaN());
      emulated_block.run(threads, 1, [&] {
        CudaBundle<Pack> bundle(memory.data(), size, stride);
        body(bundle, b);
      });
    }
  }

  template <class Pack, class Body>
  void run_columns(const ColumnSource<Real>& source, const Body& body) const {
    for (int run = 0; run < source.runs.runs; ++run) {
      for (int row = 0; row < source.runs.cells; row += column_strip_rows) {
        for (int column = 0; column < source.runs.lanes; column += Pack::width) {
          CudaColumns<Pack> columns(source, run, column, row, nullptr);
          body(columns);
        }
      }
    }
  }

  template <class Pack, class Body>
  void run_runs(const ColumnSource<Real>& source, const Body& body) const {
    for (long run = 0; run < source.runs.runs; ++run) {
      emulated_block.run(4, 2, [&] {
        RunTally tally;
        sweep_run<Pack>(body, source, run, tally);
        settle_run(tally, run);
      });
    }
  }

  DriftTarget<HostArray<Real>> target_;
  mutable EmulatedGraph* recorded_ = nullptr;
};

}  // namespace

long emulated_graph_launches() {
  return graph_launches;
}

const std::set<std::string>& emulated_launches() {
  return launched;
}

std::unique_ptr<Backend> make_emulated_backend(Precision precision) {
  if (precision == Precision::float32) {
    return std::make_unique<BackendOf<EmulatedLauncher<float>>>(std::make_unique<EmulatedLauncher<float>>());
  }
  return std::make_unique<BackendOf<EmulatedLauncher<double>>>(std::make_unique<EmulatedLauncher<double>>());
}

}  // namespace underdamp::testing
