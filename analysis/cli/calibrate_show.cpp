// headroom calibrate show: what a profile says.

#include <nlohmann/json.hpp>

#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/report/profile_table.hpp"

namespace headroom::analysis {

namespace {

CommandSpec show_spec() {
    return {.name = "show",
            .usage = "PROFILE [OPTION]...",
            .summary = "Shows a profile: ceilings, operators and a roofline, or coefficients.",
            .details = "PROFILE is a file or the name of one of the catalogue's profiles.\n",
            .options = {output_option()},
            .least_positional = 1,
            .most_positional = 1,
            .positional_name = "a profile"};
}

int show(const Arguments& given) {
    const scenarios::ProfileFile profile = load_profile(find_profile(given.positional.front()));
    print_out(given.value("output") == "json" ? profile_report(profile).dump(2) + "\n"
                                              : render_profile(profile, out_style()));
    return kExitGood;
}

}  // namespace

Command calibrate_show_command() {
    return {show_spec(), show};
}

}  // namespace headroom::analysis
