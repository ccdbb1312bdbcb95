#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "kernels/host/host_array.hpp"

namespace underdamp::testing {

/// Another backend whose operations are told of: faults are injected here.
class HookedBackend final : public Backend {
 public:
  /// `name` of the operation, how many ended before, and the field that it has changed (or null). Called after the
  /// operation; what it throws is what the operation throws.
  using Hook = std::function<void(const std::string& name, long count, Field* field)>;

  HookedBackend(std::unique_ptr<Backend> inner, Hook hook) : inner_(std::move(inner)), hook_(std::move(hook)) {
    inner_->observe([this](const DeviceEvent& event) { tell(event); });
  }
  ~HookedBackend() override { inner_->observe({}); }
  HookedBackend(const HookedBackend&) = delete;
  HookedBackend& operator=(const HookedBackend&) = delete;

  Backend& inner() { return *inner_; }
  long calls() const { return calls_; }
  /// How often an operation was begun.
  long begun(const std::string& name) const {
    const auto found = begun_.find(name);
    return found == begun_.end() ? 0 : found->second;
  }
  /// Memory of the host that was taken when fields were allocated.
  std::size_t field_bytes() const { return field_bytes_; }
  /// Plans of sweeps that were made.
  long plans() const { return begun("plan drift") + begun("plan velocity"); }
  /// Bytes that came to the host, and that left it.
  std::size_t downloaded() const { return downloaded_; }
  std::size_t uploaded() const { return uploaded_; }

  DeviceDescription describe() const override { return inner_->describe(); }
  FieldOperations& fields() override { return inner_->fields(); }
  SweepOperations& sweeps() override { return inner_->sweeps(); }
  ReductionOperations& reductions() override { return inner_->reductions(); }
  PhaseSumOperations& phase_sums() override { return inner_->phase_sums(); }
  GeneratorOperations& generators() override { return inner_->generators(); }
  ParticleOperations& particles() override { return inner_->particles(); }
  void synchronize() override { inner_->synchronize(); }
  void synchronize_each(bool each) override { inner_->synchronize_each(each); }
  void observe(DeviceObserver observer) override { inner_->observe(std::move(observer)); }

 private:
  void tell(const DeviceEvent& event) {
    const std::string name = event.operation;
    if (event.kind == DeviceEvent::Kind::downloaded) downloaded_ += event.bytes;
    if (event.kind == DeviceEvent::Kind::uploaded) uploaded_ += event.bytes;
    if (event.kind == DeviceEvent::Kind::begun) {
      ++begun_[name];
      if (name == "allocate field") bytes_before_ = host_memory_use().bytes;
    }
    if (event.kind != DeviceEvent::Kind::done || is_hooking_) return;
    if (name == "allocate field") field_bytes_ += host_memory_use().bytes - bytes_before_;
    is_hooking_ = true;  // the hook may use the backend
    try {
      hook_(name, calls_++, event.changed);
    } catch (...) {
      is_hooking_ = false;
      throw;
    }
    is_hooking_ = false;
  }

  std::unique_ptr<Backend> inner_;
  Hook hook_;
  bool is_hooking_ = false;
  long calls_ = 0;
  std::map<std::string, long> begun_;
  std::size_t field_bytes_ = 0;
  std::size_t bytes_before_ = 0;
  std::size_t downloaded_ = 0;
  std::size_t uploaded_ = 0;
};

/// Changes one cell of a field and leaves everything else, what has departed included, as it is.
template <class Change>
void change_cell(Backend& backend, Field& field, std::size_t cell, const Change& change) {
  FieldOperations& fields = backend.fields();
  std::vector<double> values(field.shape().cells());
  fields.download(field, values);
  const auto parts = fields.departed_parts(field);
  values[cell] = change(values[cell]);
  fields.upload(values, field);
  fields.restore_departed(parts, field);
}

}  // namespace underdamp::testing
