#include "solver/particles/minibatch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "kernels/contract/random.hpp"
#include "meshes/error.hpp"
#include "meshes/parallel_runs.hpp"

namespace underdamp {
namespace {

constexpr long most_steps = 100'000;

/// The data in the coordinates of the modes: w_n = Uᵀx_n, and the residuals e_n at the minimiser θ* of L_λ.
struct Projected {
  Eigen::MatrixXd features;  ///< N × d
  Eigen::VectorXd residual;
  Eigen::VectorXd minimiser;
  Eigen::VectorXd eigenvalue;  ///< ρ
};

Projected project(const Model& model) {
  const Dataset& data = *model.dataset();
  Projected p;
  p.features = data.features() * data.eigenvectors();
  const auto d = p.features.cols();
  p.minimiser.resize(d);
  p.eigenvalue.resize(d);
  for (Eigen::Index l = 0; l < d; ++l) {
    const HessianMode& mode = data.modes()[static_cast<std::size_t>(l)];
    const double h = mode.eigenvalue + model.weight_decay();
    p.eigenvalue[l] = mode.eigenvalue;
    p.minimiser[l] = h > 0.0 ? mode.eigenvalue * mode.minimum / h : 0.0;
  }
  p.residual = p.features * p.minimiser - data.target();
  return p;
}

const Dataset& dataset_of(const Model& model) {
  if (model.dataset() == nullptr) {
    throw Error(ExitCode::bad_input, "minibatches are drawn from a dataset, but the loss is none", {},
                "use loss.kind = \"dataset\"");
  }
  return *model.dataset();
}

/// Rows per step.
long batch_of(const Model& model, BatchSampling sampling) {
  const auto batch = std::lround(model.batch_size());
  const auto rows = static_cast<long>(dataset_of(model).features().rows());
  if (static_cast<double>(batch) != model.batch_size())
    throw Error(ExitCode::bad_input, fmt::format("a minibatch of {} rows cannot be drawn", model.batch_size()),
                "optimizer.batch_size", "use a whole number");
  if (sampling == BatchSampling::epochs && batch > rows)
    throw Error(ExitCode::bad_input, fmt::format("a batch of {} rows from {} rows without replacement", batch, rows),
                "optimizer.batch_size", "use a smaller batch, or sampling = \"replacement\"");
  return batch;
}

/// Whole numbers below a bound from 32 random bits: uneven by a share of bound/2³².
std::uint32_t below(std::uint32_t bits, std::uint64_t bound) {
  return static_cast<std::uint32_t>((bits * bound) >> 32);
}

/// Random words one by one: number q of (run, step).
class WordSequence {
 public:
  WordSequence(std::uint64_t seed, RandomPurpose purpose, std::uint64_t run, std::uint32_t step)
      : seed_(seed), purpose_(purpose), run_(run), step_(step) {}

  std::uint32_t next() {
    if (used_ == 4) {
      const RandomWords words = random_words(seed_, random_stream(purpose_, block_++), run_, step_);
      words_[0] = static_cast<std::uint32_t>(words.first);
      words_[1] = static_cast<std::uint32_t>(words.first >> 32);
      words_[2] = static_cast<std::uint32_t>(words.second);
      words_[3] = static_cast<std::uint32_t>(words.second >> 32);
      used_ = 0;
    }
    return words_[used_++];
  }

 private:
  std::uint64_t seed_;
  RandomPurpose purpose_;
  std::uint64_t run_;
  std::uint32_t step_;
  std::uint32_t block_ = 0;
  std::uint32_t words_[4] = {};
  int used_ = 4;
};

/// The rows of each batch of one run.
class Batches {
 public:
  Batches(const MinibatchOptions& options, std::uint64_t run, long rows, long batch)
      : options_(options), run_(run), rows_(rows), batch_(batch), order_(static_cast<std::size_t>(rows)) {}

  /// Calls use(row) for the rows of a step; steps come in order.
  template <class Use>
  void for_each_row(long step, Use&& use) {
    if (options_.sampling == BatchSampling::replacement) {
      WordSequence words(options_.seed, RandomPurpose::minibatch, run_, static_cast<std::uint32_t>(step));
      for (long s = 0; s < batch_; ++s) use(below(words.next(), static_cast<std::uint64_t>(rows_)));
      return;
    }
    const long per_epoch = rows_ / batch_;
    if (step % per_epoch == 0) shuffle(static_cast<std::uint32_t>(step / per_epoch));
    for (long s = 0; s < batch_; ++s) use(order_[static_cast<std::size_t>(step % per_epoch * batch_ + s)]);
  }

