#pragma once
#include <string>

#include "kernels/make_backend.hpp"

/// One function for each command of the program; each returns the exit code.
namespace underdamp {

struct RunArguments {
  std::string spec;
  std::string output;
  DeviceChoice device = DeviceChoice::automatic;
  bool quiet = false;
};

struct VerifyArguments {
  std::string spec;
  DeviceChoice device = DeviceChoice::automatic;
  std::string json;
  std::string junit;
  std::string baseline;
  bool quiet = false;
};

int run_command(const RunArguments& arguments);
int verify_command(const VerifyArguments& arguments);
int check_command(const std::string& spec);
int new_command(const std::string& name, bool list);
int info_command();

}  // namespace underdamp
