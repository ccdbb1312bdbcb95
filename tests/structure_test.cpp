#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "test_support.hpp"

/// The rooms of the house (tests/rooms.txt): what each may include, no cycles, libraries only where they belong.
namespace underdamp {
namespace {

namespace fs = std::filesystem;

const fs::path root = UNDERDAMP_SOURCE_FOLDER;

bool starts(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

bool is_source(const fs::path& path) {
  static const std::set<std::string> extensions{".hpp", ".cpp", ".cu", ".cuh", ".in"};
  return extensions.count(path.extension().string()) > 0;
}

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
      if (!is_source(entry.path())) continue;
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

/// tests/rooms.txt.
struct Rooms {
  std::vector<std::string> order;                       ///< names, each after all that it may include
  std::map<std::string, std::set<std::string>> sees;    ///< room → rooms that it may include, itself among them
  std::map<std::string, std::set<std::string>> places;  ///< beginning of a library's headers → where they may stand
  std::vector<std::string> faults;                      ///< of the table itself

  /// The room of a file or header; empty if it lies in none.
  std::string room_of(const std::string& path) const {
    for (std::string folder = path; folder.rfind('/') != std::string::npos;) {
      folder = folder.substr(0, folder.rfind('/'));
      if (sees.count(folder) > 0) return folder;
    }
    return {};
  }
};

Rooms parse_rooms(std::istream& stream) {
  Rooms rooms;
  for (std::string line; std::getline(stream, line);) {
    const auto colon = line.find(':');
    if (line.empty() || line[0] == '#') continue;
    if (colon == std::string::npos) {
      rooms.faults.push_back("no colon: " + line);
      continue;
    }
    const std::string name = line.substr(0, colon);
    std::istringstream words(line.substr(colon + 1));
    std::set<std::string> listed;
    for (std::string word; words >> word;) listed.insert(word);
    if (starts(name, "library ")) {
      rooms.places[name.substr(std::string("library ").size())] = listed;
      continue;
    }
    for (const std::string& room : listed) {
      if (rooms.sees.count(room) == 0)
        rooms.faults.push_back(name + " may include " + room + ", which is not above it");
    }
    listed.insert(name);
    if (!rooms.sees.emplace(name, listed).second) rooms.faults.push_back(name + " stands there twice");
    rooms.order.push_back(name);
  }
  return rooms;
}

const Rooms& the_rooms() {
  static const Rooms rooms = [] {
    std::ifstream stream(root / "tests" / "rooms.txt");
    return parse_rooms(stream);
  }();
  return rooms;
}

/// What is wrong with an include; empty if nothing is.
std::string violation(const Include& include, const Rooms& rooms = the_rooms()) {
  const std::string from = rooms.room_of(include.file);
  if (from.empty()) return "the file lies in no room";
  if (include.is_quoted) {
    if (starts(include.header, "generated/")) return {};
    if (include.header.find("..") != std::string::npos) return "climbs out of its folder";
    const std::string to = rooms.room_of(include.header);
    if (to.empty()) return "does not begin with one of our rooms";
    return rooms.sees.at(from).count(to) > 0 ? "" : from + " may not include " + to;
  }
  if (!rooms.room_of(include.header).empty()) return "our headers stand in quotation marks";
  for (const auto& [library, places] : rooms.places) {
    if (!starts(include.header, library)) continue;
    if (places.count(from) == 0 && places.count(include.file) == 0) return library + " does not belong here";
  }
  return {};
}

std::vector<std::string> violations(const std::vector<Include>& includes) {
  std::vector<std::string> found;
  for (const Include& include : includes) {
    const std::string problem = violation(include);
    if (!problem.empty()) found.push_back(include.file + " includes " + include.header + ": " + problem);
  }
  return found;
}

TEST(Structure, IncludesFollowTheTableOfRooms) {
  const auto includes = all_includes();
  ASSERT_GT(includes.size(), 700U);
  for (const std::string& fault : the_rooms().faults) ADD_FAILURE() << "tests/rooms.txt: " << fault;
  for (const std::string& problem : violations(includes)) ADD_FAILURE() << problem;
}

TEST(Structure, EveryRoomHasFilesAndAReadme) {
  std::map<std::string, int> files;
  for (const Include& include : all_includes()) ++files[the_rooms().room_of(include.file)];
  for (const std::string& room : the_rooms().order) {
    EXPECT_GT(files[room], 0) << room << " is empty";
    std::ifstream readme(root / room / "README.md");
    int lines = 0;
    for (std::string line; std::getline(readme, line);) ++lines;
    EXPECT_GE(lines, 5) << room << "/README.md: what is here, where to start, what it must not know";
    EXPECT_LE(lines, 40) << room << "/README.md";
  }
}

TEST(Structure, APlantedBackEdgeIsFound) {
  auto includes = all_includes();
  ASSERT_TRUE(violations(includes).empty());
  for (const Include& planted : {Include{"solver/io/csv.cpp", "solver/run/summary.hpp", true},
                                 Include{"solver/stationary/spectrum.cpp", "solver/particles/ensemble.hpp", true},
                                 Include{"meshes/axis.hpp", "kernels/tables/remap.hpp", true}}) {
    includes.push_back(planted);
    EXPECT_EQ(violations(includes).size(), 1U) << planted.file;
    includes.pop_back();
  }
}

TEST(Structure, TheRuleCanBeBroken) {
  const auto is_refused = [](const Include& include) { return !violation(include).empty(); };
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "app/commands.hpp", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "kernels/tables/remap.hpp", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "Kokkos_Core.hpp"}));
  EXPECT_TRUE(is_refused({"kernels/host/a.cpp", "cuda_runtime.h"}));
  EXPECT_TRUE(is_refused({"solver/run/output.cpp", "vtkNew.h"}));
  EXPECT_TRUE(is_refused({"solver/stationary/direct_stationary.cpp", "Eigen/UmfPackSupport"}));
  EXPECT_TRUE(is_refused({"app/main.cpp", "toml++/toml.h"}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "run.hpp", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "../app/commands.hpp", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "solver/../app/commands.hpp", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "vector", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "solver/run/run.hpp"}));
  EXPECT_TRUE(is_refused({"solver/heap.cpp", "solver/run/run.hpp", true}));
  EXPECT_TRUE(is_refused({"solver/run/run.cpp", "solver/heap.hpp", true}));
  EXPECT_FALSE(is_refused({"solver/run/run.cpp", "vector"}));
  EXPECT_FALSE(is_refused({"solver/run/run.cpp", "generated/version.hpp", true}));
  EXPECT_FALSE(is_refused({"app/main.cpp", "solver/run/run.hpp", true}));
}

