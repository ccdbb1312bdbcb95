#pragma once
#include <vector>

#include "solver/displacement/displacement_curve.hpp"
#include "solver/displacement/moment_sums.hpp"
#include "solver/model/scaled_plane.hpp"

/// What is read off propagated fields: from their sums to samples of a displacement (docs/method.md, section 15).
namespace underdamp {

/// Fields of one plane at the start: p, (x − c) p and (y − ȳ) p.
struct StartFields {
  std::vector<double> density;
  std::vector<double> position;
  std::vector<double> velocity;
  double center = 0.0;
};

StartFields start_fields(const ScaledPlane& s, const std::vector<double>& density);

/// Sums over the fields of one plane at one time; of p and (y − ȳ) p only if they are propagated.
struct FieldSums {
  MomentSums position;
  MomentSums density;
  MomentSums velocity;
};

/// Turns sums into samples: from units in which a window is 1 into those of the plane.
class Sampler {
 public:
  Sampler(bool is_stationary, bool is_map, double unit, const FieldSums& start);

  const CurveSample& first() const { return last_; }

  /// The sample at `time` (in windows), later than the last.
  CurveSample next(double time, const FieldSums& sums, bool is_slow);

 private:
  double size(const FieldSums& sums) const;
  double direct_displacement(const FieldSums& sums) const;
  double map_increment(const FieldSums& sums) const;
  CurveSample rates(double time, const FieldSums& sums) const;

  bool is_stationary_;
  bool is_map_;
  double unit_;
  FieldSums start_;
  CurveSample last_;
};

}  // namespace underdamp
