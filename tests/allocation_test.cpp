#include <cstdlib>
#include <new>

#include "kernels/host/host_backend.hpp"
#include "solver/window.hpp"
#include "test_support.hpp"

/// A step allocates nothing: every allocation of this program is counted here.

namespace {
long allocations = 0;
}

void* operator new(std::size_t bytes) {
  ++allocations;
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

TEST(Allocation, AStepOfTheHostNeedsNone) {
  const auto backend = make_host_backend();
  const PhaseMesh mesh(std::vector<PhasePlane>{{{-1.0, 1.0, 97}, {-7.0, 7.0, 83}}});
  Tables tables;
  tables.friction = {1.0};
  for (int i = 0; i < 97; ++i) tables.force.push_back(-20.0 * mesh.plane(0).theta.center(i));
  tables.diffusion.assign(97, 1.0);
  const auto density = testing::bumpy_density(mesh, 3);
  const auto from = backend->allocate(mesh.shape());
  const auto to = backend->allocate(mesh.shape());
  backend->upload(density, *from);
  Window window(*backend, mesh, tables, 0.1);
  for (int level = 1; level <= 4; ++level) window.cross(*from, *to, level, Positivity::limit);  // plans and scratch
  const long before = allocations;
  for (int level = 1; level <= 4; ++level) window.cross(*from, *to, level, Positivity::limit);
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace underdamp
