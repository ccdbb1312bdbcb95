# What a CUDA compiler of some version can compile for.

# underdamp_nvcc_version(COMPILER RESULT): 12.4 and the like; 0 if the compiler does not say.
function(underdamp_nvcc_version compiler result)
  execute_process(COMMAND "${compiler}" --version OUTPUT_VARIABLE text ERROR_QUIET)
  if(text MATCHES "release ([0-9]+\\.[0-9]+)")
    set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
  else()
    set(${result} 0 PARENT_SCOPE)
  endif()
endfunction()

# underdamp_cuda_architectures(VERSION RESULT): code for A100 and H100, for B200 where the compiler knows it, and what
# drivers of later GPUs can translate. C++20 needs CUDA 12.
function(underdamp_cuda_architectures version result)
  set(architectures 80-real 90-real)
  if(version VERSION_GREATER_EQUAL 12.8)
    list(APPEND architectures 100-real)
  endif()
  list(APPEND architectures 90-virtual)
  set(${result} "${architectures}" PARENT_SCOPE)
endfunction()
