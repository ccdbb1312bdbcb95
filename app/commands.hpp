#pragma once
#include <string>
#include <vector>

#include "kernels/devices/make_backend.hpp"

/// One function for each command of the program; each returns the exit code.
namespace underdamp {

struct RunArguments {
  std::string spec;
  std::string output;
  DeviceChoice device = DeviceChoice::automatic;
  bool sync = false;  ///< wait after each kernel of a GPU
  bool resume = false;
  bool restart = false;
  bool quiet = false;
};

struct VerifyArguments {
  std::string spec;
  DeviceChoice device = DeviceChoice::automatic;
  bool sync = false;  ///< wait after each kernel of a GPU
  std::string json;
  std::string junit;
  std::string baseline;
  bool quiet = false;
};

struct BenchArguments {
  DeviceChoice device = DeviceChoice::automatic;  ///< automatic: every device that works
  bool sync = false;                              ///< wait after each kernel of a GPU
  std::string json;
  int dimensions = 1;                          ///< parameters d: planes (θ, v), or phase spaces of 2 d dimensions
  std::vector<int> sizes;                      ///< cells along every axis; empty: those of bench_sizes()
  std::vector<int> batches = {16, 128, 1024};  ///< planes of 128 × 128 cells
  double seconds = 0.5;                        ///< for each figure
  Precision precision = Precision::float64;
};

struct PlotArguments {
  std::string run;     ///< output directory of a run
  std::string folder;  ///< for the figures; empty: plots/ in it
};

int run_command(const RunArguments& arguments);
int verify_command(const VerifyArguments& arguments);
int check_command(const std::string& spec);
int new_command(const std::string& name, bool list);
int new_keys_command();
/// Does not return if Python can be started: it becomes the script that makes the figures.
int plot_command(const PlotArguments& arguments);
int info_command();
/// What `sizes` are where none are given.
std::vector<int> bench_sizes(int dimensions);
int bench_command(const BenchArguments& arguments);

}  // namespace underdamp
