#include "meshes/error.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec_reader.hpp"
#include "tests/fuzz/harness.hpp"

/// A spec with the inputs that it names, and the model that follows from them.
///
/// The input is the text of the spec; what follows a line "# data.csv" is the content of that file next to it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace underdamp;
  const std::string text = fuzz::text_of(data, size);
  const std::string mark = "\n# data.csv\n";
  const std::size_t end = text.find(mark);
  const fuzz::TemporaryFile table("data.csv", end == std::string::npos ? "" : text.substr(end + mark.size()));
  const fuzz::TemporaryFile spec_file("spec.toml", text.substr(0, end));
  fuzz::accept_or_refuse([&] {
    const Spec spec = read_spec(spec_file.path());
    fuzz::keep(Model(spec).planes());
  });
  return 0;
}
