// Two solvers of  ∂_t p = −∂_θ(v p) + ∂_v[(k h θ + γ v) p] + D ∂_v² p  as one would write them by hand, in one file.
//
//   rk4     classical Runge-Kutta 4, fourth-order central differences in conservative form
//   strang  V(τ/2) X(τ) V(τ/2): V second-order finite volumes and Crank-Nicolson, one tridiagonal system per line of v;
//           X conservative semi-Lagrangian, third order (cubic through the cumulative sum), any Courant number
//
// usage: handwritten rk4|strang N_THETA N_V STEPS K_H GAMMA D UNTIL THETA_MIN THETA_MAX V_MIN V_MAX INITIAL FINAL
//   INITIAL, FINAL  files of N_THETA × N_V doubles, v fastest
// prints the seconds of set-up and of stepping.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

namespace {

struct Problem {
  std::ptrdiff_t n_theta, n_v, steps;
  double stiffness, friction, diffusion, until, theta_min, theta_max, v_min, v_max;

  double width_theta() const { return (theta_max - theta_min) / static_cast<double>(n_theta); }
  double width_v() const { return (v_max - v_min) / static_cast<double>(n_v); }
  double theta(std::ptrdiff_t i) const { return theta_min + (static_cast<double>(i) + 0.5) * width_theta(); }
  double v(std::ptrdiff_t j) const { return v_min + (static_cast<double>(j) + 0.5) * width_v(); }
  double step() const { return until / static_cast<double>(steps); }
};

using Field = std::vector<double>;

// Runge-Kutta 4. Rows of v, two cells of zeros around the plane, so that the stencils need no branches. For a linear
// autonomous system RK4 is p + τLp + (τL)²p/2 + (τL)³p/6 + (τL)⁴p/24.
class RungeKutta4 {
 public:
  explicit RungeKutta4(const Problem& problem)
      : problem_(problem), stride_(problem.n_v + 2 * pad), v_(static_cast<std::size_t>(stride_)) {
    for (std::ptrdiff_t j = -pad; j < problem.n_v + pad; ++j) v_[static_cast<std::size_t>(j + pad)] = problem.v(j);
    for (Field* f : {&p_, &sum_, &term_, &next_})
      f->assign(static_cast<std::size_t>(stride_ * (problem.n_theta + 2 * pad)), 0.0);
  }

  void load(const Field& density) {
    for (std::ptrdiff_t i = 0; i < problem_.n_theta; ++i) std::copy_n(&density[index(i)], problem_.n_v, row(p_, i));
  }

  void store(Field& density) {
    for (std::ptrdiff_t i = 0; i < problem_.n_theta; ++i) std::copy_n(row(p_, i), problem_.n_v, &density[index(i)]);
  }

  void step() {
    for (int k = 1; k <= 4; ++k) {
      for (std::ptrdiff_t i = 0; i < problem_.n_theta; ++i) {
        if (k == 1) {
          stage(p_, p_, i, problem_.step());
        } else {
          stage(term_, sum_, i, problem_.step() / k);
        }
      }
      std::swap(term_, next_);
    }
    std::swap(p_, sum_);
  }

 private:
  static constexpr std::ptrdiff_t pad = 2;

  std::size_t index(std::ptrdiff_t i) const { return static_cast<std::size_t>(i * problem_.n_v); }
  double* row(Field& field, std::ptrdiff_t i) { return &field[static_cast<std::size_t>((i + pad) * stride_ + pad)]; }

  // Row i of next = factor·L from, sum = base + next.
  void stage(Field& from, Field& base, std::ptrdiff_t i, double factor) {
    const double* __restrict p = row(from, i);
    const double* __restrict left2 = row(from, i - 2);
    const double* __restrict left1 = row(from, i - 1);
    const double* __restrict right1 = row(from, i + 1);
    const double* __restrict right2 = row(from, i + 2);
    const double* b = row(base, i);  // may be sum itself
    double* __restrict next = row(next_, i);
    double* sum = row(sum_, i);
    const double* __restrict v = &v_[pad];
    const double across = -factor / (12.0 * problem_.width_theta());
    const double along = factor / (12.0 * problem_.width_v());
    const double spread = factor * problem_.diffusion / (12.0 * problem_.width_v() * problem_.width_v());
    const double force = along * problem_.stiffness * problem_.theta(i);
    const double drag = along * problem_.friction;
    // v_{j+m} = v_j + m h in the difference of v p leaves these multiples of sums.
    const double near = 16.0 * spread + 8.0 * drag * problem_.width_v();
    const double far = spread + 2.0 * drag * problem_.width_v();
#pragma GCC ivdep
    for (std::ptrdiff_t j = 0; j < problem_.n_v; ++j) {
      const double slope_theta = 8.0 * (right1[j] - left1[j]) - (right2[j] - left2[j]);
      const double slope_v = 8.0 * (p[j + 1] - p[j - 1]) - (p[j + 2] - p[j - 2]);
      next[j] = across * v[j] * slope_theta + (force + drag * v[j]) * slope_v + near * (p[j + 1] + p[j - 1]) -
                far * (p[j + 2] + p[j - 2]) - 30.0 * spread * p[j];
      sum[j] = b[j] + next[j];
    }
  }

