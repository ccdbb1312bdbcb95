# Libraries of solver/ and app/. Where a distribution ships no CMake package, a target is made here.
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

enable_language(C)  # FindHDF5 looks for the C library
find_package(HDF5 REQUIRED COMPONENTS C)
add_library(underdamp_hdf5 INTERFACE)
target_include_directories(underdamp_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_compile_definitions(underdamp_hdf5 INTERFACE ${HDF5_C_DEFINITIONS})
target_link_libraries(underdamp_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

find_path(UNDERDAMP_RANDOM123_INCLUDE Random123/philox.h REQUIRED)
add_library(underdamp_random123 INTERFACE)
target_include_directories(underdamp_random123 SYSTEM INTERFACE "${UNDERDAMP_RANDOM123_INCLUDE}")

# Spectra has headers only.
find_path(UNDERDAMP_SPECTRA_INCLUDE Spectra/GenEigsSolver.h REQUIRED)
add_library(underdamp_spectra INTERFACE)
target_include_directories(underdamp_spectra SYSTEM INTERFACE "${UNDERDAMP_SPECTRA_INCLUDE}")

# SuiteSparse packages without CMake files are common.
if(UNDERDAMP_UMFPACK)
  find_path(UNDERDAMP_UMFPACK_INCLUDE umfpack.h PATH_SUFFIXES suitesparse)
  find_library(UNDERDAMP_UMFPACK_LIBRARY umfpack)
  if(NOT UNDERDAMP_UMFPACK_INCLUDE OR NOT UNDERDAMP_UMFPACK_LIBRARY)
    message(FATAL_ERROR "UMFPACK was not found. Install it (Debian: libsuitesparse-dev), or configure with -DUNDERDAMP_UMFPACK=OFF: "
                        "direct stationary solutions then come from Eigen and take up to 1.5 times as long.")
  endif()
  add_library(underdamp_umfpack INTERFACE)
  target_include_directories(underdamp_umfpack SYSTEM INTERFACE "${UNDERDAMP_UMFPACK_INCLUDE}")
  target_link_libraries(underdamp_umfpack INTERFACE "${UNDERDAMP_UMFPACK_LIBRARY}")
endif()

if(UNDERDAMP_VTK)
  find_package(VTK QUIET COMPONENTS CommonCore CommonDataModel CommonMisc IOXML)
  if(NOT VTK_FOUND)
    message(FATAL_ERROR "VTK was not found. Install it (Debian: libvtk9-dev), or configure with -DUNDERDAMP_VTK=OFF: "
                        "runs then write no pictures.")
  endif()
endif()

foreach(part VTK UMFPACK)
  if(UNDERDAMP_${part})
    message(STATUS "${part}: used")
  else()
    message(STATUS "${part}: left out (UNDERDAMP_${part}=OFF)")
  endif()
endforeach()
