/// A grid: request i comes exactly at offset + i / rate, each rounded by itself to the nearest
/// picosecond, so the grid does not drift. The rate is taken to nine decimals.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "traces/generators/modulated_arrivals.hpp"

namespace headroom::traces {

class ConstantArrivals final : public ArrivalProcess {
  public:
    ConstantArrivals(const Parameters& p, const PolicyContext&)
        : nano_rate_(std::max<std::int64_t>(1, std::llround(p.number("rate") * 1e9))),
          offset_(p.duration("offset")) {}
    static ParameterSpecs parameter_specs() {
        return {rate_spec(),
                ParameterSpec::duration("offset", Duration::zero(), "when the first request comes")
                    .at_most(8'640'000)};
    }

    Time next() override {
        const Int128 ps = (static_cast<Int128>(index_) * kPsTimesNano * 2 + nano_rate_) /
                          (static_cast<Int128>(nano_rate_) * 2);
        if (ps > (Time::horizon_limit() - (Time::zero() + offset_)).ps()) return Time::max();
        ++index_;
        return Time::zero() + offset_ + Duration::picoseconds(static_cast<std::int64_t>(ps));
    }
    [[nodiscard]] double expected_by(Time t) const override {
        const Duration since = t - (Time::zero() + offset_);
        if (since <= Duration::zero()) return 0;
        return std::ceil(since.to_seconds() * static_cast<double>(nano_rate_) * 1e-9);
    }
    [[nodiscard]] double gap_cv() const override { return 0; }

  private:
    static constexpr Int128 kPsTimesNano =
        static_cast<Int128>(Duration::kPerSecond) * 1'000'000'000;
    std::int64_t nano_rate_;
    Duration offset_;
    std::int64_t index_ = 0;
};

REGISTER_POLICY(ArrivalProcess, ConstantArrivals, "constant", "a grid of equal gaps");

}  // namespace headroom::traces
