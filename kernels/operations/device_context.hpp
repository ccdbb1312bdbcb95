#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/contract/backend.hpp"
#include "meshes/error.hpp"
#include "meshes/field_view.hpp"

/// What all operations of a device share. A Launcher supplies memory and loops of one device:
///
///   Launcher::Real                              type of the density and of the sweeps: double or float
///   Launcher::Array<T>                          memory of the device: resize (true if it grows), data, size
///   Range(name)                                 region of a profiler that ends with it
///   begin(), begin_apart()                      first of every operation; the second of those that no recording holds
///   upload(src, n, T* dst), download(src, n, dst), copy(src, n, dst), zero(dst, n)
///   lane_choices, cascades                      lines of a bundle, the best choice first; see convolution_with
///   bundle_fits(arrays, lanes, cells, margin)   has the device the scratch for a bundle?
///   for_each_line(name, lines, body)            body(Line&, l)
///   for_each_bundle(name, bundles, lanes, cells, margin, body)  body(Bundle&, b)
///   block_lanes                                 lanes of the packs of a block
///   for_each_block(name, blocks, shape, body)   body(Block&, b), `shape` that of the scratch
///   for_each_column_group(name, rows, body)     body(Columns&), `rows` being the ColumnSource of the sweep
///   for_each_segment(name, shape, body)         body.template operator()<P>(plane, column, begin, end, lanes)
///   for_each_column(name, columns, body)        body(column)
///   for_each_value(name, count, body)           body(position)
///   for_each_result(name, count, body)          body is a reduction (bodies/reduction.hpp)
///   MatrixHandle, prepare(csr, handle), multiply(csr, handle, x, y)   y = A x
///   drift_target(array), finish_drift(array)    where a drift sweep writes, and how that becomes the field
///   reserve_drift_target(cells)                 so that a recording meets no allocation
///   Recording, replay(recording, operations)    operations queued as one
///   synchronize(), synchronize_each(bool)
namespace underdamp {

inline void require_same(const FieldShape& a, const FieldShape& b) {
  require(a == b, "an operation was given fields of different shapes");
}
inline void require_size(std::size_t size, std::size_t wanted) {
  require(size == wanted, "an operation was given a list of the wrong length");
}
inline void require_levels(std::size_t levels, std::size_t coefficients) {
  require(levels >= 1 && levels <= maximum_levels, "a combination has from one to six levels");
  require_size(coefficients, levels);
}
inline std::size_t as_size(long count) {
  return static_cast<std::size_t>(count);
}

/// Cells with a margin that a pack may read beyond the last one; and what departed: through θ_min and θ_max by column,
/// through v_min and v_max by line, and what clipping created, by line and by segment and column.
template <class Launcher>
struct DeviceField final : Field {
  using Real = typename Launcher::Real;

  DeviceField(const void* maker, const FieldShape& s) : Field(maker, s), size(s) {}
  FieldSize size;
  typename Launcher::template Array<Real> cell_memory;
  typename Launcher::template Array<double> departed_memory;

  std::size_t columns() const { return as_size(shape().columns()); }
  std::size_t lines() const { return as_size(shape().lines()); }
  Real* cells() const { return cell_memory.data(); }
  double* departed() const { return departed_memory.data(); }
  /// Through the walls of θ_k, by column or run …
  double* left_below(int k = 0) const { return departed() + size.of_theta[as_size(k)]; }
  double* left_above(int k = 0) const { return left_below(k) + size.slots[as_size(k)]; }
  /// … and of v_k, by line.
  double* left_lower(int k = 0) const { return departed() + size.of_velocity[as_size(k)]; }
  double* left_upper(int k = 0) const { return left_lower(k) + lines(); }
  double* created_in_lines() const { return departed() + size.of_created; }
  double* created_in_segments() const { return created_in_lines() + lines(); }
  FieldView<Real> view() const { return {cells(), shape().theta_cells, shape().velocity_cells}; }
  FieldView<const Real> const_view() const { return {cells(), shape().theta_cells, shape().velocity_cells}; }
};

template <class Launcher>
class DeviceContext {
 public:
  using Real = typename Launcher::Real;
  template <class T>
  using Array = typename Launcher::template Array<T>;
  using FieldOfDevice = DeviceField<Launcher>;