 private:
  void shuffle(std::uint32_t epoch) {
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::uint32_t>(i);
    WordSequence words(options_.seed, RandomPurpose::epoch, run_, epoch);
    for (std::size_t i = order_.size() - 1; i > 0; --i) std::swap(order_[i], order_[below(words.next(), i + 1)]);
  }

  const MinibatchOptions& options_;
  std::uint64_t run_;
  long rows_;
  long batch_;
  std::vector<std::uint32_t> order_;
};

/// Time averages of one run, per mode.
struct RunAverages {
  Eigen::VectorXd first;   ///< of u = θ − θ*
  Eigen::VectorXd second;  ///< of u²
};

class Experiment {
 public:
  Experiment(const Model& model, const MinibatchOptions& options)
      : model_(model),
        options_(options),
        data_(project(model)),
        vectors_(model.dataset()->eigenvectors()),
        features_(model.dataset()->features()),
        target_(model.dataset()->target()),
        batch_(batch_of(model, options.sampling)) {}

  RunAverages run(std::uint64_t number) const {
    const Eigen::Index d = features_.cols();
    Eigen::VectorXd theta;
    Eigen::VectorXd v;
    start(number, theta, v);
    Batches batches(options_, number, static_cast<long>(features_.rows()), batch_);
    RunAverages averages{Eigen::VectorXd::Zero(d), Eigen::VectorXd::Zero(d)};
    const double n = static_cast<double>(options_.measure);
    for (long step = 0; step < options_.settle + options_.measure; ++step) {
      take_step(batches, step, theta, v);
      if (step < options_.settle) continue;
      const Eigen::VectorXd u = vectors_.transpose() * theta - data_.minimiser;
      averages.first += u / n;
      averages.second += u.cwiseAbs2() / n;
    }
    return averages;
  }

  /// Squares of the way along each plane's mode, and their sum as the last column, after increasing numbers of steps.
  Eigen::MatrixXd travel(std::uint64_t number, bool cold_start, const std::vector<long>& steps) const {
    const int planes = model_.planes();
    Eigen::VectorXd theta = vectors_ * data_.minimiser;
    Eigen::VectorXd v = Eigen::VectorXd::Zero(theta.size());
    if (!cold_start) start(number, theta, v);
    Batches batches(options_, number, static_cast<long>(features_.rows()), batch_);
    const long settle = cold_start ? 0 : options_.settle;
    for (long step = 0; step < settle; ++step) take_step(batches, step, theta, v);
    const Eigen::VectorXd origin = theta;
    Eigen::MatrixXd squares(static_cast<Eigen::Index>(steps.size()), planes + 1);
    long step = settle;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      for (; step < settle + steps[k]; ++step) take_step(batches, step, theta, v);
      const Eigen::VectorXd u = vectors_.transpose() * (theta - origin);
      const auto row = static_cast<Eigen::Index>(k);
      for (int p = 0; p < planes; ++p) squares(row, p) = std::pow(u[model_.plane(p).mode - 1], 2);
      squares(row, planes) = squares.row(row).head(planes).sum();
    }
    return squares;
  }

 private:
  void take_step(Batches& batches, long step, Eigen::VectorXd& theta, Eigen::VectorXd& v) const {
    Eigen::VectorXd gradient = Eigen::VectorXd::Zero(theta.size());
    batches.for_each_row(step, [&](std::uint32_t row) {
      const auto x = features_.row(static_cast<Eigen::Index>(row));
      gradient += (x.dot(theta) - target_[static_cast<Eigen::Index>(row)]) * x.transpose();
    });
    const double share = 1.0 / static_cast<double>(batch_);
    v = model_.momentum() * v - share * gradient - model_.weight_decay() * theta;
    theta += model_.learning_rate() * v;
  }

