#include "solver/stationary/nested_dissection.hpp"

#include <algorithm>

namespace underdamp {
namespace {

/// Cells that are ordered together.
struct Block {
  int theta_begin;
  int theta_end;
  int velocity_begin;  ///< of rows; of those above the middle, if the block is folded
  int velocity_end;
  bool is_folded;      ///< the rows of −v belong to it too
  int lower_zone = 0;  ///< columns at a mirror, as in ConnectedGrid, where the block reaches it
  int upper_zone = 0;

  int theta() const { return theta_end - theta_begin; }
  int velocity() const { return velocity_end - velocity_begin; }
  Block between_columns(int begin, int end) const {
    return {begin,
            end,
            velocity_begin,
            velocity_end,
            is_folded,
            begin == theta_begin ? lower_zone : 0,
            end == theta_end ? upper_zone : 0};
  }
  Block between_rows(int begin, int end) const {
    return {theta_begin, theta_end, begin, end, is_folded, lower_zone, upper_zone};
  }
};

class Dissection {
 public:
  explicit Dissection(const ConnectedGrid& grid) : grid_(grid) {}

  std::vector<int> order() && {
    // A circle is opened by one more separator.
    const int cut = grid_.is_periodic ? grid_.theta_reach : 0;
    const bool is_folded = grid_.lower_zone > 0 || grid_.upper_zone > 0;
    split({cut, grid_.theta_cells, is_folded ? grid_.velocity_cells / 2 : 0, grid_.velocity_cells, is_folded,
           grid_.lower_zone, grid_.upper_zone});
    take({0, cut, 0, grid_.velocity_cells, false});
    return std::move(order_);
  }

 private:
  void take(const Block& b) {
    const auto cell = [&](int i, int j) {
      const int mirrored = grid_.velocity_cells - 1 - j;
      order_.push_back(i * grid_.velocity_cells + j);
      if (b.is_folded && mirrored != j) order_.push_back(i * grid_.velocity_cells + mirrored);
    };
    if (b.lower_zone > 0 || b.upper_zone > 0) {  // all that a mirror connects one after another
      for (int j = b.velocity_begin; j < b.velocity_end; ++j) {
        for (int i = b.theta_begin; i < b.theta_end; ++i) cell(i, j);
      }
      return;
    }
    for (int i = b.theta_begin; i < b.theta_end; ++i) {
      for (int j = b.velocity_begin; j < b.velocity_end; ++j) cell(i, j);
    }
  }

  /// Away from the mirrors v and −v have nothing to do with each other, unless the middle connects them.
  void unfold(Block b) {
    b.is_folded = false;
    const int mirrored_begin = grid_.velocity_cells - b.velocity_end;
    const int mirrored_end = grid_.velocity_cells - b.velocity_begin;
    if (mirrored_end + grid_.velocity_reach <= b.velocity_begin) {
      split(b);
      split(b.between_rows(mirrored_begin, mirrored_end));
    } else {
      split(b.between_rows(mirrored_begin, b.velocity_end));
    }
  }

  void split(const Block& b) {
    if (b.is_folded && b.lower_zone == 0 && b.upper_zone == 0) return unfold(b);
    // Where the separator can begin.
    const int first = b.theta_begin + b.lower_zone;
    const int last = b.theta_end - b.upper_zone - grid_.theta_reach;
    const bool is_one_zone = first > last;
    constexpr int leaf = 12;  // smaller blocks gain nothing
    constexpr int zone_leaf = 6;
    if (is_one_zone ? b.velocity() <= zone_leaf : b.velocity() <= leaf && b.theta() <= leaf) return take(b);
    // The shorter separator, counted in cells.
    if (!is_one_zone && b.velocity() * grid_.theta_reach <= b.theta() * grid_.velocity_reach) {
      const int middle = std::clamp(b.theta_begin + (b.theta() - grid_.theta_reach) / 2, first, last);
      split(b.between_columns(b.theta_begin, middle));
      split(b.between_columns(middle + grid_.theta_reach, b.theta_end));
      take(b.between_columns(middle, middle + grid_.theta_reach));
    } else {
      const int middle = b.velocity_begin + (b.velocity() - grid_.velocity_reach) / 2;
      split(b.between_rows(b.velocity_begin, middle));
      split(b.between_rows(middle + grid_.velocity_reach, b.velocity_end));
      take(b.between_rows(middle, middle + grid_.velocity_reach));
    }
  }

  ConnectedGrid grid_;
  std::vector<int> order_;
};

}  // namespace

std::vector<int> nested_dissection(const ConnectedGrid& grid) {
  return Dissection(grid).order();
}

}  // namespace underdamp
