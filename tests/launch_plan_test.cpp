#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "kernels/cuda/launch_plan.hpp"
#include "kernels/cuda/recording.hpp"
#include "meshes/field_size.hpp"

/// The arithmetic of launches on a GPU, for all sizes, and what is recorded as a graph: without a GPU.
namespace underdamp {
namespace {

/// Shared memory of the GPUs that underdamp runs on, and of one with hardly any.
const std::vector<LaunchLimits> all_limits{{163 << 10, 164 << 10},  // A100
                                           {227 << 10, 228 << 10},  // H100, H200
                                           {99 << 10, 100 << 10},   // RTX 30
                                           {48 << 10, 48 << 10}};

TEST(BundleLaunch, ByHand) {
  // 128 cells are 19 blocks of 7: one warp. 2 arrays of 2 · (128 + 2 · 20 + 1) doubles, four teams of 5408 bytes.
  const BundleLaunch launch = bundle_launch({2, 2, 128, 20, 8}, all_limits[1]);
  EXPECT_EQ(launch.threads, 32);
  EXPECT_EQ(launch.teams, 4);
  EXPECT_EQ(launch.stride, 338);
  EXPECT_EQ(launch.size, 676);
  EXPECT_EQ(launch.bytes, 4U * 676 * 8);
  EXPECT_EQ(launch.blocks(9), 3);
  // 2689 cells are one more than 384 threads take in one round: two rounds of 385 blocks, 7 warps.
  EXPECT_EQ(bundle_launch({2, 1, 2688, 7, 8}, all_limits[1]).threads, 384);
  EXPECT_EQ(bundle_launch({2, 1, 2689, 7, 8}, all_limits[1]).threads, 224);
  // Single lanes: an even stride would put both arrays into the same banks.
  EXPECT_EQ(bundle_launch({2, 1, 128, 20, 8}, all_limits[1]).stride, 170);
  EXPECT_EQ(bundle_launch({2, 1, 127, 20, 8}, all_limits[1]).stride, 168);
  // One team fits, two do not: 2 · 2 · (4096 + 80 + 1) doubles are 133 664 bytes.
  const BundleLaunch large = bundle_launch({2, 2, 4096, 40, 8}, all_limits[1]);
  EXPECT_EQ(large.teams, 1);
  EXPECT_TRUE(fits(large, all_limits[1]));
  EXPECT_FALSE(fits(large, all_limits[2]));
}

TEST(BundleLaunch, EverySizeIsALaunchThatCoversItsLine) {
  long fitting = 0;
  for (const LaunchLimits& limits : all_limits) {
    for (int cells = 1; cells <= 4096; ++cells) {
      for (const int margin : {7, 31, 200}) {
        for (const int lanes : {1, 2, 4}) {
          const int real_bytes = lanes == 4 ? 4 : 8;
          const BundleLaunch launch = bundle_launch({2, lanes, cells, margin, real_bytes}, limits);
          ASSERT_EQ(launch.threads % warp_threads, 0) << cells;
          ASSERT_GE(launch.threads, warp_threads) << cells;
          ASSERT_LE(launch.threads, largest_team) << cells;
          ASSERT_GE(launch.teams, 1);
          ASSERT_LE(launch.threads * launch.teams, largest_team)
              << cells;  // the bound that the kernel was compiled for
          ASSERT_LE(launch.teams, 15) << "each team has a barrier of its own, and a block has sixteen";
          // No thread has a round more than another but the last ones, and none has nothing to do in all rounds.
          const int blocks = (cells + bundle_block - 1) / bundle_block;
          const int rounds = (blocks + launch.threads - 1) / launch.threads;
          ASSERT_GE(launch.threads * rounds * bundle_block, cells);
          ASSERT_LT((launch.threads - warp_threads) * rounds * bundle_block, cells) << "a warp too many";
          ASSERT_GE(launch.stride, (cells + 2 * margin + 1) * lanes);
          ASSERT_EQ(launch.size, 2 * launch.stride);
          ASSERT_EQ(launch.bytes, static_cast<std::size_t>(launch.teams * launch.size * real_bytes));
          if (launch.teams > 1) {
            ASSERT_TRUE(fits(launch, limits));
            ASSERT_LE(2 * launch.bytes, limits.of_multiprocessor);
          }
          fitting += fits(launch, limits) ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(fitting, 100'000);
}

TEST(BundleLaunch, ManyBundles) {
  const BundleLaunch launch = bundle_launch({2, 2, 128, 20, 8}, all_limits[1]);
  const FieldShape shape{100'000, 16'384, 128};  // 8.2e8 bundles of two lines
  const long bundles = shape.lines() / 2;
  EXPECT_EQ(launch.blocks(bundles), 204'800'000);
  EXPECT_TRUE(is_grid(launch.blocks(bundles)));
  EXPECT_TRUE(is_grid(most_blocks));
  EXPECT_FALSE(is_grid(most_blocks + 1));
  EXPECT_FALSE(is_grid(0));
  EXPECT_TRUE(is_grid(1, 65'535));
  EXPECT_FALSE(is_grid(1, 65'536));
}

/// Every block of a launch over planes, where it lies and how often.
void expect_all_covered(int planes, int velocity_cells, int theta_cells, int columns, int rows) {
  const PlaneLaunch launch = plane_launch(velocity_cells, theta_cells, columns, rows);
  ASSERT_TRUE(is_grid(launch.blocks(planes), launch.down));
  EXPECT_GE(launch.across * columns, velocity_cells);
  EXPECT_LT((launch.across - 1) * columns, velocity_cells);
  EXPECT_GE(launch.down * rows, theta_cells);
  EXPECT_LT((launch.down - 1) * rows, theta_cells);
  std::set<std::pair<int, int>> met;
  for (long index = 0; index < launch.blocks(planes); ++index) {
    const PlaneBlock block(index, launch.across);
    EXPECT_TRUE(block.plane >= 0 && block.plane < planes && block.across >= 0 && block.across < launch.across);
    met.insert({block.plane, block.across});
  }
  EXPECT_EQ(met.size(), static_cast<std::size_t>(planes) * static_cast<std::size_t>(launch.across));
}

TEST(ReductionLaunch, AWarpForEveryResult) {
  EXPECT_EQ(reductions_of_block, 4);
  EXPECT_EQ(reduction_blocks(1), 1);
  EXPECT_EQ(reduction_blocks(4), 1);
  EXPECT_EQ(reduction_blocks(5), 2);
  EXPECT_EQ(reduction_blocks(100'000L * 13), 325'000);  // 13 sums of as many planes as a batch may have
  EXPECT_TRUE(is_grid(reduction_blocks(100'000L * 13)));
  EXPECT_FALSE(is_grid(reduction_blocks(0)));
}

TEST(PlaneLaunch, EveryBlockOfEveryPlaneOnce) {
  for (const int planes : {1, 2, 7}) {
    for (const int cells : {16, 63, 64, 65, 128, 1000, 4096}) {
      expect_all_covered(planes, cells, 331, 64, 128);   // wide packs of a drift sweep
      expect_all_covered(planes, cells, 16, 32, 128);    // single ones
      expect_all_covered(planes, cells, 4096, 128, 64);  // segments
    }
  }
}

TEST(PlaneLaunch, MorePlanesThanTheThirdAxisOfAGridHas) {
  const int planes = 100'000;
  const PlaneLaunch launch = plane_launch(16'384, 16'384, 32, 128);
  EXPECT_EQ(launch.across, 512);
  EXPECT_EQ(launch.down, 128);
  EXPECT_EQ(launch.blocks(planes), 51'200'000);
  EXPECT_TRUE(is_grid(launch.blocks(planes), launch.down));
  const PlaneBlock last(launch.blocks(planes) - 1, launch.across);
  EXPECT_EQ(last.plane, 99'999);
  EXPECT_EQ(last.across, 511);
  // Beyond 2³¹ too, where a grid ends: the numbers stay right, and the launch is refused.
  const int many = 5'000'000;
  EXPECT_EQ(launch.blocks(many), 2'560'000'000);
  EXPECT_FALSE(is_grid(launch.blocks(many)));
  EXPECT_EQ(PlaneBlock(2'559'999'999, 512).plane, 4'999'999);
}

TEST(PlaneLaunch, ColumnsOfADriftAreCountedByInt) {
  EXPECT_TRUE(counts(65'536L * 32'767));   // 2³¹ − 65536
  EXPECT_FALSE(counts(65'536L * 32'768));  // 2³¹
}

TEST(FieldShape, CountsBeyond32Bits) {
  const FieldShape shape{200'000, 16'384, 16'384};
  EXPECT_EQ(shape.lines(), 3'276'800'000);
  EXPECT_EQ(shape.columns(), 3'276'800'000);
  EXPECT_EQ(shape.cells(), 53'687'091'200'000U);
  const FieldSize size(shape);
  EXPECT_EQ(size.segments, 256UL * 3'276'800'000UL);
  EXPECT_EQ(size.departed, 5UL * 3'276'800'000UL + size.segments);
}

TEST(FieldSize, ByHand) {
  // 3 planes of 65 × 20 cells: 3900 cells and 64 more, 195 lines, 60 columns of two segments.
  const FieldSize size(FieldShape{3, 65, 20});
  EXPECT_EQ(size.cells, 3964U);
  EXPECT_EQ(size.segments, 120U);
  EXPECT_EQ(size.created, 315U);
  EXPECT_EQ(size.departed, 2U * 60 + 2U * 195 + 315);
  EXPECT_EQ(size.bytes(Precision::float64), 8U * (3964 + 825));
  EXPECT_EQ(size.bytes(Precision::float32), 4U * 3964 + 8U * 825);
}

// --- drifts and recordings --------------------------------------------------------------------------

/// Memory whose address is the number of times that one was given out.
class FakeArray {
 public:
  void resize(std::size_t count) {
    if (count > capacity_) {
      address_ = ++given_out;
      capacity_ = count;
    }
    size_ = count;
  }
  long* data() { return &address_; }
  long address() const { return address_; }
  std::size_t size() const { return size_; }
  friend void swap(FakeArray& a, FakeArray& b) noexcept {
    std::swap(a.address_, b.address_);
    std::swap(a.size_, b.size_);
    std::swap(a.capacity_, b.capacity_);
  }

 private:
  static inline long given_out = 0;
  long address_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

TEST(DriftTarget, NewMemoryIsAChange) {
  DriftTarget<FakeArray> target;
  FakeArray small;
  small.resize(10);
  target.reserve(10);
  const long before = target.changes();
  const long address = *target.of(small);
  EXPECT_EQ(target.changes(), before);
  target.reserve(5);
  EXPECT_EQ(target.changes(), before);
  target.reserve(1000);  // a larger field was allocated: what was recorded points to memory that has been given back
  EXPECT_NE(*target.of(small), address);
  EXPECT_GT(target.changes(), before);
}

TEST(DriftTarget, ChangingPlacesIsAChange) {
  DriftTarget<FakeArray> target;
  FakeArray field;
  field.resize(10);
  target.reserve(10);
  const long before = target.changes();
  const long spare = *target.of(field);
  const long own = field.address();
  target.finish(field);
  EXPECT_EQ(field.address(), spare);
  EXPECT_EQ(*target.of(field), own);
  EXPECT_GT(target.changes(), before);
}

TEST(DriftTarget, ARecordingMeetsNoAllocationAndNoSwap) {
  DriftTarget<FakeArray> target;
  FakeArray small;
  FakeArray large;
  small.resize(10);
  large.resize(100);
  target.reserve(10);
  target.reserve(100);
  target.finish(small);  // leaves the memory of the small field
  target.begin_recording();
  const long changes = target.changes();
  EXPECT_NO_THROW(target.of(large));
  EXPECT_EQ(target.changes(), changes);
  EXPECT_THROW(target.finish(large), NotRecordable);
  EXPECT_THROW(target.reserve(1000), NotRecordable);
  EXPECT_THROW(target.require_no_recording(), NotRecordable);
  target.end_recording();
  EXPECT_NO_THROW(target.require_no_recording());
  EXPECT_NO_THROW(target.finish(large));
}

/// Counts what is recorded and launched.
struct FakeDevice {
  using Graph = std::unique_ptr<int>;
  mutable int recorded = 0;
  mutable int launched = 0;
  bool can_record = true;

  Graph record(const std::function<void()>& operations) const {
    operations();
    ++recorded;
    return can_record ? std::make_unique<int>(1) : nullptr;
  }
  void launch(const Graph&) const { ++launched; }
};

class Recordings : public ::testing::Test {
 protected:
  void replay() { recording_.replay(device_, target_, operations_); }

  FakeDevice device_;
  DriftTarget<FakeArray> target_;
  Recording<FakeDevice::Graph> recording_;
  int direct_ = 0;
  std::function<void()> operations_ = [this] { direct_ += target_.is_recording() ? 0 : 1; };
};

TEST_F(Recordings, OneGraphIsLaunchedAgainAndAgain) {
  for (int k = 0; k < 5; ++k) replay();
  EXPECT_EQ(direct_, 1);  // the first time: a graph pays from the second on
  EXPECT_EQ(device_.recorded, 1);
  EXPECT_EQ(device_.launched, 4);
}

TEST_F(Recordings, NewMemoryNeedsANewGraph) {
  for (int k = 0; k < 3; ++k) replay();
  target_.reserve(100);
  for (int k = 0; k < 3; ++k) replay();
  EXPECT_EQ(device_.recorded, 2);
  EXPECT_EQ(device_.launched, 5);
}

TEST_F(Recordings, WithoutAGraphOperationsGoOneByOne) {
  device_.can_record = false;
  for (int k = 0; k < 5; ++k) replay();
  EXPECT_EQ(device_.recorded, 1);
  EXPECT_EQ(device_.launched, 0);
  EXPECT_EQ(direct_, 5);
}

TEST_F(Recordings, WhatCannotBeRecordedGoesOneByOne) {
  FakeArray field;
  field.resize(10);
  target_.reserve(10);
  operations_ = [&] {
    target_.finish(field);
    ++direct_;
  };
  for (int k = 0; k < 5; ++k) replay();
  EXPECT_EQ(direct_, 5);
  EXPECT_EQ(device_.launched, 0);
  EXPECT_FALSE(target_.is_recording());
}

TEST_F(Recordings, OtherFailuresArePassedOn) {
  replay();
  operations_ = [] { throw std::runtime_error("the GPU reports a failure"); };
  EXPECT_THROW(replay(), std::runtime_error);
  EXPECT_FALSE(target_.is_recording());
}

TEST_F(Recordings, ASequenceWithinASequence) {
  Recording<FakeDevice::Graph> inner;
  int inside = 0;
  operations_ = [&] { inner.replay(device_, target_, [&] { ++inside; }); };
  for (int k = 0; k < 4; ++k) replay();
  EXPECT_EQ(inside, 2);  // carried out once, recorded once as a part of the outer one
  EXPECT_EQ(device_.recorded, 1);
  EXPECT_EQ(device_.launched, 3);
}

}  // namespace
}  // namespace underdamp
