/// LoadForecast: a HoltWinters model over a series that grows, with its smoothing fitted anew at
/// the end of each season, and the errors it made.
///
/// Before one full season there is no forecast. With a smoothing given, the model then goes on for
/// ever; else it is built again at the end of each season from the newest `fit_seasons` of them,
/// with the smoothing that fits them best (two seasons at least; Smoothing{} until then). The
/// margin is a quantile, by nearest rank, of the newest residuals, a season of them, and never
/// below zero. append is O(season), a rebuild O(grid * fit_seasons * season).
///
///     LoadForecast forecast(288, 7, std::nullopt, 900);
///     forecast.append(1200.0);
///     if (forecast.ready()) ... forecast.peak(1, 3) + forecast.margin() ...
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policies/scaling/predictive/holt_winters.hpp"

namespace headroom::policies {

class LoadForecast {
  public:
    /// `quantile_milli` in 0..1000. No smoothing given: fitted.
    LoadForecast(std::size_t season_length, std::size_t fit_seasons,
                 std::optional<Smoothing> smoothing, std::int64_t quantile_milli);

    /// The next value. nullopt, not measured: the forecast stands in, before there is one the last
    /// value; in front of the first value it is left out.
    void append(std::optional<double> value);
    [[nodiscard]] bool ready() const { return model_.has_value(); }
    /// Values of the first season that are known: as long as it is not ready.
    [[nodiscard]] std::size_t known() const { return values_.size(); }
    [[nodiscard]] std::size_t season_length() const { return season_length_; }
    /// The largest forecast of the steps `first` to `last`, the first one at least 1; a season of
    /// them at most is looked at. Only when ready.
    [[nodiscard]] double peak(std::int64_t first, std::int64_t last) const;
    [[nodiscard]] double margin() const { return margin_; }
    [[nodiscard]] Smoothing smoothing() const;

  private:
    void rebuild();
    void note_residual(double residual);
    void update_margin();

    std::size_t season_length_;
    std::size_t fit_seasons_;
    std::optional<Smoothing> given_;
    std::int64_t quantile_milli_;
    std::vector<double> values_;
    std::size_t since_rebuild_ = 0;
    std::optional<HoltWinters> model_;
    std::vector<double> residuals_;  ///< a ring of a season at most
    std::size_t oldest_ = 0;
    std::vector<double> sorted_;  ///< scratch
    double margin_ = 0.0;
};

}  // namespace headroom::policies