  /// The stationary Gaussian of the model in every mode that it holds; the others begin at their minimum.
  void start(std::uint64_t run, Eigen::VectorXd& theta, Eigen::VectorXd& v) const {
    Eigen::VectorXd u = data_.minimiser;
    Eigen::VectorXd w = Eigen::VectorXd::Zero(u.size());
    for (int p = 0; p < model_.planes(); ++p) {
      const Derived derived = model_.derived(p);
      const GaussianPair xi = gaussian_pair(
          random_words(options_.seed, random_stream(RandomPurpose::start, static_cast<std::uint32_t>(p)), run, 0));
      const auto l = static_cast<Eigen::Index>(model_.plane(p).mode - 1);
      u[l] += derived.std_theta * xi.a;
      w[l] = derived.std_v * xi.b;
    }
    theta = vectors_ * u;
    v = vectors_ * w;
  }

  const Model& model_;
  MinibatchOptions options_;
  Projected data_;
  Eigen::MatrixXd vectors_;
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> features_;
  Eigen::VectorXd target_;
  long batch_;
};

template <class Result, class Run>
std::vector<Result> run_all(const Run& run, const MinibatchOptions& options, const std::function<void(double)>& poll) {
  return parallel_runs<Result>(static_cast<std::size_t>(options.runs),
                               static_cast<unsigned>(std::max(options.threads, 0)), run, poll);
}

/// Stationary E u_l u_m of u' = u + ηv', v' = βv − hu − ζ with E ζ_l ζ_m = n: four unknowns E u_l u_m, E u_l v_m, E u_m
/// v_l, E v_l v_m.
double pair_covariance(double eta, double beta, double h_l, double h_m, double n) {
  Eigen::Matrix4d a;
  // Each row: moment after a step − moment before = 0.
  const Eigen::RowVector4d uv{-h_m, beta, 0.0, 0.0};                              // E u_l v'_m
  const Eigen::RowVector4d vu{-h_l, 0.0, beta, 0.0};                              // E u_m v'_l
  const Eigen::RowVector4d vv{h_l * h_m, -beta * h_l, -beta * h_m, beta * beta};  // E v'_l v'_m − n
  a.row(0) = eta * (uv + vu) + eta * eta * vv;
  a.row(1) = uv + eta * vv - Eigen::RowVector4d::Unit(1);
  a.row(2) = vu + eta * vv - Eigen::RowVector4d::Unit(2);
  a.row(3) = vv - Eigen::RowVector4d::Unit(3);
  const Eigen::Vector4d b(-eta * eta * n, -eta * n, -eta * n, -n);
  return a.partialPivLu().solve(b)[0];
}

/// Variance per mode that grows with the distance along it: E w⁴ − ρ².
double growth_of_noise(const Projected& data, Eigen::Index l) {
  const double fourth = data.features.col(l).array().pow(4).mean();
  return fourth - data.eigenvalue[l] * data.eigenvalue[l];
}

}  // namespace

MinibatchTravel run_minibatch_travel(const Model& model, const MinibatchOptions& options, bool cold_start,
                                     const std::vector<long>& steps, const std::function<void(double)>& poll) {
  dataset_of(model);
  if (options.runs < 2 || options.settle < 0) throw Error(ExitCode::bad_input, "minibatch SGD needs at least two runs");
  const Experiment experiment(model, options);
  const auto runs =
      run_all<Eigen::MatrixXd>([&](std::uint64_t r) { return experiment.travel(r, cold_start, steps); }, options, poll);
  const auto n = static_cast<double>(runs.size());
  const auto estimate = [&](std::size_t k, int column) {
    double mean = 0.0, square = 0.0;
    for (const Eigen::MatrixXd& run : runs) {
      const double value = run(static_cast<Eigen::Index>(k), column);
      mean += value / n;
      square += value * value / n;
    }
    return Estimate{mean, std::sqrt(std::max(0.0, square - mean * mean) / (n - 1.0))};
  };
  MinibatchTravel travel;
  travel.modes.resize(static_cast<std::size_t>(model.planes()));
  for (std::size_t k = 0; k < steps.size(); ++k) {
    for (int p = 0; p < model.planes(); ++p) travel.modes[static_cast<std::size_t>(p)].push_back(estimate(k, p));
    travel.total.push_back(estimate(k, model.planes()));
  }
  return travel;
}

