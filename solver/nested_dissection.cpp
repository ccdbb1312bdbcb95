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
  Dissection(int velocity_cells, int theta_reach, int velocity_reach)
      : velocity_cells_(velocity_cells), theta_reach_(theta_reach), velocity_reach_(velocity_reach) {}

  void take(const Block& b) {
    for (int i = b.theta_begin; i < b.theta_end; ++i) {
      for (int j = b.velocity_begin; j < b.velocity_end; ++j) order_.push_back(i * velocity_cells_ + j);
    }
  }

  void split(const Block& b) {
    constexpr int leaf = 12;  // smaller blocks gain nothing
    if (b.theta() <= leaf && b.velocity() <= leaf) {
      take(b);
      return;
    }
    // The shorter separator, counted in cells.
    if (b.velocity() * theta_reach_ <= b.theta() * velocity_reach_) {
      const int middle = b.theta_begin + (b.theta() - theta_reach_) / 2;
      split({b.theta_begin, middle, b.velocity_begin, b.velocity_end});
      split({middle + theta_reach_, b.theta_end, b.velocity_begin, b.velocity_end});
      take({middle, middle + theta_reach_, b.velocity_begin, b.velocity_end});
    } else {
      const int middle = b.velocity_begin + (b.velocity() - velocity_reach_) / 2;
      split({b.theta_begin, b.theta_end, b.velocity_begin, middle});
      split({b.theta_begin, b.theta_end, middle + velocity_reach_, b.velocity_end});
      take({b.theta_begin, b.theta_end, middle, middle + velocity_reach_});
    }
  }

  std::vector<int> order() && { return std::move(order_); }

 private:
  int velocity_cells_;
  int theta_reach_;
  int velocity_reach_;
  std::vector<int> order_;
};

}  // namespace

std::vector<int> nested_dissection(int theta_cells, int velocity_cells, int theta_reach, int velocity_reach,
                                   bool periodic) {
  Dissection dissection(velocity_cells, theta_reach, velocity_reach);
  const int cut = periodic ? theta_reach : 0;
  dissection.split({cut, theta_cells, 0, velocity_cells});
  dissection.take({0, cut, 0, velocity_cells});
  return std::move(dissection).order();
}

}  // namespace underdamp