  explicit DeviceContext(std::unique_ptr<Launcher> launcher) : launcher_(std::move(launcher)) {}
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  Launcher& launcher() const { return *launcher_; }
  void observe(DeviceObserver observer) { observer_ = std::move(observer); }

  /// One operation, from its first line to its last.
  class Scope {
   public:
    Scope(DeviceContext& context, const char* name) : context_(context), outer_(context.operation_), range_(name) {
      context_.operation_ = name;
    }
    ~Scope() { context_.operation_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    /// The operation has done its work; `changed`: the field that is another now.
    void done(Field* changed = nullptr) const { context_.tell(DeviceEvent::Kind::done, 0, changed); }

   private:
    DeviceContext& context_;
    const char* outer_;
    typename Launcher::Range range_;
  };
  /// Of an operation that a recorded sequence may hold.
  [[nodiscard]] Scope begin(const char* name) {
    launcher_->begin();
    tell_of(name);
    return Scope(*this, name);
  }
  /// Of one that it may not.
  [[nodiscard]] Scope begin_apart(const char* name) {
    launcher_->begin_apart();
    tell_of(name);
    return Scope(*this, name);
  }

  // Memory, of which observers are told.
  template <class T>
  void resize(Array<T>& array, std::size_t count) {
    if (array.resize(count)) tell(DeviceEvent::Kind::allocated, count * sizeof(T));
  }
  template <class T>
  void upload(const T* from, std::size_t count, T* to) {
    launcher_->upload(from, count, to);
    tell(DeviceEvent::Kind::uploaded, count * sizeof(T));
  }
  template <class T>
  void download(const T* from, std::size_t count, T* to) {
    launcher_->download(from, count, to);
    tell(DeviceEvent::Kind::downloaded, count * sizeof(T));
  }
  template <class T>
  void send(const std::vector<T>& from, Array<T>& to) {
    resize(to, from.size());
    upload(from.data(), from.size(), to.data());
  }
  template <class T>
  std::vector<T> received(const Array<T>& from, std::size_t count) {
    std::vector<T> values(count);
    download(from.data(), count, values.data());
    return values;
  }

  // What this device has made.
  template <class Made>
  Made& own(DeviceObject& object) const {
    require(object.maker() == this, "an operation was given what another backend has made");
    return static_cast<Made&>(object);
  }
  template <class Made>
  const Made& own(const DeviceObject& object) const {
    return own<Made>(const_cast<DeviceObject&>(object));
  }
  FieldOfDevice& device(Field& field) const { return own<FieldOfDevice>(field); }
  const FieldOfDevice& device(const Field& field) const { return own<FieldOfDevice>(field); }
  /// The plan of an operation on fields of its shape.
  template <class Plan>
  const Plan& plan_for(const DeviceObject& object, const FieldShape& shape) const {
    const Plan& plan = own<Plan>(object);
    require(plan.shape == shape, "the plan of an operation is for fields of another shape");
    return plan;
  }

  /// Quadrature weights of the rows of a plane on the device; null where all are 1.
  const double* row_weights(const PhaseMesh& mesh) {
    if (!mesh.walls().any_pressed()) return nullptr;
    send(theta_weights(mesh), row_weights_);
    return row_weights_.data();
  }

 private:
  void tell(DeviceEvent::Kind kind, std::size_t bytes, Field* changed = nullptr) const {
    if (observer_) observer_({kind, operation_, bytes, changed});
  }
  void tell_of(const char* name) const {
    if (observer_) observer_({DeviceEvent::Kind::begun, name});
  }

  std::unique_ptr<Launcher> launcher_;
  DeviceObserver observer_;
  const char* operation_ = "";
  Array<double> row_weights_;
};

}  // namespace underdamp
