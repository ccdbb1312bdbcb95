#include <vector>

#include <gtest/gtest.h>

#include "meshes/cell_index.hpp"
#include "meshes/field_view.hpp"

namespace underdamp {
namespace {

PhaseMesh two_planes() {
  return PhaseMesh(std::vector<PhasePlane>{{{-1.0, 1.0, 20}, {-2.0, 2.0, 16}}, {{0.0, 4.0, 20}, {-1.0, 1.0, 16}}});
}

TEST(CellIndex, ByHand) {
  const CellIndex cell(two_planes());
  EXPECT_EQ(cell.cells(), 320U);
  EXPECT_EQ(cell(3, 5), 53U);
  EXPECT_EQ(cell(1, 3, 5), 373U);
  EXPECT_EQ(cell.line(1, 3), 23U);
  EXPECT_EQ(cell.plane(373), 1U);
  EXPECT_EQ(cell.row(373), 3U);
  EXPECT_EQ(cell.column(373), 5U);
}

TEST(CellIndex, IsTheOrderOfFieldView) {
  const PhaseMesh mesh = two_planes();
  const CellIndex cell(mesh);
  std::vector<double> values(mesh.shape().cells());
  const FieldView<double> view{values.data(), mesh.theta_cells(), mesh.velocity_cells()};
  for (int p = 0; p < 2; ++p) {
    for (int i = 0; i < 20; ++i) {
      for (int j = 0; j < 16; ++j) {
        const std::size_t k = cell(p, i, j);
        EXPECT_EQ(view.line(static_cast<long>(cell.line(p, i))) + j, values.data() + k);
        EXPECT_EQ(view.column(p, j) + static_cast<std::ptrdiff_t>(16 * i), values.data() + k);
        EXPECT_EQ(cell(cell.plane(k), cell.row(k), cell.column(k)), k);
      }
    }
  }
}

TEST(CellIndex, CountsBeyondThirtyTwoBits) {
  const CellIndex cell(FieldShape{100, 16384, 16384});
  EXPECT_EQ(cell(99, 16383, 16383), 26'843'545'599U);
  EXPECT_EQ(cell.plane(26'843'545'599L), 99U);
}

TEST(PlaceText, NamesPlaneCellAndCoordinates) {
  EXPECT_EQ(place_text(two_planes(), 1, {3, 0}), "plane 2, cell (3, 0), theta = 0.7, v = -0.9375");
}

}  // namespace
}  // namespace underdamp
