#include "analysis/report/bound_table.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

constexpr std::size_t kLabelWidth = 13;
/// A peak this much above the mean is worth a word.
constexpr double kPeakStandsOut = 1.02;

/// Whole numbers as such.
std::string amount(double x) {
    return x == std::round(x) ? count_text(std::llround(x)) : significant(x);
}

std::string comparison_value(const std::optional<double>& value, BoundComparison::Unit unit,
                             const char* missing) {
    if (!value) return missing;
    switch (unit) {
        case BoundComparison::Unit::seconds:
            return duration_text(*value);
        case BoundComparison::Unit::fraction:
            return percent_text(*value);
        case BoundComparison::Unit::rate:
            return rate_text(*value);
        case BoundComparison::Unit::count:
            return amount(*value);
    }
    return missing;
}

std::string wait_text(double seconds) {
    return std::isfinite(seconds) ? duration_text(seconds) : "no end";
}

class BoundText {
  public:
    BoundText(const BoundReport& report, const TextStyle& style) : in_(report), style_(style) {}

    std::string render() {
        const scenarios::Scenario& scenario = in_.scenario;
        const std::string about = scenario.description.empty() ? "" : "  " + scenario.description;
        const std::string wrapped = wrap(scenario.name + about, style_.width, 0);
        out_ += ink(scenario.name, Ink::bold, style_) + wrapped.substr(scenario.name.size()) + "\n";
        out_ += ink("formulas over " + clock_text(in_.bound.span_s) + " of load" +
                        (in_.comparisons.empty() ? ""
                                                 : fmt::format(", and one simulated run (seed {})",
                                                               scenario.spec.seed)),
                    Ink::dim, style_) +
                "\n";
        for (std::size_t i = 0; i < in_.bound.versions.size(); ++i) {
            version(in_.bound.versions[i]);
            if (i < in_.comparisons.size()) comparison(in_.comparisons[i]);
        }
        gpus();
        bands();
        return std::move(out_);
    }

  private:
    void entry(const std::string& label, const std::string& text, Ink colour = Ink::plain) {
        const std::string wrapped =
            wrap("  " + pad_right(label, kLabelWidth - 2) + text, style_.width, kLabelWidth);
        out_ += colour == Ink::plain ? wrapped + "\n" : ink(wrapped, colour, style_) + "\n";
    }