TEST(Structure, AWrongTableIsFound) {
  const auto faults = [](const std::string& text) {
    std::istringstream stream(text);
    return parse_rooms(stream).faults.size();
  };
  EXPECT_EQ(faults("a:\nb: a\n"), 0U);
  EXPECT_EQ(faults("a: b\nb: a\n"), 1U);
  EXPECT_EQ(faults("a:\na:\n"), 1U);
  EXPECT_EQ(faults("a\n"), 1U);
}

// --- cycles -----------------------------------------------------------------------------------------

/// A header and its source are one: "solver/model/box" of solver/model/box.hpp and solver/model/box.cpp.
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

Graph module_graph(const std::vector<Include>& includes) {
  Graph graph;
  for (const Include& include : includes) {
    if (include.is_quoted && module_of(include.header) != module_of(include.file))
      graph[module_of(include.file)].insert(module_of(include.header));
  }
  return graph;
}

TEST(Structure, NoModulesIncludeEachOther) {
  auto includes = all_includes();
  const Graph graph = module_graph(includes);
  ASSERT_GT(graph.size(), 120U);
  for (const auto& group : Cycles(graph).groups()) ADD_FAILURE() << "these include each other: " << text_of(group);
  // Nor would one that is planted go unseen, within a room and between modules two steps apart.
  includes.push_back({"solver/model/model.hpp", "solver/model/tables.hpp", true});
  EXPECT_EQ(Cycles(module_graph(includes)).groups().size(), 1U);
  includes.back() = {"meshes/error.hpp", "solver/io/csv.hpp", true};
  EXPECT_EQ(Cycles(module_graph(includes)).groups().size(), 1U);
}

