#pragma once

namespace underdamp {

/// What lies in the memory of one device. Only the backend that made it may touch it.
class DeviceObject {
 public:
  virtual ~DeviceObject() = default;
  const void* maker() const { return maker_; }

 protected:
  explicit DeviceObject(const void* maker) : maker_(maker) {}

 private:
  const void* maker_;
};

}  // namespace underdamp
