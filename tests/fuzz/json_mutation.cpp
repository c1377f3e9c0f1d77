// mutate_json(): changes of a document's structure.

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/fuzz/mutation.hpp"

namespace headroom::tests {

namespace {

using OrderedJson = nlohmann::ordered_json;

/// A value and the container that it stands in; at the top there is none.
struct JsonPlace {
    OrderedJson* parent = nullptr;
    OrderedJson* value = nullptr;
    std::string key;
    std::size_t index = 0;
};

void gather(OrderedJson& value, std::vector<JsonPlace>& places) {
    if (value.is_object()) {
        for (auto it = value.begin(); it != value.end(); ++it) {
            places.push_back({&value, &it.value(), it.key(), 0});
            gather(it.value(), places);
        }
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            places.push_back({&value, &value[i], "", i});
            gather(value[i], places);
        }
    }
}

/// Any place below the top, or the top itself where nothing is below it.
JsonPlace place_in_json(OrderedJson& document, Draws& draws) {
    std::vector<JsonPlace> places;
    gather(document, places);
    if (places.empty()) return {nullptr, &document, "", 0};
    return places[static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(places.size())))];
}

std::string hostile_text(Draws& draws) {
    static const std::array<std::string, 24> texts = {"",
                                                      " ",
                                                      "x",
                                                      "0",
                                                      "-1",
                                                      "-1s",
                                                      "0s",
                                                      "1ps",
                                                      "100d",
                                                      "106d",
                                                      "1e3",
                                                      "1e-9",
                                                      "9223372036854775807",
                                                      "8Ei",
                                                      "0%",
                                                      "-5%",
                                                      "1e400",
                                                      std::string("a\0b", 3),
                                                      "\x1b[31mred",
                                                      "two\nlines",
                                                      "\xc3\xa9\xf0\x9f\x98\x80",
                                                      "~1/~0",
                                                      "../../..",
                                                      "\"}{\""};
    if (draws.one_in(6)) return hostile_token(draws);
    return texts[static_cast<std::size_t>(draws.below(texts.size()))];
}

OrderedJson extreme_value(Draws& draws) {
    static const std::array<OrderedJson, 20> values = {nullptr,
                                                       true,
                                                       false,
                                                       0,
                                                       1,
                                                       -1,
                                                       0.5,
                                                       1e-300,
                                                       1e308,
                                                       -1e308,
                                                       1'000'000'001,
                                                       std::int64_t{1} << 53,
                                                       std::numeric_limits<std::int64_t>::max(),
                                                       std::numeric_limits<std::int64_t>::min(),
                                                       std::numeric_limits<std::uint64_t>::max(),
                                                       OrderedJson::array(),
                                                       OrderedJson::object(),
                                                       OrderedJson::array({1, "x", nullptr}),
                                                       OrderedJson{{"policy", "x"}},
                                                       OrderedJson::array({OrderedJson::array()})};
    if (draws.one_in(3)) return hostile_text(draws);
    return values[static_cast<std::size_t>(draws.below(values.size()))];
}

/// As somebody mistypes it, or something else altogether.
std::string other_key(std::string key, Draws& draws) {
    if (key.empty() || draws.one_in(3)) return hostile_text(draws);
    const auto at = static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(key.size())));
    switch (draws.below(3)) {
        case 0:
            key.erase(at, 1);
            break;
        case 1:
            key.insert(at, 1, key[at]);
            break;
        default:
            std::swap(key[at], key[key.size() - 1 - at]);
            break;
    }
    return key;
}

void remove(const JsonPlace& place) {
    if (place.parent->is_object()) {
        place.parent->erase(place.key);
    } else {
        place.parent->erase(place.index);
    }
}

void add_beside(const JsonPlace& place, OrderedJson value, Draws& draws) {
    if (place.parent->is_object()) {
        (*place.parent)[other_key(place.key, draws)] = std::move(value);
    } else {
        place.parent->push_back(std::move(value));
    }
}

void change_number(OrderedJson& value, Draws& draws) {
    static constexpr std::array<double, 7> kFactors = {-1, 0, 0.001, 0.3, 2, 1000, 1e15};
    const double number = value.is_number() ? value.get<double>() : 1.0;
    value = number * kFactors[static_cast<std::size_t>(draws.below(kFactors.size()))];
}

void change(OrderedJson& document, const Corpus& corpus, Draws& draws) {
    const JsonPlace place = place_in_json(document, draws);
    if (place.parent == nullptr) {
        document = extreme_value(draws);
        return;
    }
    switch (draws.below(9)) {
        case 0:
            remove(place);
            break;
        case 1:
            add_beside(place, *place.value, draws);
            break;
        case 2:
            add_beside(place, extreme_value(draws), draws);
            break;
        case 3: {
            OrderedJson value = *place.value;
            remove(place);
            add_beside(place, std::move(value), draws);
            break;
        }
        case 4: {
            // Copies: one of the two may be a part of the other.
            const JsonPlace second = place_in_json(document, draws);
            OrderedJson a = *place.value;
            OrderedJson b = *second.value;
            *second.value = std::move(a);
            if (draws.one_in(2)) *place_in_json(document, draws).value = std::move(b);
            break;
        }
        case 5: {
            OrderedJson other = OrderedJson::parse(pick_input(corpus, draws), nullptr, true, true);
            *place.value = *place_in_json(other, draws).value;
            break;
        }
        case 6:
            if (place.value->is_number()) {
                change_number(*place.value, draws);
                break;
            }
            [[fallthrough]];
        default:
            *place.value = extreme_value(draws);
            break;
    }
}

}  // namespace

std::string mutate_json(const Corpus& corpus, Draws& draws) {
    OrderedJson document = OrderedJson::parse(pick_input(corpus, draws), nullptr, true, true);
    for (std::int64_t i = draws.between(1, 3); i > 0; --i) change(document, corpus, draws);
    const int indent = draws.one_in(3) ? -1 : 1;
    std::string text = document.dump(indent, ' ', false, OrderedJson::error_handler_t::replace);
    if (draws.one_in(6)) text = mutate_bytes({text, pick_input(corpus, draws)}, draws);
    return text;
}

}  // namespace headroom::tests
