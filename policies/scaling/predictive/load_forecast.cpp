#include "policies/scaling/predictive/load_forecast.hpp"

#include <algorithm>
#include <span>

#include "sim/core/check.hpp"

namespace headroom::policies {

LoadForecast::LoadForecast(std::size_t season_length, std::size_t fit_seasons,
                           std::optional<Smoothing> smoothing, std::int64_t quantile_milli)
    : season_length_(season_length),
      fit_seasons_(fit_seasons),
      given_(smoothing),
      quantile_milli_(quantile_milli) {
    HEADROOM_CHECK(season_length > 0 && fit_seasons > 0, "a season has values");
}

void LoadForecast::append(std::optional<double> value) {
    if (!value && values_.empty()) return;
    if (model_) {
        values_.push_back(value ? *value : std::max(0.0, model_->forecast(1)));
        if (value) {
            note_residual(model_->update(*value));
            update_margin();
        } else {
            model_->skip();
        }
    } else {
        values_.push_back(value ? *value : values_.back());
    }
    if (++since_rebuild_ >= season_length_) rebuild();
}

void LoadForecast::rebuild() {
    since_rebuild_ = 0;
    if (model_ && given_) {  // nothing to fit: the model goes on as it is
        values_.clear();
        return;
    }
    const std::size_t kept = fit_seasons_ * season_length_;
    if (values_.size() > kept) {
        values_.erase(values_.begin(), values_.end() - static_cast<std::ptrdiff_t>(kept));
    }
    const std::span<const double> history = values_;
    model_.emplace(history, season_length_,
                   given_ ? *given_ : fit_smoothing(history, season_length_));
    residuals_.clear();
    oldest_ = 0;
    for (const double value : history.subspan(season_length_)) note_residual(model_->update(value));
    update_margin();
}

void LoadForecast::note_residual(double residual) {
    if (residuals_.size() < season_length_) {
        residuals_.push_back(residual);
        return;
    }
    residuals_[oldest_] = residual;
    if (++oldest_ == residuals_.size()) oldest_ = 0;
}

void LoadForecast::update_margin() {
    margin_ = 0.0;
    if (residuals_.empty()) return;
    sorted_ = residuals_;
    const auto count = static_cast<std::int64_t>(sorted_.size());
    const std::int64_t rank = std::max<std::int64_t>(1, (quantile_milli_ * count + 999) / 1000);
    const auto at = sorted_.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    std::nth_element(sorted_.begin(), at, sorted_.end());
    margin_ = std::max(0.0, *at);
}

double LoadForecast::peak(std::int64_t first, std::int64_t last) const {
    HEADROOM_CHECK(model_.has_value() && first >= 1, "there is no forecast");
    const std::int64_t end = std::min(last, first + static_cast<std::int64_t>(season_length_) - 1);
    double most = model_->forecast(static_cast<std::size_t>(first));
    for (std::int64_t step = first + 1; step <= end; ++step) {
        most = std::max(most, model_->forecast(static_cast<std::size_t>(step)));
    }
    return most;
}

Smoothing LoadForecast::smoothing() const {
    HEADROOM_CHECK(model_.has_value(), "there is no forecast");
    return model_->smoothing();
}

}  // namespace headroom::policies
