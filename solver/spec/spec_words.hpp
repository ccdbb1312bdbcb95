#pragma once
#include "solver/spec/key_rules.hpp"
#include "solver/spec/spec.hpp"

/// Words of a spec and what they stand for.
namespace underdamp {

inline const Words<Dynamics>& dynamics_words() {
  static const Words<Dynamics> words{{{"langevin", Dynamics::langevin}, {"sgd", Dynamics::sgd}}};
  return words;
}

inline const Words<LossKind>& loss_words() {
  static const Words<LossKind> words{{{"quadratic", LossKind::quadratic},
                                      {"polynomial", LossKind::polynomial},
                                      {"expression", LossKind::expression},
                                      {"table", LossKind::table},
                                      {"dataset", LossKind::dataset},
                                      {"spectrum", LossKind::spectrum}}};
  return words;
}

/// NoiseKind::temperature is what a spec without [noise] means.
inline const Words<NoiseKind>& noise_words() {
  static const Words<NoiseKind> words{{{"hessian", NoiseKind::hessian},
                                       {"isotropic", NoiseKind::isotropic},
                                       {"constant", NoiseKind::constant},
                                       {"expression", NoiseKind::expression},
                                       {"table", NoiseKind::table},
                                       {"dataset", NoiseKind::dataset}}};
  return words;
}

inline const Words<ThetaBoundary>& boundary_words() {
  static const Words<ThetaBoundary> words{{{"open", ThetaBoundary::open},
                                           {"periodic", ThetaBoundary::periodic},
                                           {"reflecting", ThetaBoundary::reflecting}}};
  return words;
}

inline const Words<InitialKind>& initial_words() {
  static const Words<InitialKind> words{{{"gaussian", InitialKind::gaussian},
                                         {"stationary", InitialKind::stationary},
                                         {"uniform", InitialKind::uniform},
                                         {"file", InitialKind::file}}};
  return words;
}

inline const Words<Precision>& precision_words() {
  static const Words<Precision> words{{{"float64", Precision::float64}, {"float32", Precision::float32}}};
  return words;
}

inline const Words<StationaryMethod>& method_words() {
  static const Words<StationaryMethod> words{{{"auto", StationaryMethod::automatic},
                                              {"arnoldi", StationaryMethod::arnoldi},
                                              {"direct", StationaryMethod::direct},
                                              {"evolve", StationaryMethod::evolve}}};
  return words;
}

inline const Words<EnsembleIntegrator>& integrator_words() {
  static const Words<EnsembleIntegrator> words{{{"splitting", EnsembleIntegrator::splitting},
                                                {"euler", EnsembleIntegrator::euler},
                                                {"sgd", EnsembleIntegrator::sgd}}};
  return words;
}

inline const Words<BatchSampling>& sampling_words() {
  static const Words<BatchSampling> words{
      {{"replacement", BatchSampling::replacement}, {"epochs", BatchSampling::epochs}}};
  return words;
}

inline const Words<DisplacementStart>& displacement_words() {
  static const Words<DisplacementStart> words{{{"stationary", DisplacementStart::stationary},
                                               {"cold", DisplacementStart::cold},
                                               {"initial", DisplacementStart::initial}}};
  return words;
}

inline const Words<OutputField>& field_words() {
  static const Words<OutputField> words{{{"density", OutputField::density},
                                         {"current", OutputField::current},
                                         {"modified_loss", OutputField::modified_loss},
                                         {"current_reversible", OutputField::current_reversible},
                                         {"current_irreversible", OutputField::current_irreversible},
                                         {"stream_function", OutputField::stream_function},
                                         {"generator", OutputField::generator}}};
  return words;
}

}  // namespace underdamp