    void version(const VersionBound& v) {
        const char* kind = v.engine == EngineKind::llm       ? "LLM engine"
                           : v.engine == EngineKind::dynamic ? "dynamic batcher"
                                                             : "servers";
        out_ += "\n" + ink(v.name, Ink::bold, style_) + "  " + kind;
        if (!v.autoscaler.empty()) out_ += ", scaled by " + v.autoscaler;
        out_ += "\n";
        load(v);
        if (!(v.load.mean_rate > 0)) return;
        capacity(v);
        replicas(v);
        needs(v);
        if (v.simple && fixed(v)) simple(*v.simple);
    }
    void load(const VersionBound& v) {
        const OfferedLoad& load = v.load;
        if (!(load.mean_rate > 0)) {
            entry("Load", "no requests");
            return;
        }
        std::string text;
        if (v.closed) {
            text = fmt::format(
                "{} users who think {}: {} requests/s at most; more than {} users only wait",
                amount(load.users), duration_text(load.think_s), rate_text(v.closed->rate),
                significant(v.closed->knee));
            if (v.llm)
                text += fmt::format("; about {} requests/s in balance", rate_text(v.closed_rate));
        } else {
            text = rate_text(load.mean_rate) + " requests/s on average";
            if (load.peak_rate > kPeakStandsOut * load.mean_rate) {
                text += fmt::format(", {} in the busiest {} (from {})", rate_text(load.peak_rate),
                                    load.window_s == 60 ? "minute" : clock_text(load.window_s),
                                    clock_text(load.peak_at_s));
            }
            if (load.gap_cv == 0) {
                text += ", evenly spaced";
            } else if (load.gap_cv != 1) {
                text += fmt::format(", gaps with a coefficient of variation of {}",
                                    significant(load.gap_cv));
            }
        }
        if (v.llm) {
            text += fmt::format("; {} prompt and {} output tokens each",
                                rate_text(v.llm->mean_prompt), rate_text(v.llm->mean_output));
            if (v.llm->refused > 0) {
                text += fmt::format(" ({} are too long for it)", percent_text(v.llm->refused));
            }
        }
        entry("Load", text);
    }
    [[nodiscard]] static std::string llm_text(const LlmFigures& f) {
        const std::string prompts =
            "prompts alone " + rate_text(f.prefill_tokens_per_s) + " tokens/s";
        if (f.role == serving::EngineRole::prefill) return ": " + prompts;
        std::string text = fmt::format(
            ": {} sequences at once ({}), {} a token; decoding alone {} "
            "tokens/s",
            significant(f.most.batch), to_string(f.limit), duration_text(f.most.iteration_s),
            rate_text(f.decode_tokens_per_s));
        if (f.role == serving::EngineRole::both) text += ", " + prompts;
        if (f.limit != BatchLimit::kv_cache) {
            text += fmt::format("; KV cache for {} of them", significant(f.kv_sequences));
        }
        return text;
    }
    void capacity(const VersionBound& v) {
        if (!(v.capacity_rps > 0)) return;
        std::string text = "holds " + rate_text(v.capacity_rps) + " requests/s";
        if (v.simple) {
            text += fmt::format(
                ": {} each {}",
                plural(v.simple->queue.servers / std::max<std::int64_t>(1, v.at.front().replicas),
                       "server"),
                duration_text(v.simple->queue.service_s));
        } else if (v.llm) {
            text += llm_text(*v.llm);
        } else if (v.dynamic) {
            text += fmt::format(": batches of {} in {}", v.dynamic->max_batch_size,
                                duration_text(v.dynamic->full_batch_s));
            if (v.dynamic->instances > 1) {
                text += fmt::format(", {} at once", v.dynamic->instances);
            }
        }
        entry("A replica", text);
    }
    void replicas(const VersionBound& v) {
        if (!(v.capacity_rps > 0) || v.closed) return;
        for (const AtReplicas& at : v.at) {
            if (at.replicas == 0) {
                entry("0 replicas", "hold nothing");
                continue;
            }
            std::string text = percent_text(at.utilisation) + " used on average";
            if (v.load.peak_rate > kPeakStandsOut * v.load.mean_rate) {
                text += ", " + percent_text(at.peak_utilisation) + " at the peak";
            }
            if (at.headroom >= 1) {
                text += fmt::format("; holds {} times today's peak", significant(at.headroom));
            } else {
                text +=
                    fmt::format("; today's peak is {} times what {}", significant(1 / at.headroom),
                                at.replicas == 1 ? "it holds" : "they hold");
            }
            entry(plural(at.replicas, "replica"), text,
                  at.headroom >= 1 ? Ink::plain : Ink::yellow);
        }
        if (v.llm && v.llm->role != serving::EngineRole::prefill && fixed(v)) {
            entry("Pace",
                  fmt::format("{} a token with {} sequences on each, KV cache {} full; a "
                              "prompt alone takes {}",
                              duration_text(v.llm->now.iteration_s), significant(v.llm->now.batch),
                              percent_text(v.llm->now.kv_fraction),
                              duration_text(v.llm->lone_prefill_s)));
        }
    }
    [[nodiscard]] static bool fixed(const VersionBound& v) {
        return v.min_replicas == v.max_replicas;
    }
    [[nodiscard]] static std::string target_text(const Target& target) {
        if (!target.text.empty()) return target.text;
        if (target.kind == Target::Kind::tpot) {
            return duration_text(target.limit_s) + " a token (slo)";
        }
        return fmt::format("{} of responses within {} (slo)", percent_text(target.quantile),
                           duration_text(target.limit_s));
    }
    void needs(const VersionBound& v) {
        if (!v.for_mean || !v.for_peak) return;
        std::string text = plural(*v.for_mean, "replica") + " to hold the mean rate";
        text += fmt::format(", {} the peak", *v.for_peak);
        if (v.target) {
            text += v.for_target
                        ? fmt::format(", {} the peak at {}", *v.for_target, target_text(*v.target))
                        : "; no number of them gives " + target_text(*v.target);
        }
        if (v.gpus_per_replica > 0) {
            const std::int64_t most = std::max(*v.for_peak, v.for_target.value_or(0));
            text += fmt::format(" ({} of {} GPU{} each)", plural(most, "replica"),
                                amount(v.gpus_per_replica), v.gpus_per_replica == 1 ? "" : "s");
        }
        entry("Needs", text);
    }
    void simple(const SimpleFigures& figures) {
        const std::string name = figures.formula.substr(0, figures.formula.find(" ("));
        std::string text =
            figures.waiting_room >= 0
                ? fmt::format("{} turned away; mean wait {}", percent_text(figures.blocked),
                              wait_text(figures.mean_wait_s))
                : fmt::format("waits {} on average, p99 {}; p99 of the response {}",
                              wait_text(figures.mean_wait_s), wait_text(figures.wait_p99_s),
                              wait_text(figures.response_p99_s));
        if (name != figures.formula) text += "; " + figures.formula.substr(name.size() + 1);
        entry(name, text);
    }

    void comparison(const std::vector<BoundComparison>& list) {
        if (list.empty()) return;
        std::vector<std::vector<std::string>> rows = {{"", "formula", "simulated"}};
        for (const BoundComparison& c : list) {
            rows.push_back({c.name, comparison_value(c.analytic, c.unit, "none"),
                            comparison_value(c.simulated, c.unit, "-")});
        }
        const std::string text = columns(rows, 2);
        std::size_t at = text.find('\n') + 1;
        out_ += ink(text.substr(0, at - 1), Ink::dim, style_) + "\n";
        for (const BoundComparison& c : list) {
            const std::size_t end = text.find('\n', at) + 1;
            out_ += text.substr(at, end - at);
            at = end;
            for (const std::string& reason : c.reasons) {
                out_ += wrap("      differs: " + reason, style_.width, 8) + "\n";
            }
        }
    }
    void gpus() {
        const PoolGpus& gpus = in_.bound.gpus;
        if (gpus.held == 0 && !(gpus.needed > 0)) return;
        out_ += "\n" + ink("GPUs", Ink::bold, style_) +
                fmt::format(
                    "  {} in the node pools; {} with every service at its most replicas, "
                    "{} to hold the peaks\n",
                    gpus.held, amount(gpus.needed), amount(gpus.for_peak));
        if (gpus.needed > static_cast<double>(gpus.held)) {
            entry("", "not all replicas that may be asked for find a GPU", Ink::yellow);
        }
    }
    void bands() {
        for (const scenarios::ProfileUse& use : in_.scenario.profiles) {
            if (!(use.info.error_band > 0)) continue;
            out_ += ink(wrap(fmt::format("{} runs on an {} profile ({}): capacities may be off by "
                                         "up to {}",
                                         use.service, use.info.kind, use.info.name,
                                         percent_text(use.info.error_band)),
                             style_.width, 2),
                        Ink::dim, style_) +
                    "\n";
        }
    }

    const BoundReport& in_;
    const TextStyle& style_;
    std::string out_;
};

}  // namespace

std::string render_bound(const BoundReport& report, const TextStyle& style) {
    return BoundText(report, style).render();
}

}  // namespace headroom::analysis
