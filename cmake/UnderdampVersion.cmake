# generated/version.hpp: what `underdamp info` and summary.json say about this build.
#
# The commit: what git says of this folder; else what `git archive` wrote into commit.txt; else what -DUNDERDAMP_COMMIT
# says.
set(UNDERDAMP_COMMIT "unknown" CACHE STRING "Commit of these sources, where neither git nor an archive of it can tell")
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/commit.txt" archived_commit LIMIT_COUNT 1)
if(NOT archived_commit MATCHES "Format")
  string(SUBSTRING "${archived_commit}" 0 12 UNDERDAMP_COMMIT)
endif()
find_package(Git QUIET)
if(GIT_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
  execute_process(COMMAND "${GIT_EXECUTABLE}" describe --always --dirty --abbrev=12
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE described_commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(described_commit)
    set(UNDERDAMP_COMMIT "${described_commit}")
  endif()
endif()
set(UNDERDAMP_BUILD_DESCRIPTION
  "${CMAKE_BUILD_TYPE}, ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, ${UNDERDAMP_HOST_WORKERS}")
if(UNDERDAMP_HAVE_CUDA)
  string(APPEND UNDERDAMP_BUILD_DESCRIPTION ", CUDA ${CUDAToolkit_VERSION}")
endif()
if(UNDERDAMP_NATIVE)
  string(APPEND UNDERDAMP_BUILD_DESCRIPTION ", for this processor")
endif()
if(UNDERDAMP_STRICT_FP)
  string(APPEND UNDERDAMP_BUILD_DESCRIPTION ", strict floating point")
endif()
configure_file("${PROJECT_SOURCE_DIR}/solver/io/version.hpp.in" "${PROJECT_BINARY_DIR}/generated/generated/version.hpp" @ONLY)
