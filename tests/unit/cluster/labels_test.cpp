#include "sim/cluster/labels.hpp"

#include "tests/catch.hpp"

namespace headroom::cluster {
namespace {

const Labels kNode{{"zone", "a"}, {"cores", "16"}, {"disk", "ssd"}};

bool holds(std::string key, MatchOperator op, std::vector<std::string> values = {}) {
    return matches(MatchExpression{std::move(key), op, std::move(values)}, kNode);
}

TEST_CASE("Labels: In and NotIn compare values, and NotIn holds where the label is absent") {
    CHECK(holds("zone", MatchOperator::in, {"b", "a"}));
    CHECK_FALSE(holds("zone", MatchOperator::in, {"b"}));
    CHECK_FALSE(holds("rack", MatchOperator::in, {"a"}));
    CHECK(holds("zone", MatchOperator::not_in, {"b"}));
    CHECK_FALSE(holds("zone", MatchOperator::not_in, {"a"}));
    CHECK(holds("rack", MatchOperator::not_in, {"a"}));
}

TEST_CASE("Labels: Exists and DoesNotExist look at the key only") {
    CHECK(holds("disk", MatchOperator::exists));
    CHECK_FALSE(holds("rack", MatchOperator::exists));
    CHECK(holds("rack", MatchOperator::does_not_exist));
    CHECK_FALSE(holds("disk", MatchOperator::does_not_exist));
}

TEST_CASE("Labels: Gt and Lt compare whole numbers and fail on anything else") {
    CHECK(holds("cores", MatchOperator::gt, {"8"}));
    CHECK_FALSE(holds("cores", MatchOperator::gt, {"16"}));
    CHECK(holds("cores", MatchOperator::lt, {"17"}));
    CHECK_FALSE(holds("cores", MatchOperator::lt, {"16"}));
    CHECK_FALSE(holds("disk", MatchOperator::gt, {"1"}));
    CHECK_FALSE(holds("cores", MatchOperator::gt, {"1x"}));
    CHECK_FALSE(holds("cores", MatchOperator::gt, {"1", "2"}));
    CHECK_FALSE(holds("absent", MatchOperator::lt, {"1"}));
}

TEST_CASE("Labels: a term is an AND, a list of terms an OR, and an empty term matches nothing") {
    const SelectorTerm both{
        {{"zone", MatchOperator::in, {"a"}}, {"disk", MatchOperator::exists, {}}}};
    const SelectorTerm wrong{
        {{"zone", MatchOperator::in, {"a"}}, {"rack", MatchOperator::exists, {}}}};
    CHECK(matches(both, kNode));
    CHECK_FALSE(matches(wrong, kNode));
    CHECK_FALSE(matches(SelectorTerm{}, kNode));
    CHECK(matches_any({wrong, both}, kNode));
    CHECK_FALSE(matches_any({wrong, SelectorTerm{}}, kNode));
    CHECK(matches_any({}, kNode));
    CHECK(matches_all({{"zone", "a"}, {"disk", "ssd"}}, kNode));
    CHECK_FALSE(matches_all({{"zone", "b"}}, kNode));
}

TEST_CASE("Labels: tolerations match taints by key, value and effect as in Kubernetes") {
    const Taint taint{"gpu", "h100", TaintEffect::no_schedule};
    CHECK(tolerates({.key = "gpu", .value = "h100"}, taint));
    CHECK_FALSE(tolerates({.key = "gpu", .value = "a100"}, taint));
    CHECK(tolerates({.key = "gpu", .op = TolerationOperator::exists}, taint));
    CHECK(tolerates({.op = TolerationOperator::exists}, taint));
    CHECK_FALSE(tolerates({.key = "spot", .op = TolerationOperator::exists}, taint));
    CHECK_FALSE(
        tolerates({.op = TolerationOperator::exists, .effect = TaintEffect::no_execute}, taint));
}

TEST_CASE("Labels: a NoExecute taint is borne as long as the first toleration of it says") {
    const std::vector<Taint> taints{{"spot", "", TaintEffect::no_execute},
                                    {"gpu", "", TaintEffect::no_schedule}};
    const Toleration every{.op = TolerationOperator::exists};
    Toleration minute = every;
    minute.toleration_time = Duration::minutes(1);
    Toleration hour = every;
    hour.toleration_time = Duration::hours(1);
    CHECK_FALSE(toleration_time(taints, {every}));
    CHECK(toleration_time(taints, {minute, every}) == Duration::minutes(1));
    CHECK_FALSE(toleration_time(taints, {every, minute}));
    hour.key = "spot";
    CHECK(toleration_time(taints, {hour, minute}) == Duration::hours(1));
    CHECK_FALSE(toleration_time({taints[1]}, {minute}));  // NoSchedule evicts nobody
    // Of two taints the shorter time counts.
    minute.key = "sick";
    CHECK(toleration_time({taints[0], {"sick", "", TaintEffect::no_execute}}, {hour, minute}) ==
          Duration::minutes(1));
}

TEST_CASE("Labels: PreferNoSchedule taints keep nobody off a node") {
    const std::vector<Taint> taints{{"a", "", TaintEffect::prefer_no_schedule},
                                    {"b", "", TaintEffect::no_execute}};
    REQUIRE(first_untolerated(taints, {}) != nullptr);
    CHECK(first_untolerated(taints, {})->key == "b");
    CHECK(first_untolerated(taints, {{.key = "b", .op = TolerationOperator::exists}}) == nullptr);
}

}  // namespace
}  // namespace headroom::cluster
