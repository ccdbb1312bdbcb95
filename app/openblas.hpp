#pragma once

namespace underdamp {

/// OpenBLAS takes processors newer than itself for one of 2004 and is then three times slower than it could be; which
/// kernels it uses is settled before main() by the environment variable OPENBLAS_CORETYPE. Where that has happened, and
/// the variable is not set, it is set and the program starts itself again. Returns otherwise. Matters to
/// stationary.method = "direct" alone.
void choose_openblas_kernels(char** arguments);

}  // namespace underdamp
