#include <cstdlib>
#include <new>

#include "kernels/host/host_array.hpp"
#include "kernels/host/host_backend.hpp"
#include "solver/step/window.hpp"
#include "test_support.hpp"

/// A step allocates nothing: every `new` of this program is counted here, and what fields and tables take of the host
/// is counted by host_memory_use().

namespace {
long allocations = 0;
std::size_t allocated_bytes = 0;
}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  allocated_bytes += bytes;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace underdamp {
namespace {

TEST(Allocation, IsCounted) {
  const long before = allocations;
  const std::vector<int> one(1);
  EXPECT_EQ(allocations, before + 1);
}

TEST(Allocation, MemoryOfFieldsIsCounted) {
  const HostMemoryUse before = host_memory_use();
  {
    HostArray<double> array;
    array.resize(100);
    array.resize(50);
    EXPECT_EQ(host_memory_use().bytes - before.bytes, 800U);
    array.resize(200);
    EXPECT_EQ(host_memory_use().bytes - before.bytes, 1600U);
    EXPECT_EQ(host_memory_use().allocations - before.allocations, 2);
  }
  EXPECT_EQ(host_memory_use().bytes, before.bytes);
}

TEST(Allocation, OnePlaneOfManyTablesIsCopiedAlone) {
  constexpr std::size_t planes = 5000;
  constexpr std::size_t lines = 16;
  Tables all;
  all.learning_rate = 0.1;
  for (std::vector<double>* of_plane :
       {&all.friction, &all.relaxation_time, &all.rate, &all.minimum, &all.std_theta, &all.std_v}) {
    for (std::size_t p = 0; p < planes; ++p) of_plane->push_back(static_cast<double>(p));
  }
  for (std::vector<double>* of_line : {&all.force, &all.diffusion, &all.loss, &all.kick, &all.step_variance}) {
    for (std::size_t l = 0; l < planes * lines; ++l) of_line->push_back(static_cast<double>(l));
  }
  const std::size_t before = allocated_bytes;
  const Tables one = all.only(4321);
  EXPECT_EQ(allocated_bytes - before, (6 + 5 * lines) * sizeof(double));
  EXPECT_EQ(one.learning_rate, 0.1);
  EXPECT_EQ(one.std_v, std::vector<double>{4321.0});
  EXPECT_EQ(one.step_variance.front(), 4321.0 * 16);
  EXPECT_EQ(one.force.size(), lines);
}

TEST(Allocation, AStepOfTheHostNeedsNone) {
  const auto backend = make_host_backend();
  const PhaseMesh mesh(std::vector<PhasePlane>{{{-1.0, 1.0, 97}, {-7.0, 7.0, 83}}});
  Tables tables;
  tables.friction = {1.0};
  for (int i = 0; i < 97; ++i) tables.force.push_back(-20.0 * mesh.plane(0).theta.center(i));
  tables.diffusion.assign(97, 1.0);
  const auto density = testing::bumpy_density(mesh, 3);
  const auto from = backend->fields().allocate(mesh.shape());
  const auto to = backend->fields().allocate(mesh.shape());
  backend->fields().upload(density, *from);
  Window window(*backend, mesh, tables, 0.1);
  for (int level = 1; level <= 4; ++level) window.cross(*from, *to, level, Positivity::limit);  // plans and scratch
  const long before = allocations;
  const HostMemoryUse fields_before = host_memory_use();
  for (int level = 1; level <= 4; ++level) window.cross(*from, *to, level, Positivity::limit);
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(host_memory_use().allocations, fields_before.allocations);
  EXPECT_EQ(host_memory_use().bytes, fields_before.bytes);
}

}  // namespace
}  // namespace underdamp
