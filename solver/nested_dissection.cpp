#include "solver/nested_dissection.hpp"

namespace underdamp {
namespace {

struct Block {
  int theta_begin;
  int theta_end;
  int velocity_begin;
  int velocity_end;

  int theta() const { return theta_end - theta_begin; }
  int velocity() const { return velocity_end - velocity_begin; }
};

class Dissection {
 public:
  explicit Dissection(const ConnectedGrid& grid) : grid_(grid) {}

  std::vector<int> order() && {
    const int cut = grid_.is_periodic ? grid_.theta_reach : 0;
    const int reach = grid_.theta_reach;
    const int lower = grid_.lower_mirror_rows;
    const int upper = grid_.upper_mirror_rows;
    // Rows next to a mirror, in their own order, and the strips that separate them from the others.
    const int begin = lower > 0 ? lower + reach : cut;
    const int end = grid_.theta_cells - (upper > 0 ? upper + reach : 0);
    if (end <= begin) {
      take({0, grid_.theta_cells, 0, grid_.velocity_cells});
      return std::move(order_);
    }
    split({begin, end, 0, grid_.velocity_cells});
    split_mirror({0, lower, 0, (grid_.velocity_cells + 1) / 2});
    split_mirror({grid_.theta_cells - upper, grid_.theta_cells, 0, (grid_.velocity_cells + 1) / 2});
    take({lower, begin, 0, grid_.velocity_cells});
    take({end, grid_.theta_cells - upper, 0, grid_.velocity_cells});
    return std::move(order_);
  }

 private:
  void take(const Block& b) {
    for (int i = b.theta_begin; i < b.theta_end; ++i) {
      for (int j = b.velocity_begin; j < b.velocity_end; ++j) order_.push_back(i * grid_.velocity_cells + j);
    }
  }

  void split(const Block& b) {
    constexpr int leaf = 12;  // smaller blocks gain nothing
    if (b.theta() <= leaf && b.velocity() <= leaf) {
      take(b);
      return;
    }
    // The shorter separator, counted in cells.
    if (b.velocity() * grid_.theta_reach <= b.theta() * grid_.velocity_reach) {
      const int middle = b.theta_begin + (b.theta() - grid_.theta_reach) / 2;
      split({b.theta_begin, middle, b.velocity_begin, b.velocity_end});
      split({middle + grid_.theta_reach, b.theta_end, b.velocity_begin, b.velocity_end});
      take({middle, middle + grid_.theta_reach, b.velocity_begin, b.velocity_end});
    } else {
      const int middle = b.velocity_begin + (b.velocity() - grid_.velocity_reach) / 2;
      split({b.theta_begin, b.theta_end, b.velocity_begin, middle});
      split({b.theta_begin, b.theta_end, middle + grid_.velocity_reach, b.velocity_end});
      take({b.theta_begin, b.theta_end, middle, middle + grid_.velocity_reach});
    }
  }

  /// Columns count from v = 0 outwards, v and −v together: only along them can the rows at a mirror be separated.
  void split_mirror(const Block& b) {
    constexpr int leaf = 6;
    if (b.velocity() <= leaf) {
      take_mirror(b);
      return;
    }
    const int middle = b.velocity_begin + (b.velocity() - grid_.velocity_reach) / 2;
    split_mirror({b.theta_begin, b.theta_end, b.velocity_begin, middle});
    split_mirror({b.theta_begin, b.theta_end, middle + grid_.velocity_reach, b.velocity_end});
    take_mirror({b.theta_begin, b.theta_end, middle, middle + grid_.velocity_reach});
  }

  void take_mirror(const Block& b) {
    const int n = grid_.velocity_cells;
    for (int i = b.theta_begin; i < b.theta_end; ++i) {
      for (int c = b.velocity_begin; c < b.velocity_end; ++c) {
        const int upper = n / 2 + c;
        const int lower = n - 1 - upper;
        order_.push_back(i * n + upper);
        if (lower != upper) order_.push_back(i * n + lower);
      }
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
