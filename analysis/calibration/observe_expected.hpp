/// What the coefficients of observe.hpp should be about, from a model of iteration times that knows
/// the model and the GPU: the catalogue's measured profile of the GPU, else the estimate from first
/// principles.
///
///     ExpectedCoefficients expected = expected_coefficients(catalogue, identity, log, options);
///     options.expected = expected.coefficients;       // nothing: expected.error says why
///
/// Such times are not linear. The line is the one that touches them about the log's typical batch:
/// D sequences as decoded on average (Little's law, each of several replicas; at least 2), each at
/// the mean context k of half its output, and a prompt of the mean length P:
///
///     c3 = (t(D, 2 k) - t(D, k)) / (D k)         c4 = (t of P after P tokens - t of P) / P^2
///     c2 = (t(2 D - D/2, k) - t(D/2, k)) / (2 (D - D/2)) - c3 k
///     c1 = (t(D, k, P) - t(D, k)) / P - c4 P / 2     c0 = t(D, k) - c2 D - c3 D k
///
/// with D/2 in whole sequences, and each at least kLeastShare (observe_start.hpp) of that batch's
/// time. Of a mixture of experts, what a sequence and an expert cost is what explains the time of
/// one, of D and of 2 D - D/2 sequences; c1 and c0 are without the experts that those batches
/// touch. O(requests).
#pragma once

#include <optional>
#include <string>

#include "analysis/calibration/observed_profile.hpp"
#include "scenarios/catalogue/catalogue.hpp"
#include "sim/serving/latency/latency_model.hpp"

namespace headroom::analysis {

[[nodiscard]] serving::LinearCoefficients linear_around(const serving::LatencyModel& latency,
                                                        const EngineLog& log,
                                                        const ObserveOptions& options);

struct ExpectedCoefficients {
    std::optional<serving::LinearCoefficients> coefficients;
    std::string error;  ///< why the catalogue has no times for this engine
};

[[nodiscard]] ExpectedCoefficients expected_coefficients(const scenarios::Catalogue& catalogue,
                                                         const ObservedIdentity& identity,
                                                         const EngineLog& log,
                                                         const ObserveOptions& options);

}  // namespace headroom::analysis
