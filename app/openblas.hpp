#pragma once

namespace underdamp {

/// OpenBLAS takes processors newer than itself for one of 2004 and is then three times slower than it could be; which
/// kernels it uses is settled before main() by the environment variable OPENBLAS_CORETYPE. Where that has happened, and
/// the variable is not set, it is set and the program starts itself again. Returns otherwise. Matters to
/// stationary.method = "direct" alone.
void choose_openblas_kernels(char** arguments);

/// The dense blocks of the sparse factors are small: threads of BLAS wait for each other longer than they work. Unless
/// OPENBLAS_NUM_THREADS is set, one serves.
void keep_openblas_to_one_thread();

}  // namespace underdamp
