#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
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
  bool is_quoted = false;
};

std::vector<Include> all_includes() {
  static const std::regex pattern("^\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"]");
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
          includes.push_back({fs::relative(entry.path(), root).string(), match[2], match[1] == "\""});
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
  const bool is_ours = to >= 0 || starts(include.header, "generated/");
  if (include.is_quoted && !is_ours) return "does not begin with one of our folders";
  if (include.header.find("..") != std::string::npos) return "climbs out of its folder";
  if (to > rank(include.file)) return "includes a folder to its right";
  if (starts(include.file, "solver/") && starts(include.header, "kernels/") &&
      include.header != "kernels/backend.hpp" && include.header != "kernels/velocity_law.hpp" &&
      include.header != "kernels/random.hpp") {
    return "solver/ knows only kernels/backend.hpp, the law it passes there, and random numbers";
  }
  if (starts(include.header, "Kokkos") && !starts(include.file, "kernels/host/")) return "Kokkos outside kernels/host/";
  static const std::regex cuda("^(cuda|thrust/|cusparse|curand|cub/)");
  if (std::regex_search(include.header, cuda) && !starts(include.file, "kernels/cuda/"))
    return "CUDA outside kernels/cuda/";
  if (starts(include.header, "vtk") && include.file != "solver/vtk_file.cpp") return "VTK outside solver/vtk_file.cpp";
  if (include.header == "Eigen/UmfPackSupport" && include.file != "solver/umfpack_factors.cpp")
    return "UMFPACK outside solver/umfpack_factors.cpp";
  if (starts(include.header, "toml++/") && include.file != "solver/table_reader.hpp")
    return "toml++ outside solver/table_reader.hpp";
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
  EXPECT_FALSE(violation({"solver/run.cpp", "run.hpp", true}).empty());
  EXPECT_FALSE(violation({"solver/run.cpp", "../app/commands.hpp", true}).empty());
  EXPECT_FALSE(violation({"solver/run.cpp", "solver/../app/commands.hpp", true}).empty());
  EXPECT_FALSE(violation({"solver/run.cpp", "vector", true}).empty());
  EXPECT_TRUE(violation({"solver/run.cpp", "vector"}).empty());
  EXPECT_TRUE(violation({"solver/run.cpp", "generated/version.hpp", true}).empty());
  EXPECT_TRUE(violation({"app/main.cpp", "solver/run.hpp", true}).empty());
}

// --- cycles -----------------------------------------------------------------------------------------

/// A header and its source are one: "solver/box" of solver/box.hpp and solver/box.cpp.
std::string module_of(const std::string& path) {
  return path.substr(0, path.find('.'));
}

using Graph = std::map<std::string, std::set<std::string>>;

/// Modules that include each other, in the order of their names; each group once. Tarjan (1972).
class Cycles {
 public:
  explicit Cycles(const Graph& graph) : graph_(graph) {
    for (const auto& [module, headers] : graph) {
      if (number_.count(module) == 0) visit(module);
    }
  }
  std::vector<std::set<std::string>> groups() const { return groups_; }

 private:
  int visit(const std::string& module) {
    const int mine = static_cast<int>(number_.size());
    int lowest = mine;
    number_[module] = mine;
    stack_.push_back(module);
    if (const auto found = graph_.find(module); found != graph_.end()) {
      for (const std::string& next : found->second) {
        if (number_.count(next) == 0) {
          lowest = std::min(lowest, visit(next));
        } else if (std::find(stack_.begin(), stack_.end(), next) != stack_.end()) {
          lowest = std::min(lowest, number_[next]);
        }
      }
    }
    if (lowest == mine) close(module);
    return lowest;
  }
  void close(const std::string& module) {
    std::set<std::string> group;
    std::string last;
    do {
      last = stack_.back();
      stack_.pop_back();
      group.insert(last);
    } while (last != module);
    if (group.size() > 1) groups_.push_back(group);
  }

  const Graph& graph_;
  std::map<std::string, int> number_;
  std::vector<std::string> stack_;
  std::vector<std::set<std::string>> groups_;
};

std::string text_of(const std::set<std::string>& group) {
  std::string text;
  for (const std::string& module : group) text += (text.empty() ? "" : ", ") + module;
  return text;
}

TEST(Structure, NoModulesIncludeEachOther) {
  Graph graph;
  for (const Include& include : all_includes()) {
    if (rank(include.header) >= 0 && module_of(include.header) != module_of(include.file))
      graph[module_of(include.file)].insert(module_of(include.header));
  }
  ASSERT_GT(graph.size(), 100U);
  const auto groups = Cycles(graph).groups();
  for (const auto& group : groups) ADD_FAILURE() << "these include each other: " << text_of(group);
}

TEST(Structure, CyclesAreFound) {
  const auto groups = [](const Graph& graph) { return Cycles(graph).groups(); };
  EXPECT_TRUE(groups({{"a", {"b", "c"}}, {"b", {"c"}}, {"c", {"d"}}}).empty());
  const auto two = groups({{"a", {"b"}}, {"b", {"c"}}, {"c", {"b", "d"}}, {"d", {"e"}}, {"e", {"f"}}, {"f", {"d"}}});
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0], (std::set<std::string>{"d", "e", "f"}));
  EXPECT_EQ(two[1], (std::set<std::string>{"b", "c"}));
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
