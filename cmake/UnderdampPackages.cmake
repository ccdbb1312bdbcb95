# The libraries as the system has them. Where a distribution ships no CMake package, a target is made here.
find_package(Eigen3 3.3 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

find_package(Boost 1.71 QUIET)
if(NOT TARGET Boost::headers)
  find_path(UNDERDAMP_BOOST_INCLUDE boost/math/tools/minima.hpp REQUIRED)
  add_library(Boost::headers INTERFACE IMPORTED)
  target_include_directories(Boost::headers INTERFACE "${UNDERDAMP_BOOST_INCLUDE}")
endif()

find_package(tomlplusplus QUIET)
if(NOT TARGET tomlplusplus::tomlplusplus)
  find_path(UNDERDAMP_TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
  add_library(tomlplusplus::tomlplusplus INTERFACE IMPORTED)
  target_include_directories(tomlplusplus::tomlplusplus INTERFACE "${UNDERDAMP_TOMLPLUSPLUS_INCLUDE}")
endif()

find_package(muparser QUIET)
if(NOT TARGET muparser::muparser)
  find_path(UNDERDAMP_MUPARSER_INCLUDE muParser.h REQUIRED)
  find_library(UNDERDAMP_MUPARSER_LIBRARY muparser REQUIRED)
  add_library(muparser::muparser UNKNOWN IMPORTED)
  set_target_properties(muparser::muparser PROPERTIES
    IMPORTED_LOCATION "${UNDERDAMP_MUPARSER_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${UNDERDAMP_MUPARSER_INCLUDE}")
endif()

find_path(UNDERDAMP_RANDOM123_INCLUDE Random123/philox.h REQUIRED)
add_library(underdamp_random123 INTERFACE)
target_include_directories(underdamp_random123 SYSTEM INTERFACE "${UNDERDAMP_RANDOM123_INCLUDE}")

find_path(UNDERDAMP_SPECTRA_INCLUDE Spectra/GenEigsSolver.h REQUIRED)
add_library(underdamp_spectra INTERFACE)
target_include_directories(underdamp_spectra SYSTEM INTERFACE "${UNDERDAMP_SPECTRA_INCLUDE}")

if(UNDERDAMP_TESTS)
  find_package(GTest REQUIRED)
endif()
