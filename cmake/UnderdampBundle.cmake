# The libraries from a folder that scripts/offline-bundle made, in place of installed ones: headers, and the sources of
# muParser and GoogleTest, which are compiled along.
get_filename_component(underdamp_bundle "${UNDERDAMP_BUNDLE}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
if(NOT EXISTS "${underdamp_bundle}/include/Eigen/Core")
  message(FATAL_ERROR "UNDERDAMP_BUNDLE: ${underdamp_bundle} holds no libraries. Make the folder by scripts/offline-bundle on a machine "
                      "with a network, copy it here, and name it by -DUNDERDAMP_BUNDLE=FOLDER.")
endif()
message(STATUS "Libraries: from ${underdamp_bundle}")

add_library(underdamp_bundle INTERFACE)
target_include_directories(underdamp_bundle SYSTEM INTERFACE "${underdamp_bundle}/include")
target_compile_definitions(underdamp_bundle INTERFACE FMT_HEADER_ONLY)
# GCC 13 sees copies beyond the end of fmt's small buffers that are none.
target_compile_options(underdamp_bundle INTERFACE
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-array-bounds;-Wno-stringop-overflow>")
foreach(target Boost::headers CLI11::CLI11 Eigen3::Eigen fmt::fmt nlohmann_json::nlohmann_json tomlplusplus::tomlplusplus)
  add_library(${target} INTERFACE IMPORTED)
  target_link_libraries(${target} INTERFACE underdamp_bundle)
endforeach()
foreach(target underdamp_random123 underdamp_spectra)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE underdamp_bundle)
endforeach()

file(GLOB muparser_sources "${underdamp_bundle}/muparser/src/*.cpp")
add_library(underdamp_muparser STATIC ${muparser_sources})
target_include_directories(underdamp_muparser SYSTEM PUBLIC "${underdamp_bundle}/muparser/include")
add_library(muparser::muparser ALIAS underdamp_muparser)

if(UNDERDAMP_TESTS)
  set(googletest "${underdamp_bundle}/googletest")
  add_library(underdamp_googletest STATIC "${googletest}/src/gtest-all.cc" "${googletest}/src/gtest_main.cc")
  target_include_directories(underdamp_googletest SYSTEM PUBLIC "${googletest}/include" PRIVATE "${googletest}")
  target_link_libraries(underdamp_googletest PUBLIC Threads::Threads)
  add_library(GTest::gtest ALIAS underdamp_googletest)
  add_library(GTest::gtest_main ALIAS underdamp_googletest)
endif()
