#pragma once
#include <string>
#include <vector>

/// What a spec may say, from the tables of spec_keys.hpp.
namespace underdamp {

struct KeyDescription {
  std::string table;  ///< empty at the top level
  std::string kind;   ///< word of the key `kind` that this key belongs to; empty: to all
  std::string name;
  std::string type;                ///< "number", "whole number", "word", …
  std::string range;               ///< "> 0", "16 … 16384"; empty: any
  std::string value;               ///< default as it would be written; "required"; empty: none
  std::vector<std::string> words;  ///< that may stand there
};

/// Every key, in the order of docs/spec.md. A key that several kinds share is there once for each.
const std::vector<KeyDescription>& key_list();

/// Names of the tables.
std::vector<std::string> table_names();

/// Names of the keys of a table, each once.
std::vector<std::string> key_names(const std::string& table);

/// The list for readers: a line for each key.
std::string key_list_text();

}  // namespace underdamp
