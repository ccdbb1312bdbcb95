#pragma once
#include <span>
#include <vector>

#include "meshes/phase_mesh.hpp"

namespace underdamp {

/// How a field goes on beyond the first and the last cell of an axis.
enum class Beyond {
  nothing,   ///< it is 0 there
  smoothly,  ///< as a polynomial
  around,    ///< the axis is a circle
};

/// Values of a field, in the order of FieldView, at the cell centres of another grid: polynomials of eleventh degree
/// through twelve neighbours along each axis.
std::vector<double> resampled(std::span<const double> values, const PhasePlane& from, const PhasePlane& to,
                              Beyond theta = Beyond::nothing, Beyond velocity = Beyond::nothing);

}  // namespace underdamp