TEST(Structure, CyclesAreFound) {
  const auto groups = [](const Graph& graph) { return Cycles(graph).groups(); };
  EXPECT_TRUE(groups({{"a", {"b", "c"}}, {"b", {"c"}}, {"c", {"d"}}}).empty());
  const auto two = groups({{"a", {"b"}}, {"b", {"c"}}, {"c", {"b", "d"}}, {"d", {"e"}}, {"e", {"f"}}, {"f", {"d"}}});
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0], (std::set<std::string>{"d", "e", "f"}));
  EXPECT_EQ(two[1], (std::set<std::string>{"b", "c"}));
}

// --- documentation ----------------------------------------------------------------------------------

/// Folders at the root: a path that begins with one of them is a path of ours.
bool begins_at_the_root(const std::string& path) {
  static const std::set<std::string> folders{"app",    "benchmarks", "cmake",   "docs",   "examples", "kernels",
                                             "meshes", "paraview",   "scripts", "solver", "tests",    "validation"};
  return folders.count(path.substr(0, path.find('/'))) > 0;
}

/// Names of all files of the tree, without their folders.
const std::set<std::string>& file_names() {
  static const std::set<std::string> names = [] {
    std::set<std::string> found;
    for (const char* folder : {"app", "cmake", "kernels", "meshes", "solver", "tests", "validation"}) {
      for (const auto& entry : fs::recursive_directory_iterator(root / folder))
        found.insert(entry.path().filename().string());
    }
    return found;
  }();
  return names;
}

/// What a text names that is not there: paths from the root and names of sources in backquotes, and the targets of
/// links, which are relative to the folder of the text. NAME stands for any.
std::vector<std::string> missing_files(const std::string& text, const fs::path& folder) {
  static const std::regex file("`([A-Za-z0-9_./-]+\\.(hpp|cpp|cu|cuh))`");
  static const std::regex path("`([a-z]+/[A-Za-z0-9_./-]+)`");
  static const std::regex link("\\]\\(([A-Za-z0-9_./-]+)(#[^)]*)?\\)");
  std::vector<std::string> missing;
  const auto each = [&text](const std::regex& pattern, const auto& look) {
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) look((*match)[1]);
  };
  each(file, [&](const std::string& name) {
    if (name.find('/') == std::string::npos && file_names().count(name) == 0) missing.push_back(name);
  });
  each(path, [&](const std::string& name) {
    const bool is_ours = begins_at_the_root(name) && name.find("NAME") == std::string::npos;
    if (is_ours && !fs::exists(root / name)) missing.push_back(name);
  });
  each(link, [&](const std::string& name) {
    if (!fs::exists(root / folder / name)) missing.push_back(name);
  });
  return missing;
}

