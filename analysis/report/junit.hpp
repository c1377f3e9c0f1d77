/// junit_xml: the result of `headroom check` as the XML that CI systems read: a test suite for each
/// check, a test case for each of its cases, `failure` where something did not hold and `error`
/// where it could not be carried out, the messages as their text.
///
/// Elements and attributes are those of both common schemas, of Apache Ant's task (JUnit.xsd) and
/// of Jenkins' xunit plugin (junit-10.xsd): what only one of them knows is left out. Characters
/// that XML 1.0 cannot hold are replaced by '?'. Times are in seconds; with the time stamp they are
/// the only thing that varies. O(messages).
#pragma once

#include <string>
#include <string_view>

#include "analysis/experiments/check_suite.hpp"

namespace headroom::analysis {

/// `started_at`: UTC, "2026-01-31T12:00:00Z".
[[nodiscard]] std::string junit_xml(const SuiteResult& result, const std::string& started_at);

/// As the text of an element or the value of an attribute in double quotes.
[[nodiscard]] std::string xml_escaped(std::string_view text);

}  // namespace headroom::analysis
