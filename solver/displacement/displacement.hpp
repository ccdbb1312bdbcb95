#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/contract/backend.hpp"
#include "solver/displacement/displacement_problems.hpp"
#include "solver/model/model.hpp"
#include "solver/spec/spec.hpp"

/// How far the whole parameter vector travels: E|θ(t) − θ(0)|² of every mode and of all together, its local exponent,
/// and autocorrelations (docs/method.md, section 15).
///
///   modes     planes of the model, each with its eigenvalue ρ, and its weight: the parameters it stands for
///   problems  modes that differ in units only are one: equal ζ for parabolas, equal ρ for any other shape
///   solved    each problem once; or, where fewer points allow interpolation between ζ (or ρ) to the tolerance,
///             Chebyshev points in ln h (ln ρ), h = ρ + λ
namespace underdamp {

/// Numbers of one mode, or of all, at one time, in the units of the user.
struct DisplacementValue {
  double displacement = 0.0;          ///< E|θ(t) − θ(0)|²
  double exponent = 0.0;              ///< d ln displacement / d ln t
  double correlation = 0.0;           ///< Cov(θ(0), θ(t))
  double velocity_correlation = 0.0;  ///< Cov(v(0), v(t))
};

/// Exponent of ln displacement over ln t in a window of times, by least squares; a power law has deviation 0.
struct ExponentFit {
  Interval window{};
  double exponent = 0.0;
  double uncertainty = 0.0;  ///< root mean square of local exponent − exponent over the window
  double smallest = 0.0;     ///< local exponents in the window
  double largest = 0.0;
};

/// Step length and energy of the stationary state, summed over the modes.
struct StepEnergy {
  double step_length = 0.0;  ///< E|θ_{k+1} − θ_k|² = η² E|v|²
  double excess_loss = 0.0;  ///< E(L_λ − L_λ*)
  double predicted = 0.0;    ///< (1 + β)/(4η) E|θ_{k+1} − θ_k|²: the excess loss of parabolas
};

class Displacement {
 public:
  /// Plans the work and does none. Throws Error (bad_input). `spec.displacement` must be there.
  Displacement(const Spec& spec, Backend& backend);

  /// Solves every problem. `poll` is told the share that is done; what it throws ends the work. Throws Error
  /// (numerical) if a problem cannot be solved to the tolerance.
  void solve(const std::function<void(double)>& poll);

  const Spec& spec() const { return spec_; }
  const Model& model() const { return *model_; }
  const std::vector<double>& times() const { return times_; }
  int modes() const { return model_->planes(); }

  DisplacementValue mode(int l, double time) const;
  /// Sum over the modes with their weights.
  DisplacementValue total(double time) const;
  std::optional<ExponentFit> fit() const;
  std::optional<StepEnergy> step_energy() const;

  int problems() const { return problems_; }  ///< that differ
  int planned_problems() const;               ///< to begin with
  int solved() const { return static_cast<int>(solved_.size()); }
  bool interpolates() const { return interpolates_; }
  double interpolation_error() const { return interpolation_error_; }  ///< estimated, relative
  double step_error() const;                                           ///< estimated, relative
  long windows() const;                                                ///< of all problems
  int generator_problems() const;                                      ///< whose slow end came from the generator

 private:
  void plan();
  void require_fit_times() const;
  void require_cells_at_rest() const;
  std::vector<double> fit_times() const;
  double key(int l) const;
  double end() const;
  Spec problem_spec(const std::vector<double>& keys) const;
  std::vector<SolvedProblem> solve_keys(const std::vector<double>& keys, const std::function<void(double)>& poll) const;
  void solve_by_interpolation(const std::function<void(double)>& poll);
  double estimated_interpolation_error() const;
  void assign_modes();
  DisplacementCurve::Value scaled_value(int l, double time) const;

  Spec spec_;
  Backend& backend_;
  std::unique_ptr<Model> model_;
  std::vector<double> times_;
  bool shares_ = false;  ///< modes may be the same problem
  bool interpolates_ = false;
  int problems_ = 0;                   ///< that differ
  std::vector<double> keys_;           ///< of what is solved, increasing; empty unless modes share problems
  std::vector<SolvedProblem> solved_;  ///< in the order of keys_, else of the modes

  /// What turns solved problems into one mode: its units, and how much it takes of which problem.
  struct ModeScale {
    double omega;
    double std_theta;
    std::vector<std::pair<std::size_t, double>> shares;
  };
  std::vector<ModeScale> scales_;  ///< [mode]
  double interpolation_error_ = 0.0;
};

/// Sum over the modes of a model with their weights; `mode`(l) is the value of mode l.
DisplacementValue weighted_sum(const Model& model, const std::function<DisplacementValue(int)>& mode);

/// Least squares; `local` are the exponents at the same points.
ExponentFit fit_exponent(const Interval& window, const std::vector<double>& log_time,
                         const std::vector<double>& log_displacement, const std::vector<double>& local);

/// Text of `check` about a displacement.
std::string describe_displacement(const Displacement& displacement);

}  // namespace underdamp
