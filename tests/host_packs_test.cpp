#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/bodies/extrapolation.hpp"
#include "kernels/host/host_array.hpp"
#include "kernels/host/host_columns.hpp"
#include "kernels/tables/drift_table.hpp"

/// Packs of the host read the columns that they were given and no others: those of the next row belong to other
/// workers. Compiled for the registers that the kernels of the host are compiled for.
namespace underdamp {
namespace {

/// Numbers that end where the memory of the process ends: whoever reads behind them is killed.
class GuardedNumbers {
 public:
  explicit GuardedNumbers(std::size_t count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    bytes_ = (count * sizeof(double) + page - 1) / page * page + page;
    memory_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + bytes_ - page, page, PROT_NONE);
    data_ = reinterpret_cast<double*>(memory_ + bytes_ - page) - count;
  }
  GuardedNumbers(const GuardedNumbers&) = delete;
  GuardedNumbers& operator=(const GuardedNumbers&) = delete;
  ~GuardedNumbers() { munmap(memory_, bytes_); }
  double* data() const { return data_; }

 private:
  std::size_t bytes_ = 0;
  char* memory_ = nullptr;
  double* data_ = nullptr;
};

using Pack = HostPack<double>;
constexpr int rows = 70;                       // more than one panel
constexpr int columns = 11 * Pack::width + 1;  // the last of three groups of packs has one column; at least 16
const FieldShape shape{1, rows, columns};

/// Drifts a field that ends where memory ends, and exits with 0.
[[noreturn]] void drift_and_exit(ThetaBoundary boundary, double duration) {
  GuardedNumbers field(shape.cells());
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) field.data()[i * columns + j] = 1.0 + 0.01 * i + 0.1 * j;
  }
  const PhaseMesh mesh(std::vector<PhasePlane>{{{-1.0, 1.0, rows}, {-2.0, 2.0, columns}}}, boundary);
  const DriftTable table = make_drift_table(mesh, {&duration, 1});
  const bool is_open = boundary == ThetaBoundary::open;
  std::vector<double> left(2 * columns, 0.0);
  const DriftSweep<double, true> sweep{{table.offset.data(), table.weights.data(), table.weight_stride},
                                       field.data(),
                                       is_open ? left.data() : nullptr,
                                       is_open ? left.data() + columns : nullptr};
  HostArray<double> scratch;
  using Columns = HostColumns<double, remap_cells>;
  scratch.resize(Columns::scratch_size(rows));
  const ColumnSource<double> all{
      {field.data(), nullptr, nullptr, 0, rows, columns, !is_open, false}, ThetaRuns(mesh.shape(), 0), false};
  Columns group(scratch.data(), all, 0, 8 * Pack::width, Columns::most_packs);
  sweep(group);
  std::exit(0);
}

TEST(HostPacks, ADriftReadsNothingBehindItsLastColumn) {
  for (const ThetaBoundary boundary : {ThetaBoundary::open, ThetaBoundary::periodic}) {
    for (const double duration : {0.01, 0.3, -0.3})
      EXPECT_EXIT(drift_and_exit(boundary, duration), ::testing::ExitedWithCode(0), "") << duration;
  }
}

/// Clips columns of a density that ends where memory ends, and exits with 0 if it came out right.
[[noreturn]] void clip_and_exit() {
  std::vector<double> finest(shape.cells() + 64, 1.0);  // what is only read has room behind it
  const std::vector<double> correction(shape.cells() + 64, 0.0);
  GuardedNumbers density(shape.cells());
  std::vector<double> created(2 * columns, 0.0);
  const FilterAndClip<double, true> clip{finest.data(), correction.data(), density.data(), created.data(),
                                         rows,          columns,           columns,        {false, 0, 0, nullptr}};
  finest[static_cast<std::size_t>((rows - 1) * columns + columns - 1)] = -0.5;
  clip.operator()<Pack>(0, columns - 1, segment_rows, rows, 1);
  // Five ones and −0.5 in the last six rows: 4.5 are left of 5.
  const double first = density.data()[segment_rows * columns + columns - 1];
  const double last = density.data()[(rows - 1) * columns + columns - 1];
  std::exit(std::abs(first - 0.9) <= 1e-15 && last == 0.0 ? 0 : 1);
}

TEST(HostPacks, ClippingReadsNothingBehindItsLastColumn) {
  EXPECT_EXIT(clip_and_exit(), ::testing::ExitedWithCode(0), "");
}

TEST(HostPacks, PartsOfAPack) {
  const std::vector<double> numbers{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0};
  for (int count = 0; count <= Pack::width; ++count) {
    std::vector<double> out(static_cast<std::size_t>(Pack::width), -1.0);
    Pack::load_first(numbers.data(), count).store(out.data());
    for (int k = 0; k < Pack::width; ++k) EXPECT_EQ(out[static_cast<std::size_t>(k)], k < count ? k + 1.0 : 0.0);
  }
}

}  // namespace
}  // namespace underdamp
