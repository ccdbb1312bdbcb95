#pragma once
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/bodies/column_source.hpp"
#include "kernels/bodies/csr_product.hpp"
#include "kernels/bodies/extrapolation.hpp"
#include "kernels/bodies/reduction.hpp"
#include "kernels/host/flush_to_zero.hpp"
#include "kernels/host/host_array.hpp"
#include "kernels/host/host_block.hpp"
#include "kernels/host/host_bundle.hpp"
#include "kernels/host/host_columns.hpp"
#include "kernels/host/host_line.hpp"
#include "kernels/host/host_workers.hpp"
#include "kernels/operations/device_context.hpp"

namespace underdamp {

/// Loops of the host: every worker takes a contiguous share of the lines and has its own scratch.
template <class T>
class HostLauncher {
 public:
  using Real = T;
  using Pack = HostPack<Real>;
  template <class Element>
  using Array = HostArray<Element>;

  static constexpr int lane_choices[1] = {Pack::width};  ///< lines of a bundle
  static constexpr int block_lanes = Pack::width;        ///< of the packs of a block of velocities
  static constexpr bool cascades = true;                 ///< dilated kernels cost less than wide ones

  explicit HostLauncher(std::unique_ptr<HostWorkers> workers)
      : workers_(std::move(workers)), scratch_(static_cast<std::size_t>(workers_->count())) {}

  DeviceDescription describe() const {
    return {DeviceKind::host, "host: " + workers_->name(), workers_->count(), host_memory_bytes(), host_cache_bytes()};
  }
  /// Kokkos is told the names of loops.
  struct Range {
    explicit Range(const char*) {}
  };
  void begin() const {}
  void begin_apart() const {}
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
    share("copy", static_cast<long>(count), [=](int, long begin, long end) {
      std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin) * sizeof(Element));
    });
  }
  template <class Element>
  void zero(Element* to, std::size_t count) const {
    share("zero", static_cast<long>(count), [=](int, long begin, long end) {
      std::memset(to + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(Element));
    });
  }

  void reserve_drift_target(std::size_t) const {}
  Real* drift_target(HostArray<Real>& cells) const { return cells.data(); }
  void finish_drift(HostArray<Real>&) const {}

  struct Recording {};
  void replay(Recording&, const std::function<void()>& operations) const { operations(); }

  struct MatrixHandle {};
  void prepare(const CsrView&, MatrixHandle&) const {}
  void multiply(const CsrView& matrix, const MatrixHandle&, const double* x, double* y) const {
    for_each_value("multiply", static_cast<std::size_t>(matrix.rows), MultiplyRow{matrix, x, y});
  }

  template <class Body>
  void for_each_line(const char* name, long lines, const Body& body) const {
    share(name, lines, [&](int, long begin, long end) {
      HostLine line;
      for (long l = begin; l < end; ++l) body(line, l);
    });
  }

  bool bundle_fits(int, int, int, int) const { return true; }

  template <class Body>
  void for_each_bundle(const char* name, long bundles, int, int cells, int margin, const Body& body) {
    const std::size_t stride = HostBundle<Real>::scratch_size(cells, margin);
    reserve_scratch(Body::scratch_arrays * stride);
    share(name, bundles, [&](int worker, long begin, long end) {
      HostBundle<Real> bundle(scratch_[static_cast<std::size_t>(worker)].data(), stride);
      for (long b = begin; b < end; ++b) body(bundle, b);
    });
  }

  template <class Body>
  void for_each_block(const char* name, long blocks, const BlockShape& shape, const Body& body) {
    reserve_scratch(HostBlock<Real>::scratch_size(shape, Body::scratch_arrays));
    share(name, blocks, [&](int worker, long begin, long end) {
      HostBlock<Real> block(scratch_[static_cast<std::size_t>(worker)].data(), shape, Body::scratch_arrays);
      for (long b = begin; b < end; ++b) body(block, b);
    });
  }

  template <class Body>
  void for_each_column_group(const char* name, const ColumnSource<Real>& source, const Body& body) {
    using Columns = HostColumns<Real, Body::stencil>;
    const ThetaRuns& runs = source.runs;
    reserve_scratch(Columns::scratch_size(runs.cells));
    const int all_packs = (runs.lanes + Pack::width - 1) / Pack::width;
    const long share_of_worker = all_packs * runs.runs / (4 * workers_->count());
    const auto packs = static_cast<int>(std::clamp<long>(share_of_worker, 1, Columns::most_packs));
    const int groups = (all_packs + packs - 1) / packs;
    // What leaves is counted by run: the groups of one go to one worker then.
    const int together = source.by_run ? groups : 1;
    share(name, runs.runs * groups / together, [&](int worker, long begin, long end) {
      for (long g = begin * together; g < end * together; ++g) {
        Columns columns(scratch_[static_cast<std::size_t>(worker)].data(), source, g / groups,
                        static_cast<int>(g % groups) * packs * Pack::width, packs);
        body(columns);
      }
    });
  }

  template <class Body>
  void for_each_segment(const char* name, const FieldShape& shape, const Body& body) const {
    const int groups = (shape.velocity_cells + Pack::width - 1) / Pack::width;
    const int segments = (shape.theta_cells + segment_rows - 1) / segment_rows;
    share(name, static_cast<long>(shape.planes) * segments, [&](int, long begin, long end) {
      for (long s = begin; s < end; ++s) {
        const int plane = static_cast<int>(s / segments);
        const int row = static_cast<int>(s % segments) * segment_rows;
        const int stop = row + segment_rows < shape.theta_cells ? row + segment_rows : shape.theta_cells;
        for (int g = 0; g < groups; ++g) {
          const int column = g * Pack::width;
          body.template operator()<Pack>(plane, column, row, stop,
                                         std::min(shape.velocity_cells - column, Pack::width));
        }
      }
    });
  }

  template <class Body>
  void for_each_column(const char* name, long columns, const Body& body) const {
    share(name, columns, [&](int, long begin, long end) {
      for (long c = begin; c < end; ++c) body(c);
    });
  }

  /// A reduction.
  template <class Body>
  void for_each_result(const char* name, long count, const Body& body) const {
    share(name, count, [&](int, long begin, long end) {
      for (long number = begin; number < end; ++number) reduce(body, number);
    });
  }

  template <class Body>
  void for_each_value(const char* name, std::size_t count, const Body& body) const {
    share(name, static_cast<long>(count), [&](int, long begin, long end) {
      for (long k = begin; k < end; ++k) body(static_cast<std::size_t>(k));
    });
  }

 private:
  /// Runs body(worker, begin, end) over contiguous shares of [0, count). Denormal numbers count as zero meanwhile: the
  /// far tails of a density are full of them and each costs a hundred cycles.
  template <class Body>
  void share(const char* name, long count, const Body& body) const {
    const int workers = workers_->count();
    workers_->run(name, [=, &body](int worker) {
      const FlushToZero scope;
      const long begin = count * worker / workers;
      const long end = count * (worker + 1) / workers;
      if (begin < end) body(worker, begin, end);
    });
  }

  void reserve_scratch(std::size_t count) {
    for (HostArray<Real>& scratch : scratch_) {
      if (scratch.size() < count) scratch.resize(count);
    }
  }

  std::unique_ptr<HostWorkers> workers_;
  std::vector<HostArray<Real>> scratch_;
};

}  // namespace underdamp
