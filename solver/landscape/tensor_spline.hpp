#pragma once
#include <memory>
#include <string>
#include <vector>

#include "solver/io/csv.hpp"
#include "solver/landscape/surface.hpp"

namespace underdamp {

/// The tensor product of cubic not-a-knot splines through values on a grid: `knots` of each axis, at least four,
/// strictly increasing; `values` with the last axis fastest. Value, gradient and Hessian are its own, exactly; beyond
/// the grid it goes on as its tangent plane, but a density never gets there, the box ends with the grid.
std::unique_ptr<Surface> make_tensor_spline(std::vector<std::vector<double>> knots, std::vector<double> values,
                                            const std::string& description);

/// The same through columns of a CSV file whose rows are the points of a regular grid, in any order: `axes` are the
/// columns of the coordinates, one surface for each of `columns`. Throws SpecError naming file and lines: points that
/// are missing or there twice, fewer than four along an axis, more than most_spline_points.
std::vector<std::shared_ptr<const Surface>> make_surface_tables(const CsvTable& table,
                                                                const std::vector<std::string>& axes,
                                                                const std::vector<std::string>& columns);

}  // namespace underdamp
