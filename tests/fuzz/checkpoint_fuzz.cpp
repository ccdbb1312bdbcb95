#include <cstring>
#include <vector>

#include "solver/io/checkpoint.hpp"
#include "tests/fuzz/crafted_checkpoint.hpp"
#include "tests/fuzz/harness.hpp"

namespace {

using namespace underdamp;

/// What runs ask a checkpoint for.
void read_file(const std::filesystem::path& path) {
  const auto reader = open_checkpoint(path);
  for (const char* name : {"spec", "run", "evolution/plane_time", "evolution/group_1/density", "none/there"}) {
    fuzz::accept_or_refuse([&] { fuzz::keep(reader->has(name) ? 1.0 : 0.0); });
    fuzz::accept_or_refuse([&] { fuzz::keep(static_cast<double>(reader->text(name).size())); });
    fuzz::accept_or_refuse([&] { fuzz::keep(static_cast<double>(reader->numbers(name).size())); });
  }
}

/// Numbers that are read back in an order that the first bytes say.
void read_numbers(const std::string& content) {
  constexpr std::size_t calls = 8;
  if (content.size() < calls) return;
  std::vector<double> values((content.size() - calls) / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), content.data() + calls, values.size() * sizeof(double));
  StateList list(std::move(values));
  for (std::size_t k = 0; k < calls; ++k) {
    double number = 0.0;
    int whole = 0;
    std::array<bool, 3> flags{};
    std::vector<std::vector<double>> lists;
    std::optional<long> perhaps;
    switch (static_cast<unsigned char>(content[k]) % 5) {
      case 0:
        list(number);
        break;
      case 1:
        list(whole);
        break;
      case 2:
        list(flags);
        break;
      case 3:
        list(lists);
        break;
      default:
        list.optional(perhaps, [&](long& value) { list(value); });
    }
  }
  list.finish();
}

}  // namespace

/// HDF5 keeps some memory for later: only our leaks count.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(*-reserved-identifier): the name is LeakSanitizer's
  return "leak:libhdf5\n";
}

/// The first byte says what follows: "f" a file as it is; "h" steps that make a file with HDF5; anything else numbers.
/// HDF5 itself does not bear every file: none gets there whose checksum is another.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string content = fuzz::text_of(data + 1, size - 1);
  if (data[0] != 'f' && data[0] != 'h') {
    fuzz::accept_or_refuse([&] { read_numbers(content); });
    return 0;
  }
  const fuzz::TemporaryFile file("checkpoint.h5", data[0] == 'f' ? content : "");
  if (data[0] == 'h') fuzz::write_crafted_checkpoint(file.path(), {data + 1, size - 1});
  fuzz::accept_or_refuse([&] { read_file(file.path()); });
  return 0;
}
