#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// How the parts of a run hand over what their later steps depend on, and get it back (docs/reliability.md).
///
/// A part has save(StateWriter&, prefix) and restore(StateReader&, prefix). Large arrays and texts go under names of
/// their own; everything small goes through one StateList, whose calls serve both directions, so that these cannot
/// differ.
namespace underdamp {

class StateWriter {
 public:
  virtual ~StateWriter() = default;
  /// `shape`: its product is the number of values; empty: a plain list.
  virtual void numbers(const std::string& name, std::span<const double> values,
                       const std::vector<std::size_t>& shape = {}) = 0;
  virtual void text(const std::string& name, const std::string& value) = 0;
};

/// All throw Error (input_output) if a name is missing or holds something else.
class StateReader {
 public:
  virtual ~StateReader() = default;
  virtual bool has(const std::string& name) const = 0;
  virtual std::vector<double> numbers(const std::string& name) const = 0;
  virtual std::string text(const std::string& name) const = 0;
};

/// Throws Error (input_output): what was read cannot be the state that was asked for.
[[noreturn]] void damaged_state(const std::string& what);

/// Numbers in the order of the calls: collected, or given back in the same order.
class StateList {
 public:
  StateList() = default;
  explicit StateList(std::vector<double> values) : values_(std::move(values)), reading_(true) {}

  bool reading() const { return reading_; }
  /// For so many numbers, so that they take no more memory than that.
  void reserve(std::size_t count) { values_.reserve(count); }
  const std::vector<double>& values() const { return values_; }
  /// Throws Error (input_output) if something is left over.
  void finish() const {
    if (reading_ && position_ != values_.size()) damaged_state("it holds more numbers than expected");
  }

  void operator()(double& value) {
    if (reading_) {
      if (position_ >= values_.size()) damaged_state("it holds fewer numbers than expected");
      value = values_[position_++];
    } else {
      values_.push_back(value);
    }
  }

  /// Whole numbers up to 2⁵³.
  template <std::integral T>
  void operator()(T& value) {
    double number = static_cast<double>(value);
    (*this)(number);
    if (!reading_) return;
    constexpr double most = 9007199254740992.0;
    const double largest = std::min(most, static_cast<double>(std::numeric_limits<T>::max()));
    const double least = std::max(-most, static_cast<double>(std::numeric_limits<T>::lowest()));
    if (!(number >= least && number <= largest && number == std::floor(number)))
      damaged_state("a whole number is none");
    value = static_cast<T>(number);
  }

  template <class T, std::size_t n>
  void operator()(std::array<T, n>& values) {
    for (T& value : values) (*this)(value);
  }

  /// A list with its length.
  template <class T>
  void operator()(std::vector<T>& values) {
    sequence(values, [this](T& value) { (*this)(value); });
  }

  /// The same for elements that have parts: `each` passes them on.
  template <class Sequence, class Each>
  void sequence(Sequence& values, const Each& each) {
    std::size_t count = values.size();
    (*this)(count);
    if (reading_) {
      if (count > values_.size()) damaged_state("a list is longer than all of it");
      values.clear();
      values.resize(count);
    }
    for (auto& value : values) each(value);
  }

  template <class T, class Each>
  void optional(std::optional<T>& value, const Each& each) {
    bool present = value.has_value();
    (*this)(present);
    if (reading_) {
      value.reset();
      if (present) value.emplace();
    }
    if (present) each(*value);
  }

 private:
  std::vector<double> values_;
  bool reading_ = false;
  std::size_t position_ = 0;
};

}  // namespace underdamp
