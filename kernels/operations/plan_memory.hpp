#pragma once
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "kernels/operations/device_context.hpp"

namespace underdamp {

/// All arrays of a plan in one piece of device memory: taking and giving back memory stops a GPU, so each plan does it
/// once. Places are handed out first, then send() takes the memory and fills them.
template <class Launcher>
class PlanMemory {
 public:
  /// Where an array of T lies.
  template <class T>
  struct Place {
    std::size_t offset = 0;
  };

  template <class T>
  Place<T> reserve(std::size_t count) {
    constexpr std::size_t alignment = 256;
    const std::size_t offset = (bytes_ + alignment - 1) / alignment * alignment;
    bytes_ = offset + count * sizeof(T);
    return {offset};
  }
  template <class T>
  Place<T> add(std::vector<T> values) {
    const Place<T> place = reserve<T>(values.size());
    waiting_.push_back([place, values = std::move(values)](PlanMemory& memory, DeviceContext<Launcher>& context) {
      memory.put(context, place, values);
    });
    return place;
  }

  void send(DeviceContext<Launcher>& context) {
    context.resize(memory_, bytes_);
    for (const auto& fill : waiting_) fill(*this, context);
    waiting_ = {};
  }
  /// After send().
  template <class T>
  void put(DeviceContext<Launcher>& context, Place<T> place, const std::vector<T>& values) const {
    if (!values.empty()) context.upload(values.data(), values.size(), at(place));
  }
  template <class T>
  T* at(Place<T> place) const {
    return reinterpret_cast<T*>(memory_.data() + place.offset);
  }

 private:
  std::size_t bytes_ = 0;
  std::vector<std::function<void(PlanMemory&, DeviceContext<Launcher>&)>> waiting_;
  typename Launcher::template Array<char> memory_;
};

}  // namespace underdamp
