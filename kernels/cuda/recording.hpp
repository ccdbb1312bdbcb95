#pragma once
#include <functional>
#include <utility>

#include "kernels/cuda/drift_target.hpp"
#include "meshes/error.hpp"

namespace underdamp {

/// Operations as one graph of a device: one launch instead of one for each sweep. `Graph` is empty by default and
/// false then.
template <class Graph>
class Recording {
 public:
  /// Carries out `operations`, from a graph of them if that can be made. Of the device: `record(operations)` gives a
  /// graph of what it is asked for meanwhile, an empty one if it cannot; `launch(graph)` carries it out.
  template <class Device, class Array>
  void replay(const Device& device, DriftTarget<Array>& target, const std::function<void()>& operations) {
    if (target.is_recording()) return operations();  // they become part of what is being recorded
    if (changes_ != target.changes()) graph_ = Graph();
    const bool repeats = std::exchange(used_, true);  // making a graph pays from the second time on
    if (!graph_ && repeats && !failed_) record(device, target, operations);
    if (graph_) {
      device.launch(graph_);
    } else {
      operations();
    }
  }

 private:
  template <class Device, class Array>
  void record(const Device& device, DriftTarget<Array>& target, const std::function<void()>& operations) {
    struct Scope {
      DriftTarget<Array>& target;
      explicit Scope(DriftTarget<Array>& t) : target(t) { target.begin_recording(); }
      ~Scope() { target.end_recording(); }
    };
    failed_ = true;
    try {
      const Scope scope(target);
      graph_ = device.record(operations);
    } catch (const NotRecordable&) {
      return;
    } catch (const Error&) {  // a call that a recording does not allow; what is wrong anyway shows one by one
      return;
    }
    failed_ = !graph_;
    changes_ = target.changes();
  }

  Graph graph_;
  long changes_ = -1;  ///< what the graph points to is where it was then
  bool used_ = false;
  bool failed_ = false;
};

}  // namespace underdamp
