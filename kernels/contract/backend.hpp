#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "kernels/contract/field_operations.hpp"
#include "kernels/contract/generator_operations.hpp"
#include "kernels/contract/particle_operations.hpp"
#include "kernels/contract/phase_sum_operations.hpp"
#include "kernels/contract/reduction_operations.hpp"
#include "kernels/contract/sweep_operations.hpp"
#include "kernels/contract/theta_walls.hpp"
#include "meshes/precision.hpp"

/// The contract between solver and devices: whole-field operations, each queued in order on one device.
namespace underdamp {

enum class DeviceKind { host, cuda };

struct DeviceDescription {
  DeviceKind kind = DeviceKind::host;
  std::string name;                          ///< for example "host: Kokkos Serial, 1 thread" or "cuda: NVIDIA H200"
  int concurrency = 1;                       ///< threads, or multiprocessors
  std::size_t memory_bytes = 0;              ///< memory of the device, 0 if not known
  std::vector<std::size_t> cache_bytes{};    ///< of level 1, 2, …; empty if not known
  Precision precision = Precision::float64;  ///< of fields and sweeps
};

/// What a device does, for tests, `bench` and debugging.
struct DeviceEvent {
  enum class Kind {
    begun,      ///< an operation has looked at nothing yet
    done,       ///< an operation has done its work, or queued it
    allocated,  ///< memory of the device was taken
    uploaded,   ///< bytes went from the host to the device
    downloaded  ///< and back
  };
  Kind kind = Kind::begun;
  const char* operation = "";  ///< name of the operation of the contract, such as "drift"
  std::size_t bytes = 0;
  Field* changed = nullptr;  ///< done: the field that it has changed, if it is one
};
using DeviceObserver = std::function<void(const DeviceEvent&)>;

/// What an operation needs of its arguments, above all that shapes and sizes fit to each other and that this backend
/// made them, it looks at every time: Error (bad_input) if not.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceDescription describe() const = 0;

  virtual FieldOperations& fields() = 0;
  virtual SweepOperations& sweeps() = 0;
  virtual ReductionOperations& reductions() = 0;
  virtual PhaseSumOperations& phase_sums() = 0;
  virtual GeneratorOperations& generators() = 0;
  virtual ParticleOperations& particles() = 0;

  /// Waits until all queued operations are done; throws Error (device) if one failed.
  virtual void synchronize() = 0;
  /// Waits after each kernel, so that a failure names the one that failed and not a later one. Slow.
  virtual void synchronize_each(bool each) = 0;
  /// Is told of everything from now on; what it throws, the operation throws. Empty: nobody is.
  virtual void observe(DeviceObserver observer) = 0;
};

}  // namespace underdamp
