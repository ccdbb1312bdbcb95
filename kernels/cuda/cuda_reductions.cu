#include "kernels/cuda/cuda_launcher.cuh"
#include "kernels/operations/field_operations_of.hpp"
#include "kernels/operations/phase_sum_operations_of.hpp"
#include "kernels/operations/reduction_operations_of.hpp"

namespace underdamp {

template std::unique_ptr<FieldOperations> make_field_operations(DeviceContext<CudaLauncher<double>>&);
template std::unique_ptr<FieldOperations> make_field_operations(DeviceContext<CudaLauncher<float>>&);
template std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<CudaLauncher<double>>&);
template std::unique_ptr<ReductionOperations> make_reduction_operations(DeviceContext<CudaLauncher<float>>&);
template std::unique_ptr<PhaseSumOperations> make_phase_sum_operations(DeviceContext<CudaLauncher<double>>&);
template std::unique_ptr<PhaseSumOperations> make_phase_sum_operations(DeviceContext<CudaLauncher<float>>&);

}  // namespace underdamp
