#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "solver/spec/key_list.hpp"
#include "solver/spec/key_rules.hpp"
#include "solver/spec/resolved_spec.hpp"
#include "tests/test_support.hpp"

/// The keys of a spec are described once: what is read, written back, listed, documented and fed to the fuzzer are the
/// same ones.
namespace underdamp {
namespace {

const std::string source = UNDERDAMP_SOURCE_FOLDER;

std::string content_of(const std::string& file) {
  std::ifstream stream(source + "/" + file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A row of a table in docs/spec.md.
struct Row {
  std::vector<std::string> cells;
  std::set<std::string> names;  ///< in backticks in its first cell
  std::size_t default_cell;     ///< number of the cell under "default", 0 if there is none

  std::string text() const {
    std::string all;
    for (const std::string& cell : cells) all += cell + "|";
    return all;
  }
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) cells.push_back(cell);
  return cells;
}

/// The rows under each heading of a table of the spec; "" for the top level. Tables whose first column is not "key" are
/// others'.
std::map<std::string, std::vector<Row>> documented_rows(const std::string& text) {
  std::map<std::string, std::vector<Row>> rows;
  std::istringstream stream(text);
  std::string table;
  std::vector<std::string> heads;
  for (std::string line; std::getline(stream, line);) {
    std::smatch found;
    if (std::regex_match(line, found, std::regex("## `\\[(\\w+)\\]`"))) table = found[1];
    if (line.empty() || line[0] != '|') {
      heads.clear();
      continue;
    }
    if (heads.empty()) {
      heads = cells_of(line);
      continue;
    }
    if (heads[0] != " key " || line[1] == '-') continue;
    Row row{cells_of(line), {}, 0};
    const std::regex name("`(\\w+)`");
    const std::string& first = row.cells[0];
    for (auto k = std::sregex_iterator(first.begin(), first.end(), name); k != std::sregex_iterator(); ++k)
      row.names.insert((*k)[1]);
    for (std::size_t k = 0; k < heads.size(); ++k) {
      if (heads[k] == " default ") row.default_cell = k;
    }
    rows[table].push_back(row);
  }
  return rows;
}

/// The row has the words, the range and the default of the key.
bool agrees(const Row& row, const KeyDescription& key) {
  const std::string text = row.text();
  const auto says = [&](const std::string& part) { return text.find(part) != std::string::npos; };
  const bool knows_words = std::all_of(key.words.begin(), key.words.end(), [&](const std::string& word) {
    return says("`\"" + word + "\"`") || says("`" + word + "`");
  });
  const bool knows_default = row.default_cell > 0 && row.default_cell < row.cells.size() &&
                             row.cells[row.default_cell].find(key.value) != std::string::npos;
  return knows_words && says(key.range) && says(key.kind) && knows_default;
}

std::vector<std::string> disagreements(const std::string& text) {
  const auto rows = documented_rows(text);
  std::vector<std::string> problems;
  for (const KeyDescription& key : key_list()) {
    const auto found = rows.find(key.table);
    const bool is_documented =
        found != rows.end() && std::any_of(found->second.begin(), found->second.end(), [&](const Row& row) {
          return row.names.count(key.name) > 0 && agrees(row, key);
        });
    if (!is_documented) problems.push_back(key.table + "." + key.kind + "." + key.name);
  }
  for (const auto& [table, of_table] : rows) {
    const auto known = key_names(table);
    for (const Row& row : of_table) {
      for (const std::string& name : row.names) {
        if (std::find(known.begin(), known.end(), name) == known.end())
          problems.push_back(table + " has no key " + name);
      }
    }
  }
  return problems;
}

TEST(SpecKeys, AreDocumentedWithRangeDefaultAndWords) {
  for (const std::string& problem : disagreements(content_of("docs/spec.md"))) ADD_FAILURE() << problem;
}

TEST(SpecKeys, WhatTheDocumentsSayWrongIsFound) {
  const std::string text = content_of("docs/spec.md");
  const auto changed = [&](const std::string& part, const std::string& other) {
    std::string copy = text;
    const auto at = copy.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    copy.replace(at, part.size(), other);
    return disagreements(copy);
  };
  using Problems = std::vector<std::string>;
  EXPECT_EQ(changed("[0, 1)", "[0, 1]"), Problems{"optimizer..momentum"});
  EXPECT_EQ(changed("| `points` | whole number | 121", "| `points` | whole number | 120"),
            Problems{"displacement..points"});
  EXPECT_EQ(changed("`\"arnoldi\"`, ", ""), Problems{});  // said again by the meaning of the same row
  EXPECT_EQ(changed("`\"euler\"`, ", ""), Problems{"ensemble..integrator"});
  EXPECT_EQ(changed("| `minimum` | quadratic", "| `minimum` | table"), Problems{"loss.quadratic.minimum"});
  EXPECT_EQ(changed("| `seed` ", "| `sead` "), (Problems{"ensemble..seed", "ensemble has no key sead"}));
}

TEST(SpecKeys, TheFuzzerKnowsEveryWord) {
  const std::string dictionary = content_of("tests/fuzz/spec.dict");
  const auto knows = [&](const std::string& part) { return dictionary.find(part) != std::string::npos; };
  EXPECT_FALSE(knows("\\x0alearning_rat="));
  EXPECT_FALSE(knows("\\x22sigmoid\\x22"));
  for (const std::string& table : table_names()) EXPECT_TRUE(knows("\\x0a[" + table + "]\\x0a")) << table;
  for (const KeyDescription& key : key_list()) {
    EXPECT_TRUE(knows("\\x0a" + key.name + "=")) << key.name;
    for (const std::string& word : key.words) EXPECT_TRUE(knows("\\x22" + word + "\\x22")) << word;
  }
}

TEST(SpecKeys, DescriptionsByHand) {
  const auto find = [](const std::string& table, const std::string& kind, const std::string& name) {
    for (const KeyDescription& key : key_list()) {
      if (key.table == table && key.kind == kind && key.name == name) return key;
    }
    return KeyDescription{};
  };
  const auto expect = [&](const KeyDescription& key, const std::string& type, const std::string& range,
                          const std::string& value) {
    EXPECT_EQ(key.type, type) << key.name;
    EXPECT_EQ(key.range, range) << key.name;
    EXPECT_EQ(key.value, value) << key.name;
  };
  expect(find("langevin", "", "friction"), "number", "> 0", "required");
  expect(find("langevin", "", "temperature"), "number", "> 0", "");
  expect(find("loss", "quadratic", "hessian"), "number", "≥ 0", "1");
  expect(find("loss", "dataset", "modes"), "\"all\" or a list of whole numbers", "", "\"all\"");
  expect(find("grid", "", "cells"), "two whole numbers", "16 … 16384", "[128, 128]");
  expect(find("evolve", "", "until"), "number", "> 0", "");
  expect(find("evolve", "", "tolerance"), "number", "1e-13 … 0.1", "1e-6");
  expect(find("ensemble", "", "particles"), "whole number", "100 … 1e12", "1e6");
  expect(find("ensemble", "", "seed"), "whole number", "≥ 0", "1");
  expect(find("output", "", "fields"), "list of words", "", R"(["density", "current"])");
  EXPECT_EQ(find("stationary", "", "method").words, (std::vector<std::string>{"auto", "arnoldi", "direct", "evolve"}));
  const std::vector<std::string> of_loss = key_names("loss");
  EXPECT_EQ(of_loss.size(), 21U);
  EXPECT_EQ(std::set<std::string>(of_loss.begin(), of_loss.end()).size(), of_loss.size());
  EXPECT_EQ(table_names().size(), 12U);
}

TEST(SpecKeys, ShortNumbers) {
  EXPECT_EQ(short_number(0.0), "0");
  EXPECT_EQ(short_number(0.1), "0.1");
  EXPECT_EQ(short_number(1e-6), "1e-6");
  EXPECT_EQ(short_number(1e-13), "1e-13");
  EXPECT_EQ(short_number(16384.0), "16384");
  EXPECT_EQ(short_number(100000.0), "100000");
  EXPECT_EQ(short_number(3e6), "3e6");
  EXPECT_EQ(short_number(1234567.0), "1234567");
  EXPECT_EQ(short_number(1e12), "1e12");
  EXPECT_EQ(short_number(-2e7), "-2e7");
}

// --- what is written back reads the same -------------------------------------------------------------

/// Values of JSON are values of TOML.
std::string toml_of(const Json& spec) {
  std::string top;
  std::string tables;
  for (const auto& [name, value] : spec.items()) {
    if (!value.is_object()) {
      top += name + " = " + value.dump() + "\n";
      continue;
    }
    tables += "[" + name + "]\n";
    for (const auto& [key, of_key] : value.items()) {
      const bool is_second_end = key == "until" && value.contains("steps");
      const bool is_of_datasets = (key == "sampling" || key == "runs") && spec["loss"]["kind"] != "dataset";
      if (!is_second_end && !is_of_datasets) tables += key + " = " + of_key.dump() + "\n";
    }
  }
  return top + tables;
}

class WrittenBack : public ::testing::TestWithParam<const char*> {};

TEST_P(WrittenBack, ReadsTheSame) {
  const Json first = resolved_spec(testing::spec_from(GetParam()));
  const Json second = resolved_spec(testing::spec_from(toml_of(first)));
  EXPECT_EQ(first.dump(), second.dump());
}

#define OPTIMIZER "[optimizer]\nlearning_rate = 0.1\nmomentum = 0.9\nbatch_size = 10\nweight_decay = 0.01\n"
#define NOISE "[noise]\nkind = \"isotropic\"\nsigma2 = 1.5\n"
INSTANTIATE_TEST_SUITE_P(
    Specs, WrittenBack,
    ::testing::Values(
        "title = \"t\"\n[langevin]\nfriction = 1\ntemperature = 0.5\n[loss]\nkind = \"quadratic\"\nhessian = 2\n"
        "minimum = 0.5\n[evolve]\nuntil = 3\nstep = 0.01\nframes = 10\npositivity = \"none\"\n",
        OPTIMIZER "[loss]\nkind = \"polynomial\"\ncoefficients = [0, 0, 0.5, 0, 0.1]\n[noise]\nkind = \"hessian\"\n"
                  "sigma2 = 2\n[evolve]\nsteps = 30\nevery = 0.5\nprecision = \"float32\"\n",
        OPTIMIZER "[loss]\nkind = \"expression\"\nformula = \"x^4/4\"\n[noise]\nkind = \"constant\"\n"
                  "covariance = [[2.0]]\n[grid]\ncells = [64, 48]\ntheta = [-3, \"pi\"]\n"
                  "theta_boundary = [\"reflecting\", \"open\"]\n[stationary]\nmethod = \"direct\"\nmodes = 3\n",
        "dynamics = \"sgd\"\n" OPTIMIZER
        "[loss]\nkind = \"quadratic\"\n[noise]\nkind = \"expression\"\nformula = \"1 + x^2\"\n[evolve]\nsteps = 7\n"
        "[ensemble]\nparticles = 1000\nseed = 3\n[output]\ndirectory = \"d\"\nprecision = \"float64\"\n",
        OPTIMIZER "[loss]\nkind = \"spectrum\"\neigenvalues = [1.0, 2.0]\nweights = [1, 2]\nnegative = \"drop\"\n" NOISE
                  "[initial]\nkind = \"gaussian\"\nmean = [0.5, 0.1]\ncovariance = [[1, 0.1], [0.1, 1]]\n"
                  "[displacement]\nstart = \"initial\"\nuntil = 10\nfrom = 0.1\npoints = 21\nfit = [1, 5]\n",
        OPTIMIZER "[loss]\nkind = \"spectrum\"\nformula = \"h*x^2/2+x^4\"\nlaw = \"power\"\nalpha = 1.5\nmin = 0.01\n"
                  "max = 10\ncount = 20\nparameters = 100\n" NOISE
                  "[initial]\nkind = \"uniform\"\ntheta = [-1, 1]\n[ensemble]\nintegrator = \"euler\"\nstep = 0.01\n"
                  "[checkpoint]\nevery_seconds = 3\n[output]\nfields = [\"density\", \"generator\"]\n"));

}  // namespace
}  // namespace underdamp
