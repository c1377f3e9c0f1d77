/// Logarithm, power of two and power with the very roundings of Go's math package on amd64.
///
/// The vertical pod autoscaler finds a histogram's bucket by the whole part of a quotient of two
/// logarithms and a percentile by comparing two sums of decayed weights. Values on a bucket's edge
/// and equal weights are common, so there the last bit decides, and an ulp less error would be
/// another answer than upstream's. These functions use + - * / in Go's order, hence the same bits
/// on every machine; det_log and det_pow of sim/core/math.hpp take over where Go's own choice of
/// algorithm cannot matter. All O(1), go_pow O(log y).
///
///     go_log(1.1025) / go_log(1.05);   // 1.9999999999999984, so 0.0205 cores are in bucket 1
///
/// Errors: below 1 ulp (Log, Exp2), a few ulp for a Pow of a large whole y. Source: Go 1.19
/// src/math/{log_amd64.s, exp.go, pow.go}, whose algorithms are those of FreeBSD's e_log.c and
/// e_exp.c (FDLIBM).
#pragma once

namespace headroom::policies {

/// Natural logarithm; arguments that are not positive, normal and finite as det_log.
[[nodiscard]] double go_log(double x);
/// 2^x; overflows to inf, underflows to 0, NaN stays.
[[nodiscard]] double go_exp2(double x);
/// x^y by repeated squaring for whole y below 2^63; else, and for special cases, det_pow.
[[nodiscard]] double go_pow(double x, double y);

}  // namespace headroom::policies