std::string text_of_file(const fs::path& path) {
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(Structure, DocsNameFilesThatExist) {
  std::vector<fs::path> files{"README.md"};
  for (const char* folder : {"app", "benchmarks", "docs", "kernels", "meshes", "solver", "tests", "validation"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const fs::path file = fs::relative(entry.path(), root);  // results are history
      if (file.extension() == ".md" && !starts(file.string(), "benchmarks/results/")) files.push_back(file);
    }
  }
  ASSERT_GT(files.size(), 30U);
  for (const fs::path& file : files) {
    for (const std::string& name : missing_files(text_of_file(root / file), file.parent_path()))
      ADD_FAILURE() << file.string() << " names " << name << ", which is not there";
  }
  // Nor would a wrong one go unseen.
  EXPECT_EQ(missing_files("`solver/vtk_writer.cpp`, `backend_ops.hpp`, [x](y.md#z)", "docs").size(), 3U);
  EXPECT_TRUE(missing_files("`solver/step/window.hpp`, `window.hpp`, `solver/run`, [x](method.md#z)", "docs").empty());
}

/// Words of the tree but for its documentation.
std::set<std::string> words_of_the_tree() {
  static const std::regex word("[A-Za-z_][A-Za-z0-9_]*");
  std::set<std::string> words;
  for (const char* folder :
       {"app", "cmake", "examples", "kernels", "meshes", "scripts", "solver", "tests", "validation"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || entry.path().extension() == ".md" ||
          entry.path().string().find("corpus") != std::string::npos)
        continue;
      const std::string text = text_of_file(entry.path());
      for (std::sregex_iterator match(text.begin(), text.end(), word), end; match != end; ++match)
        words.insert(match->str());
    }
  }
  return words;
}

/// Names in backquotes that are no words of the tree: of `Model::derived`, `begin_apart`, `LineSums`; not plain words,
/// unless a class stands before them. Sketches of code, which invent theirs, stand between fences.
std::vector<std::string> unknown_names(const std::string& text, const std::set<std::string>& words) {
  static const std::regex fenced("```[^`]*```");
  static const std::regex quoted("`([A-Za-z][^`\\n]*)`");
  static const std::regex name("(::)?([A-Za-z_][A-Za-z0-9_]*)");
  static const std::regex file(".*(/|\\.[a-z]+$).*");
  static const std::regex plain("[A-Z]?[a-z0-9]*");
  std::vector<std::string> unknown;
  const std::string prose = std::regex_replace(text, fenced, "");
  for (std::sregex_iterator quote(prose.begin(), prose.end(), quoted), end; quote != end; ++quote) {
    const std::string inside = (*quote)[1];
    if (std::regex_match(inside, file)) continue;
    for (std::sregex_iterator match(inside.begin(), inside.end(), name); match != end; ++match) {
      const std::string word = (*match)[2];
      const bool counts = (*match)[1].matched || !std::regex_match(word, plain);
      if (counts && words.count(word) == 0) unknown.push_back(word);
    }
  }
  return unknown;
}

