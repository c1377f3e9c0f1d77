#include "sim/core/parameter.hpp"

#include <memory>
#include <string>

#include "sim/core/registry.hpp"
#include "tests/catch.hpp"

namespace headroom {
namespace {

ParameterSpecs all_types() {
    return {
        ParameterSpec::boolean("enabled", true, "whether it is on"),
        ParameterSpec::integer("max_num_seqs", 256, "sequences at most").at_least(1).at_most(4096),
        ParameterSpec::number("target", 0.7, "target utilisation").above(0).in("ratio"),
        ParameterSpec::text("label", "default", "shown in reports"),
        ParameterSpec::choice("mode", {"least", "most"}, "most", "which way to score"),
        ParameterSpec::duration("window", Duration::seconds(60), "averaging window"),
        ParameterSpec::object("behaviour",
                              {ParameterSpec::integer("pods", 4, "pods a period"),
                               ParameterSpec::duration("period", Duration::seconds(15), "period")},
                              "limits"),
        ParameterSpec::list("weights", ParameterSpec::number("weight", 1, "one weight"), "weights"),
        ParameterSpec::integer("replicas", 0, "replicas to hold").required(),
        ParameterSpec::number("limit", 0, "an upper limit").optional_without_default(),
    };
}

struct Greeter {
    virtual ~Greeter() = default;
    [[nodiscard]] virtual std::string greet() const = 0;
};

class Polite : public Greeter {
  public:
    Polite(const Parameters& parameters, const PolicyContext& context)
        : name_(parameters.text("name")), number_(context.random.below(10, 0)) {}
    static ParameterSpecs parameter_specs() {
        return {ParameterSpec::text("name", "world", "whom to greet")};
    }
    [[nodiscard]] std::string greet() const override {
        return "hello " + name_ + " " + std::to_string(number_);
    }

  private:
    std::string name_;
    std::uint64_t number_;
};

REGISTER_POLICY(Greeter, Polite, "polite", "greets by name");

TEST_CASE("Parameters: every parameter that is not set holds its default") {
    const Parameters p = Parameters::defaults(all_types());
    CHECK(p.boolean("enabled"));
    CHECK(p.integer("max_num_seqs") == 256);
    CHECK(p.number("target") == 0.7);
    CHECK(p.text("label") == "default");
    CHECK(p.text("mode") == "most");
    CHECK(p.duration("window") == Duration::seconds(60));
    CHECK(p.object("behaviour").integer("pods") == 4);
    CHECK(p.object("behaviour").duration("period") == Duration::seconds(15));
    CHECK(p.list("weights").empty());
}

TEST_CASE("Parameters: a required or optional one is not given by default") {
    Parameters p = Parameters::defaults(all_types());
    CHECK_FALSE(p.given("replicas"));
    CHECK_FALSE(p.given("limit"));
    CHECK_FALSE(p.given("no such name"));
    CHECK(p.given("enabled"));
    REQUIRE(p.find("limit") != nullptr);
    CHECK(p.find("no such name") == nullptr);
    p.set("limit", {2.5});
    CHECK(p.given("limit"));
    CHECK(p.number("limit") == 2.5);
}

TEST_CASE("Parameters: setting a name again replaces its value and keeps its place") {
    Parameters p = Parameters::defaults(all_types());
    const std::size_t size = p.values().size();
    p.set("max_num_seqs", {std::int64_t{8}});
    CHECK(p.integer("max_num_seqs") == 8);
    CHECK(p.values().size() == size);
    CHECK(p.values()[1].first == "max_num_seqs");
}

TEST_CASE("Parameters: an integer is read as a number where a number is asked for") {
    Parameters p = Parameters::defaults(all_types());
    p.set("target", {std::int64_t{2}});
    CHECK(p.number("target") == 2.0);
}

TEST_CASE("Parameters: objects and lists nest") {
    Parameters inner = Parameters::defaults({ParameterSpec::integer("pods", 1, "pods")});
    inner.set("pods", {std::int64_t{9}});
    Parameters p = Parameters::defaults(all_types());
    p.set("behaviour", {std::make_shared<const Parameters>(inner)});
    p.set("weights",
          {std::make_shared<const ParameterValue::List>(ParameterValue::List{{1.5}, {2.5}})});
    CHECK(p.object("behaviour").integer("pods") == 9);
    REQUIRE(p.list("weights").size() == 2);
    CHECK(std::get<double>(p.list("weights")[1].data) == 2.5);
}

TEST_CASE("ParameterSpec: keeps type, range, unit and help") {
    const ParameterSpecs specs = all_types();
    CHECK(specs[1].type == ParameterType::integer);
    CHECK(specs[1].minimum == 1.0);
    CHECK(specs[1].maximum == 4096.0);
    CHECK_FALSE(specs[1].exclusive_minimum);
    CHECK(specs[2].exclusive_minimum);
    CHECK(specs[2].unit == "ratio");
    CHECK(specs[4].choices == std::vector<std::string>{"least", "most"});
    CHECK(specs[5].minimum == 0.0);  // a duration is never negative
    CHECK(specs[6].fields.size() == 2);
    CHECK(specs[7].fields[0].name == "weight");
    CHECK_FALSE(specs[8].default_value.given());
    CHECK_FALSE(specs[8].optional);
    CHECK(specs[9].optional);
    CHECK(specs[0].help == "whether it is on");
}

TEST_CASE("Registry: a policy registers itself and is built by name from its parameters") {
    const auto* entry = Registry<Greeter>::instance().find("polite");
    REQUIRE(entry != nullptr);
    CHECK(entry->help == "greets by name");
    CHECK(Registry<Greeter>::instance().find("rude") == nullptr);
    CHECK(Registry<Greeter>::instance().entries().size() == 1);

    PolicyChoice choice{"polite", Parameters::defaults(entry->specs)};
    choice.parameters.set("name", {std::string("reader")});
    const PolicyContext context{RandomStream{1, "policy/polite"}};
    const auto policy = make_policy<Greeter>(choice, context);
    CHECK(policy->greet() == "hello reader " + std::to_string(context.random.below(10, 0)));
}

}  // namespace
}  // namespace headroom