  Problem problem_;
  std::ptrdiff_t stride_;
  Field v_, p_, sum_, term_, next_;
};

// Strang splitting. θ is the fastest axis here, so that both sweeps run along contiguous memory: the recurrences of the
// tridiagonal systems go from row to row, all lines of v at once.
class Strang {
 public:
  explicit Strang(const Problem& problem)
      : problem_(problem),
        p_(static_cast<std::size_t>(problem.n_theta * problem.n_v)),
        half_(factors(0.5 * problem.step())),
        whole_(factors(problem.step())) {}

  void load(const Field& density) { transpose(density, p_, problem_.n_theta, problem_.n_v); }
  void store(Field& density) { transpose(p_, density, problem_.n_v, problem_.n_theta); }

  // Neighbouring half sweeps of V are one sweep.
  void run() {
    diffuse(half_);
    for (std::ptrdiff_t n = 1; n <= problem_.steps; ++n) {
      advect(problem_.step());
      diffuse(n < problem_.steps ? whole_ : half_);
    }
  }

 private:
  // LU factors of M = I − (τ/2)L_v of every line: lower = M_{j,j−1}/U_{j−1,j−1} is not kept, it follows from these.
  struct Factors {
    double half_step;
    Field pivot;  // 1/U_jj
    Field upper;  // M_{j,j+1}/U_jj
  };

  static void transpose(const Field& from, Field& to, std::ptrdiff_t rows, std::ptrdiff_t columns) {
    for (std::ptrdiff_t r = 0; r < rows; ++r)
      for (std::ptrdiff_t c = 0; c < columns; ++c)
        to[static_cast<std::size_t>(c * rows + r)] = from[static_cast<std::size_t>(r * columns + c)];
  }

  // Flux to the right through the face above cell j of line i: −a (p_j + p_{j+1})/2 − D (p_{j+1} − p_j)/h, a = k h θ +
  // γ v.
  double coefficient(std::ptrdiff_t i, std::ptrdiff_t face, double sign) const {
    if (face < 0 || face >= problem_.n_v - 1) return 0.0;
    const double speed =
        problem_.stiffness * problem_.theta(i) + problem_.friction * 0.5 * (problem_.v(face) + problem_.v(face + 1));
    return sign * 0.5 * speed / problem_.width_v() + problem_.diffusion / (problem_.width_v() * problem_.width_v());
  }
  // L_v p_j = gain_above p_{j+1} + gain_below p_{j−1} − (loss_above + loss_below) p_j
  double gain_above(std::ptrdiff_t i, std::ptrdiff_t j) const { return coefficient(i, j, +1.0); }
  double gain_below(std::ptrdiff_t i, std::ptrdiff_t j) const { return coefficient(i, j - 1, -1.0); }
  double loss(std::ptrdiff_t i, std::ptrdiff_t j) const {
    return coefficient(i, j, -1.0) + coefficient(i, j - 1, +1.0);
  }

  Factors factors(double step) const {
    const double s = 0.5 * step;
    Factors f{s, Field(p_.size()), Field(p_.size())};
    for (std::ptrdiff_t j = 0; j < problem_.n_v; ++j) {
      for (std::ptrdiff_t i = 0; i < problem_.n_theta; ++i) {
        const auto at = static_cast<std::size_t>(j * problem_.n_theta + i);
        const double before = j > 0 ? f.upper[at - static_cast<std::size_t>(problem_.n_theta)] : 0.0;
        f.pivot[at] = 1.0 / (1.0 + s * loss(i, j) + s * gain_below(i, j) * before);
        f.upper[at] = -s * gain_above(i, j) * f.pivot[at];
      }
    }
    return f;
  }