Eigen::MatrixXd minibatch_covariance(const Model& model) {
  dataset_of(model);
  const Projected data = project(model);
  const auto rows = static_cast<double>(data.features.rows());
  const Eigen::Index d = data.features.cols();
  const Eigen::VectorXd pull = model.weight_decay() * data.minimiser;
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(d, d);
  constexpr int most_iterations = 10'000;
  for (int iteration = 0; iteration < most_iterations; ++iteration) {
    // Noise of a batch averaged over the distances that it causes, eq. 64.
    const Eigen::VectorXd weight =
        (data.features * covariance).cwiseProduct(data.features).rowwise().sum() + data.residual.cwiseAbs2();
    Eigen::MatrixXd noise = data.features.transpose() * weight.asDiagonal() * data.features / rows;
    noise -= data.eigenvalue.asDiagonal() * covariance * data.eigenvalue.asDiagonal();
    noise -= pull * pull.transpose();
    noise /= model.batch_size();
    Eigen::MatrixXd next = Eigen::MatrixXd::Zero(d, d);
    for (Eigen::Index l = 0; l < d; ++l) {
      for (Eigen::Index m = 0; m <= l; ++m) {
        const double h_l = data.eigenvalue[l] + model.weight_decay();
        const double h_m = data.eigenvalue[m] + model.weight_decay();
        if (!(h_l > 0.0) || !(h_m > 0.0)) continue;
        next(l, m) = next(m, l) = pair_covariance(model.learning_rate(), model.momentum(), h_l, h_m, noise(l, m));
      }
    }
    const double change = (next - covariance).cwiseAbs().maxCoeff();
    covariance = next;
    if (!std::isfinite(change) || change > 1e12) break;
    if (change <= 1e-13 * covariance.cwiseAbs().maxCoeff()) return covariance;
  }
  return Eigen::MatrixXd::Constant(d, d, std::numeric_limits<double>::infinity());
}

MinibatchOptions minibatch_options(const Spec& spec, const Model& model) {
  const EnsembleSpec from = spec.ensemble.value_or(EnsembleSpec{});
  double slowest = 0.0;
  for (int p = 0; p < model.planes(); ++p) slowest = std::max(slowest, model.derived(p).relaxation_time);
  const double steps = std::ceil(10.0 * slowest / model.learning_rate());
  MinibatchOptions options;
  options.seed = static_cast<std::uint64_t>(from.seed);
  options.runs = from.runs;
  options.sampling = from.sampling;
  options.settle = steps < static_cast<double>(most_steps) ? static_cast<long>(steps) : most_steps;
  options.measure = options.settle;
  return options;
}

MinibatchResult run_minibatch(const Model& model, const MinibatchOptions& options,
                              const std::function<void(double)>& poll) {
  const Dataset& dataset = dataset_of(model);
  if (options.runs < 2 || options.measure < 1 || options.settle < 0)
    throw Error(ExitCode::bad_input, "minibatch SGD needs at least two runs and one measured step");
  MinibatchResult result;
  result.options = options;
  result.batch = batch_of(model, options.sampling);
  result.steps_per_epoch = static_cast<long>(dataset.features().rows()) / result.batch;
  const Experiment experiment(model, options);
  const auto runs = run_all<RunAverages>([&](std::uint64_t r) { return experiment.run(r); }, options, poll);
  const Projected data = project(model);
  const Eigen::MatrixXd predicted = minibatch_covariance(model);
  const auto n = static_cast<double>(runs.size());
  for (int p = 0; p < model.planes(); ++p) {
    const auto l = static_cast<Eigen::Index>(model.plane(p).mode - 1);
    const double h = model.plane(p).curvature;
    ModeVariance mode;
    mode.mode = model.plane(p).mode;
    mode.langevin = model.derived(p).std_theta * model.derived(p).std_theta;
    mode.finite_rate = 1.0 / (1.0 - model.learning_rate() * h / (2.0 * (1.0 + model.momentum())));
    const double growth =
        growth_of_noise(data, l) * model.learning_rate() / (2.0 * model.batch_size() * (1.0 - model.momentum()) * h);
    mode.minibatch = growth < 1.0 ? 1.0 / (1.0 - growth) : std::numeric_limits<double>::infinity();
    mode.predicted = predicted(l, l);
    double mean = 0.0, second = 0.0, square = 0.0;
    for (const RunAverages& run : runs) {
      mean += run.first[l] / n;
      second += run.second[l] / n;
      square += run.second[l] * run.second[l] / n;
    }
    mode.measured = second - mean * mean;
    mode.measured_error = std::sqrt(std::max(0.0, square - second * second) / (n - 1.0));
    result.modes.push_back(mode);
  }
  return result;
}

}  // namespace underdamp