TEST(Structure, TheDeveloperGuideNamesWhatThereIs) {
  const auto words = words_of_the_tree();
  const std::string guide = text_of_file(root / "docs" / "developer.md");
  ASSERT_GT(guide.size(), 10'000U);
  for (const std::string& name : unknown_names(guide, words)) ADD_FAILURE() << "docs/developer.md names " << name;
  const std::string old = std::string("Backend") + "Ops";
  const std::string plain = std::string("der") + "ives";
  EXPECT_EQ(unknown_names("`Model::derived`, `" + old + "<Launcher>`, `a plain word`, `Model::" + plain + "`", words),
            (std::vector<std::string>{old, plain}));
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
      if (!is_source(entry.path()) || entry.path().extension() == ".in") continue;
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

// --- sizes ------------------------------------------------------------------------------------------

constexpr std::size_t longest_file = 450;
constexpr std::size_t longest_function = 60;
/// What the comment of a function that is longer says, before it gives the reason.
const std::string reason_for_length = "Long because";

std::vector<std::string> lines_of(std::istream& stream) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// C++ with comments, directives and the inside of literals blanked out, so that its braces are what they seem.
std::string code_of(const std::vector<std::string>& lines) {
  std::string text;
  bool continues = false;  // a directive
  for (const std::string& line : lines) {
    const auto first = line.find_first_not_of(' ');
    const bool is_directive = continues || (first != std::string::npos && line[first] == '#');
    continues = is_directive && line.back() == '\\';
    text += (is_directive ? "" : line) + "\n";
  }
  const auto blank = [&](std::size_t begin, std::size_t end) {
    for (std::size_t k = begin; k < std::min(end, text.size()); ++k) text[k] = text[k] == '\n' ? '\n' : ' ';
  };
  for (std::size_t k = 0; k < text.size(); ++k) {
    const char before = k > 0 ? text[k - 1] : ' ';
    if (text.compare(k, 2, "//") == 0) {
      blank(k, text.find('\n', k));
    } else if (text.compare(k, 2, "/*") == 0) {
      blank(k, text.find("*/", k) + 2);
    } else if (text.compare(k, 3, "R\"(") == 0) {
      blank(k, text.find(")\"", k) + 2);
    } else if (text[k] == '"' || (text[k] == '\'' && std::isalnum(static_cast<unsigned char>(before)) == 0)) {
      std::size_t end = k + 1;
      while (end < text.size() && text[end] != text[k]) end += text[end] == '\\' ? 2 : 1;
      blank(k, end + 1);
    }
  }
  return text;
}

struct FunctionExtent {
  std::size_t first = 0;  ///< lines from 0: of its name and arguments
  std::size_t last = 0;   ///< of the brace that closes it

  std::size_t lines() const { return last - first + 1; }
};

/// Functions with bodies. Braces that hold other declarations are opened; what stands in any other is one piece, and a
/// piece goes on behind a brace that a comma or another brace follows (a list of initialisers before a body).
class Functions {
 public:
  explicit Functions(const std::string& code) {
    for (std::size_t k = 0; k < code.size(); ++k) {
      if (code[k] == '\n') ++line_;
      if (code[k] == '{') {
        open();
      } else if (code[k] == '}') {
        close(k, code);
      } else if (code[k] == ';' && depth_ == 0 && parentheses_ == 0) {
        head_.clear();
      } else if (depth_ == 0) {
        take(code[k]);
      }
    }
    is_balanced_ = is_balanced_ && depth_ == 0 && scopes_ == 0;
  }
  const std::vector<FunctionExtent>& found() const { return found_; }
  bool is_balanced() const { return is_balanced_; }

 private:
  void take(char c) {
    if (c == '(') ++parentheses_;
    if (c == ')') --parentheses_;
    if (head_.empty()) {
      if (std::isspace(static_cast<unsigned char>(c)) != 0) return;
      first_ = line_;
    }
    head_ += c;
    static const std::regex access("(public|private|protected):");
    if (c == ':' && std::regex_match(head_, access)) head_.clear();
  }
  void open() {
    static const std::regex scope("^(template <.*> *)?(inline )?(namespace|class|struct|union|enum|extern)\\b[^(=]*$");
    if (depth_ > 0 || parentheses_ > 0 || !std::regex_search(flat(head_), scope)) {
      ++depth_;
      return;
    }
    ++scopes_;
    head_.clear();
  }
  void close(std::size_t k, const std::string& code) {
    if (depth_ == 0) {
      is_balanced_ = is_balanced_ && scopes_ > 0;
      --scopes_;
      head_.clear();
      return;
    }
    if (--depth_ > 0 || parentheses_ > 0) return;
    const std::size_t next = code.find_first_not_of(" \n", k + 1);
    if (next != std::string::npos && (code[next] == ',' || code[next] == '{')) return;
    if (head_.find('(') != std::string::npos) found_.push_back({first_, line_});
    head_.clear();
  }
  static std::string flat(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  }

  std::size_t line_ = 0;
  std::size_t first_ = 0;
  std::string head_;     ///< of the declaration at hand, up to its brace
  int depth_ = 0;        ///< of braces within it
  int parentheses_ = 0;  ///< of its head
  int scopes_ = 0;
  bool is_balanced_ = true;
  std::vector<FunctionExtent> found_;
};

/// Does the comment right above a line give the reason?
bool gives_reason(const std::vector<std::string>& lines, std::size_t line) {
  static const std::regex comment("^\\s*//");
  while (line-- > 0 && std::regex_search(lines[line], comment)) {
    if (lines[line].find(reason_for_length) != std::string::npos) return true;
  }
  return false;
}

/// What is too long in a file.
std::vector<std::string> oversizes(const std::string& name, const std::vector<std::string>& lines) {
  std::vector<std::string> problems;
  if (lines.size() > longest_file) problems.push_back(name + " is too long");
  const Functions functions(code_of(lines));
  if (!functions.is_balanced()) problems.push_back(name + ": its braces do not match");
  for (const FunctionExtent& function : functions.found()) {
    if (function.lines() > longest_function && !gives_reason(lines, function.first))
      problems.push_back(name + ":" + std::to_string(function.first + 1) + " has " + std::to_string(function.lines()) +
                         " lines: " + lines[function.first]);
  }
  return problems;
}

TEST(Structure, FilesAndFunctionsFitOnAScreen) {
  std::size_t files = 0;
  std::size_t functions = 0;
  for (const char* folder : {"meshes", "kernels", "solver", "validation", "app"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!is_source(entry.path()) || entry.path().extension() == ".in") continue;
      std::ifstream stream(entry.path());
      const auto lines = lines_of(stream);
      for (const std::string& problem : oversizes(fs::relative(entry.path(), root).string(), lines))
        ADD_FAILURE() << problem;
      ++files;
      functions += Functions(code_of(lines)).found().size();
    }
  }
  EXPECT_GT(files, 200U);
  EXPECT_GT(functions, 2000U);
}

/// A function after `head`, whose body has so many lines.
std::string function_text(const std::string& head, std::size_t body) {
  std::string text = head + " {\n";
  for (std::size_t k = 0; k < body; ++k) text += k % 2 == 0 ? "  if (a) {  // }\n" : "  }\n";
  return text + "}\n";
}

TEST(Structure, LongFilesAndFunctionsAreFound) {
  const auto count = [](const std::string& text) {
    std::istringstream stream(text);
    return oversizes("solver/planted.cpp", lines_of(stream)).size();
  };
  const std::size_t fits = longest_function - 2;
  EXPECT_EQ(count(function_text("int f(int a)", fits)), 0U);
  EXPECT_EQ(count(function_text("int f(int a)", fits + 2)), 1U);
  EXPECT_EQ(count(function_text("/// Long because it is planted.\nint f(int a)", fits + 2)), 0U);
  EXPECT_EQ(count(function_text("/// Long.\nint f(int a)", fits + 2)), 1U);
  EXPECT_EQ(count(function_text("int f(int a,\n      int b)", fits)), 1U);
  EXPECT_EQ(count("class A {\n public:\n" + function_text("  A()\n  : a_{1},\n  b_(2)", fits) + "};\n"), 1U);
  EXPECT_EQ(count("class A {\n public:\n" + function_text("  A() : a_{1}", fits) + "};\n"), 0U);
  EXPECT_EQ(count("namespace a {\n" + function_text("template <class T>\nT f(T a)", fits) + "}\n"), 1U);
  EXPECT_EQ(count(function_text("int f(int a)", fits) + function_text("int g(int a)", fits)), 0U);
  EXPECT_EQ(count("int f(int a) {\n" + function_text("  const auto g = [&](int b)", fits) + ";\n}\n"), 1U);
  EXPECT_EQ(count("const char* a = \"{\";\nconst char b = '{';\nint c = 1'000;\n"), 0U);
  EXPECT_EQ(count("int f() {\n"), 1U);
  std::string many;
  for (std::size_t k = 0; k < longest_file; ++k) many += "int a;\n";
  EXPECT_EQ(count(many), 0U);
  EXPECT_EQ(count(many + "int b;\n"), 1U);
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
