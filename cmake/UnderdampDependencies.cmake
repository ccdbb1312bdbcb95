# Libraries of solver/ and app/: those that every build needs, from the system or from a bundle, and those that can be
# left out.
if(UNDERDAMP_BUNDLE)
  include(UnderdampBundle)
else()
  include(UnderdampPackages)
endif()

if(UNDERDAMP_HDF5)
  enable_language(C)  # FindHDF5 looks for the C library
  find_package(HDF5 QUIET COMPONENTS C)
  if(NOT HDF5_FOUND)
    message(FATAL_ERROR "HDF5 was not found. Install it (Debian: libhdf5-dev), or configure with -DUNDERDAMP_HDF5=OFF: "
                        "runs then write no checkpoints.")
  endif()
  add_library(underdamp_hdf5 INTERFACE)
  target_include_directories(underdamp_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
  target_compile_definitions(underdamp_hdf5 INTERFACE ${HDF5_C_DEFINITIONS})
  target_link_libraries(underdamp_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
endif()

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

foreach(part HDF5 UMFPACK VTK)
  if(UNDERDAMP_${part})
    message(STATUS "${part}: used")
  else()
    message(STATUS "${part}: left out (UNDERDAMP_${part}=OFF)")
  endif()
endforeach()
