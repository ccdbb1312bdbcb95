# Compiler flags of every target of the project: link underdamp_options.
add_library(underdamp_options INTERFACE)
target_include_directories(underdamp_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)

set(cxx_only $<COMPILE_LANGUAGE:CXX>)
target_compile_options(underdamp_options INTERFACE
  $<${cxx_only}:-Wall -Wextra -Wshadow -Wpedantic -Wnon-virtual-dtor -Wold-style-cast>)
if(UNDERDAMP_WERROR)
  target_compile_options(underdamp_options INTERFACE $<${cxx_only}:-Werror>)
endif()
# GCC 12 sees overlapping copies in std::string that are none (its bug 105329).
target_compile_options(underdamp_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)

# Kernels of the host are compiled for the processor of this machine; nothing else gains from it.
add_library(underdamp_native INTERFACE)
if(UNDERDAMP_NATIVE)
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-march=native underdamp_has_march_native)
  if(underdamp_has_march_native)
    target_compile_options(underdamp_native INTERFACE $<${cxx_only}:-march=native>)
  endif()
endif()
if(UNDERDAMP_STRICT_FP)
  target_compile_options(underdamp_options INTERFACE
    $<${cxx_only}:-ffp-contract=off> $<$<COMPILE_LANGUAGE:CUDA>:--fmad=false>)
else()
  target_compile_options(underdamp_options INTERFACE $<${cxx_only}:-ffp-contract=fast>)
endif()
