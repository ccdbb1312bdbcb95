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
    // A circle is opened by one more separator.
    const int cut = grid_.is_periodic ? grid_.theta_reach : 0;
    split({cut, grid_.theta_cells, 0, grid_.velocity_cells});
    take({0, cut, 0, grid_.velocity_cells});
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

  ConnectedGrid grid_;
  std::vector<int> order_;
};

}  // namespace

std::vector<int> nested_dissection(const ConnectedGrid& grid) {
  return Dissection(grid).order();
}

}  // namespace underdamp
