#include "traces/generators/generated_source.hpp"

#include "tests/unit/traces/sources_for_tests.hpp"

namespace headroom::traces {
namespace {

GeneratedConfig chat(const std::string& name) {
    return open_loop_config(name, 42, "poisson", rate(10));
}

TEST_CASE("GeneratedSource: the first requests are as recorded") {
    GeneratedSource source(chat("chat"));
    std::vector<std::vector<std::int64_t>> got;
    for (int i = 0; i < 4; ++i) {
        const serving::Arrival a = source.take();
        got.push_back({a.time.ps(), a.prompt.count(), a.output.count()});
    }
    CHECK(got == std::vector<std::vector<std::int64_t>>{{77909119761, 2486, 438},
                                                        {176703114560, 590, 88},
                                                        {187330293373, 377, 398},
                                                        {236142851694, 1282, 56}});
}

TEST_CASE("GeneratedSource: ends before its end and after its limit") {
    GeneratedConfig config = chat("chat");
    config.end = Time::from_seconds(10);
    GeneratedSource timed(std::move(config));
    int count = 0;
    Time last;
    while (timed.peek()) {
        last = timed.take().time;
        ++count;
    }
    CHECK(last < Time::from_seconds(10));
    CHECK(count > 70);
    CHECK(count < 130);
    // An end exactly at an arrival leaves it out.
    config = chat("chat");
    config.end = last;
    GeneratedSource cut(std::move(config));
    for (int i = 0; i + 1 < count; ++i) (void)cut.take();
    CHECK_FALSE(cut.peek().has_value());

    config = chat("chat");
    config.limit = 3;
    GeneratedSource limited(std::move(config));
    for (int i = 0; i < 3; ++i) (void)limited.take();
    CHECK_FALSE(limited.peek().has_value());
}

TEST_CASE("GeneratedSource: lengths do not move arrivals, names change all draws") {
    Parameters seven = Parameters::defaults(LengthModel::specs());
    seven.set("mean", {7.0});
    GeneratedConfig fixed = chat("a");
    fixed.prompt = LengthModel::from(seven, LengthModel::Role::prompt);
    GeneratedSource a(chat("a"));
    GeneratedSource b(std::move(fixed));
    GeneratedSource c(chat("c"));
    for (int i = 0; i < 100; ++i) {
        const serving::Arrival x = a.take(), y = b.take(), z = c.take();
        CHECK(x.time == y.time);
        CHECK(x.output == y.output);
        CHECK(y.prompt == Tokens{7});
        CHECK(x.time != z.time);
    }
}

TEST_CASE("GeneratedSource: every request carries the attributes of its source") {
    GeneratedConfig config = chat("chat");
    config.attributes = {-2, 9, 0, 3};
    CHECK(GeneratedSource(std::move(config)).take().attributes ==
          serving::RequestAttributes{-2, 9, 0, 3});
}

TEST_CASE("GeneratedSource: every registered process drives a source") {
    CHECK(Registry<ArrivalProcess>::instance().entries().size() >= 7);
    for (const auto& [name, entry] : Registry<ArrivalProcess>::instance().entries()) {
        CAPTURE(name);
        GeneratedSource source(open_loop_config(
            "s", 3, name, name == "steps" ? Settings{{"steps", rate_list({{0, 5}})}} : rate(5)));
        Time last;
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(source.peek().has_value());
            const Time next = *source.peek();
            const serving::Arrival arrival = source.take();
            REQUIRE(arrival.time == next);
            REQUIRE(arrival.time >= last);
            REQUIRE(arrival.prompt >= Tokens{1});
            REQUIRE(arrival.output >= Tokens{1});
            last = arrival.time;
        }
    }
}

}  // namespace
}  // namespace headroom::traces
