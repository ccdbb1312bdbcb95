# What spreads the loops of the host over its processors: underdamp_kokkos, the host part of Kokkos, or the standard
# library alone. UNDERDAMP_HOST_WORKERS says which in words.
#
# Debian's Trilinos package sets Kokkos_INCLUDE_DIRS and Kokkos_LIBRARIES, and its Kokkos::kokkos target names an include
# directory that does not exist; a Kokkos of its own sets neither and its target is right.
find_package(Threads REQUIRED)
set(UNDERDAMP_HOST_WORKERS "std::thread")
if(UNDERDAMP_KOKKOS)
  find_package(Kokkos QUIET)
  if(NOT Kokkos_FOUND)
    message(FATAL_ERROR "Kokkos was not found. Install it (Debian: libtrilinos-kokkos-dev, Ubuntu: libkokkos-dev), or configure with "
                        "-DUNDERDAMP_KOKKOS=OFF: threads of the standard library then do the loops of the host.")
  endif()
  set(UNDERDAMP_HOST_WORKERS "Kokkos ${Kokkos_VERSION}")
  add_library(underdamp_kokkos INTERFACE)
  if(Kokkos_INCLUDE_DIRS AND Kokkos_LIBRARIES)
    set(kokkos_core ${Kokkos_LIBRARIES})
    list(FILTER kokkos_core INCLUDE REGEX "kokkoscore$")
    set(kokkos_include "${Kokkos_INCLUDE_DIRS}")
    list(TRANSFORM kokkos_include REPLACE "/$" "")
    target_include_directories(underdamp_kokkos SYSTEM INTERFACE ${kokkos_include})
    target_link_directories(underdamp_kokkos INTERFACE ${Kokkos_LIBRARY_DIRS})
    target_link_libraries(underdamp_kokkos INTERFACE ${kokkos_core} ${CMAKE_DL_LIBS})
  else()
    target_link_libraries(underdamp_kokkos INTERFACE Kokkos::kokkos)
  endif()
endif()
message(STATUS "Loops of the host: ${UNDERDAMP_HOST_WORKERS}")