  // Crank-Nicolson: (I − τL/2)⁻¹(I + τL/2) = 2(I − τL/2)⁻¹ − I.
  void diffuse(const Factors& f) {
    const std::ptrdiff_t n = problem_.n_theta;
    solved_.resize(p_.size());
    const double slope = f.half_step * 0.5 * problem_.stiffness * problem_.width_theta() / problem_.width_v();
    for (std::ptrdiff_t j = 0; j < problem_.n_v; ++j) {
      const double* __restrict p = &p_[static_cast<std::size_t>(j * n)];
      const double* __restrict pivot = &f.pivot[static_cast<std::size_t>(j * n)];
      double* __restrict d = &solved_[static_cast<std::size_t>(j * n)];
      const double* __restrict before = j > 0 ? d - n : p;
      const double offset = f.half_step * gain_below(0, j);
      const double tilt = j > 0 ? -slope : 0.0;  // gain_below is linear in θ
#pragma GCC ivdep
      for (std::ptrdiff_t i = 0; i < n; ++i)
        d[i] = (p[i] + (offset + tilt * static_cast<double>(i)) * before[i]) * pivot[i];
    }
    for (std::ptrdiff_t j = problem_.n_v - 1; j >= 0; --j) {
      double* __restrict p = &p_[static_cast<std::size_t>(j * n)];
      const double* __restrict upper = &f.upper[static_cast<std::size_t>(j * n)];
      double* __restrict d = &solved_[static_cast<std::size_t>(j * n)];
      const double* __restrict after = j + 1 < problem_.n_v ? d + n : d;  // upper is 0 in the last row
#pragma GCC ivdep
      for (std::ptrdiff_t i = 0; i < n; ++i) {
        const double solved = d[i] - upper[i] * after[i];
        p[i] = 2.0 * solved - p[i];
        d[i] = solved;
      }
    }
  }

  // θ ← θ + τv. With y = −τv/h_θ = b + a, 0 ≤ a < 1, cell i gets C(i+1+y) − C(i+y), C the cumulative sum, interpolated
  // by the cubic through the edges b − 1 … b + 2: constant weights of the cells b − 1 … b + 2 relative to i.
  void advect(double step) {
    const std::ptrdiff_t n = problem_.n_theta;
    for (std::ptrdiff_t j = 0; j < problem_.n_v; ++j) {
      const double y = -step * problem_.v(j) / problem_.width_theta();
      const auto b = static_cast<std::ptrdiff_t>(std::floor(y));
      const double a = y - static_cast<double>(b);
      // Lagrange polynomials of the edges −1, 0, 1, 2 at a; F(a) = C(b+a) − C(b) = f0 p_{b−1} + f1 p_b + f2 p_{b+1}.
      const double e_minus = -a * (a - 1.0) * (a - 2.0) / 6.0;
      const double e_one = -(a + 1.0) * a * (a - 2.0) / 2.0;
      const double e_two = (a + 1.0) * a * (a - 1.0) / 6.0;
      const double f0 = -e_minus, f1 = e_one + e_two, f2 = e_two;
      const double w[4] = {-f0, 1.0 + f0 - f1, f1 - f2, f2};  // p'_i = p_{i+b} − F_i + F_{i+1}
      double* row = &p_[static_cast<std::size_t>(j * n)];
      const std::ptrdiff_t reach = std::abs(b) + 3;
      padded_.assign(static_cast<std::size_t>(n + 2 * reach), 0.0);
      std::copy_n(row, n, &padded_[static_cast<std::size_t>(reach)]);
      const double* __restrict from = &padded_[static_cast<std::size_t>(reach + b)];
      double* __restrict to = row;
      for (std::ptrdiff_t i = 0; i < n; ++i)
        to[i] = w[0] * from[i - 1] + w[1] * from[i] + w[2] * from[i + 1] + w[3] * from[i + 2];
    }
  }

  Problem problem_;
  Field p_, solved_, padded_;
  Factors half_, whole_;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Solver, class Run>
void measure(const Problem& problem, Field& density, Run run) {
  const double begin = now();
  Solver solver(problem);
  const double ready = now();
  solver.load(density);
  run(solver);
  solver.store(density);
  std::printf("%.9g %.9g\n", ready - begin, now() - ready);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 15) {
    std::fprintf(stderr, "usage: see the head of handwritten.cpp\n");
    return 2;
  }
  const auto whole = [&](int k) { return static_cast<std::ptrdiff_t>(std::atoll(argv[k])); };
  const auto real = [&](int k) { return std::atof(argv[k]); };
  const Problem problem{whole(2), whole(3), whole(4), real(5),  real(6), real(7),
                        real(8),  real(9),  real(10), real(11), real(12)};
  Field density(static_cast<std::size_t>(problem.n_theta * problem.n_v));
  const auto bytes = static_cast<std::streamsize>(density.size() * sizeof(double));
  if (!std::ifstream(argv[13], std::ios::binary).read(reinterpret_cast<char*>(density.data()), bytes)) return 5;
  if (std::strcmp(argv[1], "rk4") == 0) {
    measure<RungeKutta4>(problem, density, [&](RungeKutta4& solver) {
      for (std::ptrdiff_t n = 0; n < problem.steps; ++n) solver.step();
    });
  } else if (std::strcmp(argv[1], "strang") == 0) {
    measure<Strang>(problem, density, [](Strang& solver) { solver.run(); });
  } else {
    return 2;
  }
  if (!std::ofstream(argv[14], std::ios::binary).write(reinterpret_cast<const char*>(density.data()), bytes)) return 5;
  return 0;
}
