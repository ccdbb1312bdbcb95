#pragma once
#include <algorithm>
#include <cstddef>

namespace underdamp {

/// Thrown while operations are recorded, by what a recording cannot hold; they are then carried out one by one.
struct NotRecordable {};

/// Where drift sweeps of a GPU write: a spare field, which a velocity sweep reads or which becomes the field. What a
/// graph of recorded operations points to stays where it is until changes() counts on.
template <class Array>
class DriftTarget {
 public:
  /// So that no drift of a field of so many cells meets an allocation.
  void reserve(std::size_t cells) {
    largest_ = std::max(largest_, cells);
    grow(cells);
  }
  auto* of(const Array& cells) {
    grow(cells.size());
    return spare_.data();
  }
  /// The spare field becomes the field.
  void finish(Array& cells) {
    require_no_recording();  // the recording would point to the memory of one and the same of the two each time
    swap(cells, spare_);
    ++changes_;
  }

  void begin_recording() {
    grow(largest_);  // a smaller field may have left its memory here
    recording_ = true;
  }
  void end_recording() { recording_ = false; }
  bool is_recording() const { return recording_; }
  void require_no_recording() const {
    if (recording_) throw NotRecordable{};
  }

  /// Other memory that a recording may point to is about to move.
  void note_change() {
    require_no_recording();
    ++changes_;
  }
  /// How often memory that a recording may point to has changed.
  long changes() const { return changes_; }

 private:
  void grow(std::size_t cells) {
    if (spare_.size() >= cells) return;
    require_no_recording();
    spare_.resize(cells);
    ++changes_;
  }

  Array spare_;
  std::size_t largest_ = 0;
  long changes_ = 0;
  bool recording_ = false;
};

}  // namespace underdamp
