# underdamp_kokkos: the host part of Kokkos.
#
# Debian's Trilinos package sets Kokkos_INCLUDE_DIRS and Kokkos_LIBRARIES, and its Kokkos::kokkos target names an include
# directory that does not exist; a Kokkos of its own sets neither and its target is right.
find_package(Kokkos REQUIRED)
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
