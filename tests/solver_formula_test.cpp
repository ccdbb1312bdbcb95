#include <cmath>
#include <set>

#include <gtest/gtest.h>
#include <muParser.h>

#include "meshes/error.hpp"
#include "result_files.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/landscape/formula.hpp"
#include "solver/landscape/function.hpp"

/// Formulas as people write them: what is understood, and what the answer to the rest is.
namespace underdamp {
namespace {

double value_at_half(const std::string& formula) {
  return make_expression(formula)->value(0.5);
}

/// The message about a formula that is refused.
std::string answer_to(const std::string& formula, std::optional<double> eigenvalue = std::nullopt) {
  try {
    static_cast<void>(make_expression(formula, eigenvalue));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << formula;
  return {};
}

/// What is wrong with a formula; empty if nothing is.
std::string formula_problem(const std::string& formula) {
  try {
    static_cast<void>(make_expression(formula));
  } catch (const SpecError& error) {
    return error.what();
  }
  return {};
}

TEST(Formulas, LimitsAreNamed) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '(') + "x" + std::string(depth, ')'); };
  const auto terms = [](std::size_t count) {
    std::string text = "x";
    for (std::size_t k = 1; k < count; ++k) text += "+x";
    return text;
  };
  EXPECT_EQ(formula_problem(nested(deepest_formula)), "");
  EXPECT_CONTAINS(formula_problem(nested(deepest_formula + 1)),
                  "more than 100 parentheses inside one another (at character 101)");
  EXPECT_EQ(formula_problem(terms(longest_formula / 2)), "");
  EXPECT_CONTAINS(formula_problem(terms(longest_formula / 2 + 1)),
                  "the formula has 1025 characters, the limit is 1024");
  EXPECT_CONTAINS(formula_problem(terms(500) + "+"), "x+x+x");
  EXPECT_LT(formula_problem(terms(500) + "+").size(), 600U);
  EXPECT_CONTAINS(formula_problem("x + \x1b[2Jx"), "a control character (at character 5)");
}

TEST(Formulas, OnlyMathematicsCanBeCalled) {
  for (const char* formula : {"x = 2", "(x = 2)", "x += 1", "x ? x = 1 : x", "x === 2", "x <== 2", "y = x", "\"a\"",
                              "strlen(\"a\")", "system(x)", "open(\"f\")", "rnd()", "x; x", "x, x", "print(x)"}) {
    EXPECT_NE(formula_problem(formula), "") << formula;
  }
  for (const char* formula :
       {"x <= 2", "x == 2", "x != 2 && x >= 1", "x < 0 ? -x : x", "sum(x, 1) + avg(x, 2) + rint(x)"})
    EXPECT_EQ(formula_problem(formula), "") << formula;
  // All that muParser has; a version that has more must be looked at.
  const std::set<std::string> known{"sin",   "cos",   "tan",   "asin",  "acos", "atan", "atan2", "sinh", "cosh",
                                    "tanh",  "asinh", "acosh", "atanh", "log",  "log2", "log10", "ln",   "exp",
                                    "sqrt",  "cbrt",  "hypot", "pow",   "abs",  "fabs", "sign",  "rint", "trunc",
                                    "floor", "ceil",  "round", "fmod",  "min",  "max",  "sum",   "avg",  "remainder"};
  const mu::Parser parser;
  for (const auto& entry : parser.GetFunDef()) EXPECT_EQ(known.count(entry.first), 1U) << entry.first;
}

TEST(Formulas, ConstantsHaveTheirUsualNames) {
  const double pi = 3.141592653589793;
  EXPECT_NEAR(value_at_half("cos(pi*x)"), 0.0, 1e-15);
  EXPECT_NEAR(value_at_half("e^x"), 1.6487212707001282, 1e-14);
  EXPECT_NEAR(value_at_half("_pi + _e"), pi + 2.718281828459045, 1e-14);
  EXPECT_NEAR(value_at_half("1e-3 + 2E2"), 200.001, 1e-12);  // numbers, not e
}

