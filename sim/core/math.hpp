/// Deterministic mathematics: logarithm, exponential, power, and what inverse distributions need of
/// them. Only + - * / sqrt on IEEE doubles and integer operations are used, in a written order, so
/// g++ and clang++ give the same bits on every x86-64. (libm picks variants by processor.)
///
///     double gap = -mean * det_log1p(-u);           // exponential, u in (0, 1)
///     double x = gamma_quantile(u, 0.25);           // scale 1
///
/// Errors: det_log, det_exp, det_pow below 1 ulp (2 where the result is subnormal), det_log1p and
/// det_expm1 below 2 ulp; normal_quantile about 1e-15, gamma_quantile below 1e-11, relative;
/// log_gamma 1e-14, absolute or relative, whichever is larger. All but gamma_quantile are O(1).
/// Table-driven range reduction after Tang, "Table-driven implementation of the logarithm function"
/// (ACM TOMS 16, 1990) and "... of the exponential function" (TOMS 15, 1989).
#pragma once

namespace headroom::inline core {

/// Natural logarithm. log(+-0) = -inf, log(inf) = inf, NaN below zero. Subnormals are exact inputs.
[[nodiscard]] double det_log(double x);
/// e^x. Overflows to inf, underflows gradually to 0; exp(-inf) = 0.
[[nodiscard]] double det_exp(double x);
/// x^y with all the special cases of C's pow (Annex F): pow(x, 0) = 1, negative x needs an integer
/// y.
[[nodiscard]] double det_pow(double x, double y);
/// log(1 + x), accurate for small x too. log1p(-1) = -inf, NaN below.
[[nodiscard]] double det_log1p(double x);
/// e^x - 1, accurate for small x too.
[[nodiscard]] double det_expm1(double x);

/// log of the gamma function. x > 0.
[[nodiscard]] double log_gamma(double x);

/// The regularised incomplete gamma functions P(a, x) and Q = 1 - P, the smaller of the two to full
/// relative precision. a > 0, x >= 0. O(sqrt(a)) near x = a, else some tens of terms.
struct IncompleteGamma {
    double lower;  ///< P
    double upper;  ///< Q
};
[[nodiscard]] IncompleteGamma incomplete_gamma(double a, double x);

/// Distribution function of the standard normal, with its complement: {P(Z <= z), P(Z > z)}.
[[nodiscard]] IncompleteGamma normal_cdf(double z);
/// Quantile of the standard normal: Wichura, AS 241 (PPND16), Applied Statistics 37 (1988).
/// u in (0, 1); 0 and 1 give -inf and inf, anything else NaN.
[[nodiscard]] double normal_quantile(double u);
/// Quantile of the gamma distribution with scale 1. u in (0, 1), shape > 0. Some 300 ns for shapes
/// of order 1, O(sqrt(shape)) beyond.
[[nodiscard]] double gamma_quantile(double u, double shape);
/// log of that quantile for a point given by both tails (lower + upper = 1), either of which may be
/// tiny; it stays finite where the quantile itself would underflow.
[[nodiscard]] double log_gamma_quantile(double lower, double upper, double shape);

}  // namespace headroom::inline core
