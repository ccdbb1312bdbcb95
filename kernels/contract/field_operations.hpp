#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "kernels/contract/device_object.hpp"
#include "meshes/field_shape.hpp"
#include "meshes/field_size.hpp"

namespace underdamp {

/// Density of every cell of a batch of planes in the precision of the backend, with the mass that left through each
/// wall.
class Field : public DeviceObject {
 public:
  const FieldShape& shape() const { return shape_; }

 protected:
  Field(const void* maker, const FieldShape& shape) : DeviceObject(maker), shape_(shape) {}

 private:
  FieldShape shape_;
};

/// Through the two walls of an axis.
struct ThroughWalls {
  double lower = 0.0;
  double upper = 0.0;
};

/// Σ p over the cells that left through each wall of one plane, by axis, and what clipping created; times cell area:
/// probability.
struct Departed {
  std::array<ThroughWalls, most_parameters> theta{};
  std::array<ThroughWalls, most_parameters> velocity{};
  double created = 0.0;

  double total() const {
    double sum = 0.0;
    for (const auto* const axes : {&theta, &velocity}) {
      for (const ThroughWalls& axis : *axes) {
        sum += axis.lower;
        sum += axis.upper;
      }
    }
    return sum;
  }
  /// All of it times a factor, such as the area of a cell.
  Departed times(double factor) const {
    Departed result = *this;
    for (auto* const axes : {&result.theta, &result.velocity}) {
      for (ThroughWalls& axis : *axes) axis = {axis.lower * factor, axis.upper * factor};
    }
    result.created *= factor;
    return result;
  }
};

/// Fields of a device, whole ones: taken, filled, read, copied.
class FieldOperations {
 public:
  virtual ~FieldOperations() = default;

  /// Throws Error (device) if the device has not enough memory, with the sizes.
  virtual std::unique_ptr<Field> allocate(const FieldShape& shape) = 0;
  /// `values`: shape.cells() numbers in the order of FieldView. Resets the departed mass.
  virtual void upload(std::span<const double> values, Field& field) = 0;
  void download(const Field& field, std::span<double> values) {
    download_planes(field, 0, field.shape().planes, values);
  }
  /// Planes first … first + count − 1 of it alone.
  virtual void download_planes(const Field& field, int first, int count, std::span<double> values) = 0;
  /// With all that has departed and that clipping has created.
  virtual void copy(const Field& from, Field& to) = 0;
  virtual void fill_zero(Field& field) = 0;

  /// Multiplies each plane by a factor and forgets what clipping created.
  virtual void absorb_created(Field& field, std::span<const double> factor) = 0;

  virtual std::vector<Departed> departed(const Field& field) = 0;
  /// What departed() adds up, number by number: with download() the whole state of a field.
  virtual std::vector<double> departed_parts(const Field& field) = 0;
  /// Puts them back, after upload(). Throws Error (bad_input) if their number is not that of such a field.
  virtual void restore_departed(std::span<const double> parts, Field& field) = 0;
};

}  // namespace underdamp
