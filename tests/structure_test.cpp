#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "test_support.hpp"

/// The include rule of docs/developer.md: meshes ◄ kernels ◄ solver ◄ validation ◄ app, libraries only where they
/// belong.
namespace underdamp {
namespace {

namespace fs = std::filesystem;

const fs::path root = UNDERDAMP_SOURCE_FOLDER;

struct Include {
  std::string file;  ///< relative to the root
  std::string header;
};

std::vector<Include> all_includes() {
  static const std::regex pattern("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  std::vector<Include> includes;
  for (const char* folder : {"meshes", "kernels", "solver", "validation", "app"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      static const std::vector<std::string> extensions{".hpp", ".cpp", ".cu", ".cuh", ".in"};
      if (std::find(extensions.begin(), extensions.end(), entry.path().extension().string()) == extensions.end())
        continue;
      std::ifstream stream(entry.path());
      for (std::string line; std::getline(stream, line);) {
        std::smatch match;
        if (std::regex_search(line, match, pattern))
          includes.push_back({fs::relative(entry.path(), root).string(), match[1]});
      }
    }
  }
  return includes;
}

int rank(const std::string& path) {
  static const std::map<std::string, int> order{
      {"meshes", 0}, {"kernels", 1}, {"solver", 2}, {"validation", 3}, {"app", 4}};
  const auto found = order.find(path.substr(0, path.find('/')));
  return found == order.end() ? -1 : found->second;
}

std::string violation(const Include& include) {
  const auto starts = [&](const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; };
  const int to = rank(include.header);
  if (to > rank(include.file)) return "includes a folder to its right";
  if (starts(include.file, "solver/") && starts(include.header, "kernels/") &&
      include.header != "kernels/backend.hpp" && include.header != "kernels/velocity_table.hpp" &&
      include.header != "kernels/random.hpp") {
    return "solver/ knows only kernels/backend.hpp, the law it passes there, and random numbers";
  }
  if (starts(include.header, "Kokkos") && !starts(include.file, "kernels/host/")) return "Kokkos outside kernels/host/";
  static const std::regex cuda("^(cuda|thrust/|cusparse|curand|cub/)");
  if (std::regex_search(include.header, cuda) && !starts(include.file, "kernels/cuda/"))
    return "CUDA outside kernels/cuda/";
  if (starts(include.header, "vtk") && include.file != "solver/vtk_writer.cpp")
    return "VTK outside solver/vtk_writer.cpp";
  if (include.header == "Eigen/UmfPackSupport" && include.file != "solver/umfpack_factors.cpp")
    return "UMFPACK outside solver/umfpack_factors.cpp";
  if (starts(include.header, "toml++/") && include.file != "solver/spec.cpp") return "toml++ outside solver/spec.cpp";
  return {};
}

TEST(Structure, IncludesFollowTheRule) {
  const auto includes = all_includes();
  ASSERT_GT(includes.size(), 200U);
  for (const Include& include : includes) {
    const std::string problem = violation(include);
    EXPECT_TRUE(problem.empty()) << include.file << " includes " << include.header << ": " << problem;
  }
}

TEST(Structure, TheRuleCanBeBroken) {
  EXPECT_FALSE(violation({"meshes/axis.hpp", "kernels/remap.hpp"}).empty());
  EXPECT_FALSE(violation({"solver/run.cpp", "app/commands.hpp"}).empty());
  EXPECT_FALSE(violation({"solver/run.cpp", "kernels/remap.hpp"}).empty());
  EXPECT_FALSE(violation({"solver/run.cpp", "Kokkos_Core.hpp"}).empty());
  EXPECT_FALSE(violation({"kernels/host/a.cpp", "cuda_runtime.h"}).empty());
  EXPECT_FALSE(violation({"solver/output.cpp", "vtkNew.h"}).empty());
  EXPECT_FALSE(violation({"solver/direct_stationary.cpp", "Eigen/UmfPackSupport"}).empty());
  EXPECT_FALSE(violation({"app/main.cpp", "toml++/toml.h"}).empty());
  EXPECT_TRUE(violation({"app/main.cpp", "solver/run.hpp"}).empty());
}

/// Characters of a line of UTF-8 text.
std::size_t columns_of(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(Structure, CommentsKeepTheirLines) {
  // clang-format leaves comments alone: it took rulers apart. So nothing else sees that a line is too long.
  static const std::regex orphan("^\\s*// -{4,}$");
  int lines = 0;
  for (const char* folder : {"meshes", "kernels", "solver", "validation", "app", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      static const std::vector<std::string> extensions{".hpp", ".cpp", ".cu", ".cuh"};
      if (std::find(extensions.begin(), extensions.end(), entry.path().extension().string()) == extensions.end())
        continue;
      std::ifstream stream(entry.path());
      int number = 0;
      for (std::string line; std::getline(stream, line); ++lines) {
        ++number;
        EXPECT_FALSE(std::regex_match(line, orphan)) << entry.path() << ":" << number << " is a ruler without its name";
        EXPECT_LE(columns_of(line), 120U) << entry.path() << ":" << number;
      }
    }
  }
  EXPECT_GT(lines, 10'000);
}

TEST(FieldsNear, FailsForWhatItCannotCompare) {
  const std::vector<double> none;
  const std::vector<double> one{1.0};
  const std::vector<double> not_a_number{std::nan("")};
  EXPECT_FALSE(testing::fields_near(none, none, 1.0));
  EXPECT_FALSE(testing::fields_near(one, none, 1.0));
  EXPECT_FALSE(testing::fields_near(one, not_a_number, 1.0));
  EXPECT_FALSE(testing::fields_near(not_a_number, not_a_number, 1.0));
  EXPECT_FALSE(testing::fields_near(one, std::vector<double>{1.5}, 0.4));
  EXPECT_TRUE(testing::fields_near(one, std::vector<double>{1.5}, 0.5));
}

TEST(Structure, NoMachineAndNoLeftovers) {
  // Paths of one machine, and marks of unfinished work, stay out of the tree. The words are put together here so that
  // this file does not find itself.
  const std::vector<std::string> words{std::string("/ro") + "ot/", std::string("/ho") + "me/", std::string("TO") + "DO",
                                       std::string("FIX") + "ME"};
  for (const char* folder :
       {"meshes", "kernels", "solver", "validation", "app", "tests", "examples", "docs", "scripts", "cmake"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || entry.path().extension() == ".png") continue;
      std::ifstream stream(entry.path());
      std::stringstream text;
      text << stream.rdbuf();
      for (const auto& word : words)
        EXPECT_EQ(text.str().find(word), std::string::npos) << entry.path() << " contains " << word;
    }
  }
}

}  // namespace
}  // namespace underdamp
