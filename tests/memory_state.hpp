#pragma once
#include <map>

#include "solver/io/state.hpp"

namespace underdamp::testing {

/// A state that is kept in memory.
class MemoryState final : public StateWriter, public StateReader {
 public:
  void numbers(const std::string& name, std::span<const double> values, const std::vector<std::size_t>&) override {
    numbers_[name].assign(values.begin(), values.end());
  }
  void text(const std::string& name, const std::string& value) override { texts_[name] = value; }

  bool has(const std::string& name) const override { return numbers_.count(name) + texts_.count(name) > 0; }
  std::vector<double> numbers(const std::string& name) const override {
    if (numbers_.count(name) == 0) damaged_state(name + " is missing");
    return numbers_.at(name);
  }
  std::string text(const std::string& name) const override {
    if (texts_.count(name) == 0) damaged_state(name + " is missing");
    return texts_.at(name);
  }

  /// For tests that damage it.
  std::map<std::string, std::vector<double>>& all_numbers() { return numbers_; }

 private:
  std::map<std::string, std::vector<double>> numbers_;
  std::map<std::string, std::string> texts_;
};

}  // namespace underdamp::testing