TEST(Formulas, TwoStarsArePowers) {
  EXPECT_NEAR(value_at_half("x**2"), 0.25, 1e-16);
  EXPECT_NEAR(value_at_half("-x**2"), -0.25, 1e-16);
  EXPECT_NEAR(value_at_half("2**3**2"), 512.0, 1e-12);  // from the right, as in Python
  EXPECT_NEAR(value_at_half("2**-x"), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(value_at_half("(x**2-1)**2/4"), 0.140625, 1e-15);
  EXPECT_CONTAINS(answer_to("x**2 + foo"), "(at character 8)");  // positions are those of what was written
  EXPECT_CONTAINS(answer_to("x***2"), "(at character 4)");
}

TEST(Formulas, MissingMultiplicationSignsAreNamed) {
  const auto expect = [](const std::string& formula, const std::string& cure, int character) {
    const std::string answer = answer_to(formula);
    EXPECT_CONTAINS(answer, "a multiplication sign is missing (at character " + std::to_string(character) + ")");
    EXPECT_CONTAINS(answer, "to fix: write " + cure);
  };
  expect("2x", "2*x", 2);
  expect("2 x", "2*x", 3);
  expect("2(x+1)", "2*(x+1)", 2);
  expect("x(x-1)", "x*(x-1)", 2);
  expect("(x+1)(x-1)", "(x+1)*(x-1)", 6);
  expect("(x+1)x", "(x+1)*x", 6);
  expect("sin(x)cos(x)", "sin(x)*cos(x)", 7);
  expect("2pi", "2*pi", 2);
  expect("2e", "2*e", 2);
  expect("pi(x)", "pi*(x)", 3);
  expect("1 + 3x^2 - x(x-1)", "3*x: the formula is then \"1 + 3*x^2 - x*(x-1)\"", 6);
  EXPECT_CONTAINS(answer_to("2h x", 1.0), "write 2*h: the formula is then \"2*h*x\"");
}

TEST(Formulas, WrongNamesOfTheParameterAreNamed) {
  for (const std::string name : {"theta", "t", "y", "w", "X", "θ", "weight", "v", "my_parameter"}) {
    const std::string answer = answer_to(name + "^2/2 + 1");
    EXPECT_CONTAINS(answer, "there is no " + name + " (at character 1)");
    EXPECT_CONTAINS(answer, "write x for the parameter: the formula is then \"x^2/2 + 1\"");
  }
  EXPECT_CONTAINS(answer_to("x^2 + theta"), "the formula is then \"x^2 + x\"");
  EXPECT_CONTAINS(answer_to("a*x^2"), "write the number that a stands for");
  EXPECT_CONTAINS(answer_to("σ*x^2"), "write the number that it stands for");
  EXPECT_CONTAINS(answer_to("x2 + x"), "write x^2 or 2*x");
  EXPECT_CONTAINS(answer_to("h*x^2"), "only formulas of loss.kind = \"spectrum\" know an eigenvalue h");
}

TEST(Formulas, NamesOfOtherLanguagesAreTranslated) {
  const auto expect = [](const std::string& formula, const std::string& corrected) {
    EXPECT_CONTAINS(answer_to(formula), "the formula is then \"" + corrected + "\"");
    EXPECT_NO_THROW(make_expression(corrected)) << corrected;
  };
  expect("np.cos(x)", "cos(x)");
  expect("1 - math.exp(-x**2)", "1 - exp(-x^2)");
  expect("std::sqrt(x)", "sqrt(x)");
  expect("arctan(x) + arcsin(x/9)", "atan(x) + asin(x/9)");
  expect("power(x, 2)", "(x)^(2)");
  expect("np.power(x + 1, 2)/2", "(x + 1)^(2)/2");
  expect("pow(x, pow(x, 2))", "(x)^((x)^(2))");
  expect("square(x - 1)", "(x - 1)^2");
  expect("fabs(x) + |x|", "abs(x) + abs(x)");
  expect("Cos(x) + PI", "cos(x) + pi");
  expect("[x + 1]*x", "(x + 1)*x");
  expect("x > 0 and x < 1", "x > 0 && x < 1");
  EXPECT_CONTAINS(answer_to("np.cos(x)"), "write cos, not np.cos");
  EXPECT_CONTAINS(answer_to("arctan(x)"), "write atan");
  EXPECT_CONTAINS(answer_to("x if x > 0 else 0"), "write condition ? this : that");
  EXPECT_CONTAINS(answer_to("sin x"), "sin needs its argument in parentheses");
  EXPECT_CONTAINS(answer_to("np.linalg.norm(x)"), "there is no np.linalg.norm");
  EXPECT_CONTAINS(answer_to("erf(x)"), "the functions are abs, acos,");
  EXPECT_CONTAINS(answer_to("1_000*x"), "write 1000");
  EXPECT_CONTAINS(answer_to("0,5*x^2"), "write a point, 0.5");
  EXPECT_EQ(value_at_half("ln(x)"), value_at_half("log(x)"));
}

TEST(Formulas, SignsThatAreNotAsciiAreTranslated) {
  const auto expect = [](const std::string& formula, const std::string& problem, const std::string& corrected) {
    EXPECT_CONTAINS(answer_to(formula), problem);
    EXPECT_CONTAINS(answer_to(formula), "the formula is then \"" + corrected + "\"");
    EXPECT_NO_THROW(make_expression(corrected)) << corrected;
  };
  expect("x − 1", "the sign − is not ASCII (at character 3)", "x - 1");
  expect("2×x", "the sign × is not ASCII (at character 2)", "2*x");
  expect("x²", "write ^2 for ²", "x^2");
  expect("3x² + x⁻¹ − x¹²", "a multiplication sign is missing (at character 2)", "3*x^2 + x^(-1) - x^12");
  expect("cos(2πθ)", "the sign π is not ASCII (at character 6)", "cos(2*pi*x)");
  expect("½·x²", "the sign ½ is not ASCII (at character 1)", "(1/2)*x^2");
  expect("√(x) ≤ 1", "the sign √ is not ASCII", "sqrt(x) <= 1");
  EXPECT_CONTAINS(answer_to("x + ł"), "the sign ł means nothing in a formula (at character 5)");
  EXPECT_CONTAINS(answer_to("θ² + foo"), "(at character 1)");
}

TEST(Formulas, WhatIsNotRecognisedIsNotGuessed) {
  EXPECT_CONTAINS(answer_to("x^2 +"), "Unexpected end of expression");
  EXPECT_CONTAINS(answer_to("1.5.2"), "there is no sign between two numbers");
  EXPECT_CONTAINS(answer_to("foo(x) + 2x"), "(at character 1)");  // the first mistake is reported
  EXPECT_CONTAINS(answer_to("2x + foo(x)"), "to fix: write 2*x");
  EXPECT_FALSE(testing::contains(answer_to("2x + foo(x)"), "the formula is then"));
}

TEST(Formulas, ConstantsAreNumbers) {
  EXPECT_NEAR(constant_value("-pi").value(), -3.141592653589793, 1e-15);
  EXPECT_NEAR(constant_value("2*pi").value(), 6.283185307179586, 1e-15);
  EXPECT_NEAR(constant_value("sqrt(2)").value(), 1.4142135623730951, 1e-15);
  EXPECT_EQ(constant_value("1e-3").value(), 0.001);
  EXPECT_EQ(constant_value("2**7").value(), 128.0);
  for (const char* text : {"fast", "x", "", "auto", "1 +"}) EXPECT_FALSE(constant_value(text).has_value()) << text;
  for (const char* text : {"2pi", "π", "np.pi"}) EXPECT_THROW(constant_value(text), Error) << text;
  EXPECT_THROW(constant_value(std::string(longest_formula + 1, '1')), Error);
  EXPECT_THROW(constant_value(std::string(200, '(') + "1" + std::string(200, ')')), Error);
}

}  // namespace
}  // namespace underdamp
