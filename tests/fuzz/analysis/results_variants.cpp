#include "tests/fuzz/analysis/results_variants.hpp"

#include <hdf5.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using tests::Draws;

hid_t needed(hid_t id) {
    if (id < 0) throw std::logic_error("a results.h5 of the corpus cannot be written");
    return id;
}

/// The kinds of values that results have.
enum class Column { number, whole, text };

hid_t string_type_of(std::size_t size) {
    const hid_t type = needed(H5Tcopy(H5T_C_S1));
    H5Tset_size(type, size);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/// Writes the tree of a run from top to bottom; every thing may come out wrong.
class VariantWriter {
  public:
    VariantWriter(Draws& draws, int mistakes) : draws_(draws), mistakes_(mistakes) {}
    VariantWriter(Draws& draws, ResultsMistake sure) : draws_(draws), mistakes_(0), sure_(sure) {}

    void write(const std::string& path) {
        const hid_t file = needed(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
        const hid_t root = needed(H5Gopen2(file, "/", H5P_DEFAULT));
        attribute(root, "version", Column::text, std::string(program_version()));
        attribute(root, "scenario", Column::text, "small");
        attribute(root, "digest", Column::text, "00");
        attribute(root, "seed", Column::whole, "");
        attribute(root, "simulated_s", Column::number, "");
        group(root, "services", [this](hid_t services) { write_services(services); });
        group(root, "decisions", [this](hid_t decisions) { write_decisions(decisions); });
        group(root, "requests", [this](hid_t requests) { write_requests(requests); });
        H5Gclose(root);
        H5Fclose(file);
    }

  private:
    static constexpr std::size_t kRows = 3;

    /// Whether the next thing is wrong: one in twenty, until there are enough.
    bool wrong() {
        if (mistakes_ <= 0 || !draws_.one_in(20)) return false;
        --mistakes_;
        return true;
    }

    void write_services(hid_t services) {
        for (const char* service : {"chat", "web"}) {
            group(services, service, [this, service](hid_t one) {
                group(one, "workloads", [this, service](hid_t workloads) {
                    group(workloads, service, [this](hid_t workload) { write_series(workload); });
                });
            });
        }
    }
    void write_series(hid_t workload) {
        group(workload, "series", [this](hid_t series) {
            for (const char* name : {"replicas", "desired_replicas"}) {
                group(series, name, [this](hid_t one) {
                    column(one, "time_s", Column::number);
                    column(one, "value", Column::whole);
                });
            }
        });
    }
    void write_decisions(hid_t decisions) {
        column(decisions, "time_s", Column::number);
        for (const char* name : {"actor", "subject", "about", "outcome", "reason", "inputs"}) {
            column(decisions, name, Column::text);
        }
        for (const char* name : {"before", "wanted", "after"}) {
            column(decisions, name, Column::whole);
        }
    }
    void write_requests(hid_t requests) {
        column(requests, "service_names", Column::text);
        column(requests, "service", Column::whole);
        for (const char* name : {"arrival_s", "first_scheduled_s", "finish_s"}) {
            column(requests, name, Column::number);
        }
    }

    template <class Body>
    void group(hid_t parent, std::string name, const Body& body) {
        if (wrong()) {
            switch (draws_.below(5)) {
                case 0:
                    return;
                case 1:
                    write_values(parent, name, Column::number, 2);
                    return;
                case 2:
                    H5Lcreate_soft("/services", parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
                    return;
                case 3:
                    H5Lcreate_soft("/nowhere", parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
                    return;
                default:
                    name = "\x1b[31m\xff";
                    break;
            }
        }
        const hid_t made = H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (made < 0) return;  // two groups of one wrong name
        body(made);
        H5Gclose(made);
    }

    void column(hid_t parent, const char* name, Column kind) {
        std::size_t rows = kRows;
        const std::string_view column_name(name);
        if (sure_ == ResultsMistake::claimed_values && column_name == "before") {
            return write_claim(parent, name, kind, hsize_t{1} << 40U);
        }
        reason_is_bad_ = sure_ == ResultsMistake::escape_in_reason && column_name == "reason";
        if (std::string_view(name) == "service_names") rows = 2;
        if (!wrong()) return write_values(parent, name, kind, rows, name);
        switch (draws_.below(7)) {
            case 0:
                return;
            case 1:
                return write_values(parent, name, kind, rows + 1, name);
            case 2:
                return write_values(parent, name, kind, 0, name);
            case 3:
                return write_values(parent, name, other(kind), rows, name);
            case 4:
                return write_extent(parent, name, kind);
            case 5:
                return write_fixed_strings(parent, name, rows);
            default:
                spoil_ = true;
                write_values(parent, name, kind, rows, name);
                spoil_ = false;
                return;
        }
    }

    Column other(Column kind) {
        const std::array<Column, 3> kinds = {Column::number, Column::whole, Column::text};
        const auto next =
            static_cast<std::size_t>(kind) + 1 + static_cast<std::size_t>(draws_.below(2));
        return kinds[next % kinds.size()];
    }

    double number_at(std::size_t row) {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const std::array<double, 7> bad = {
            nan, -1, 1e300, 8.64e6 + 1, -1e-300, 1e18, std::numeric_limits<double>::infinity()};
        if (spoil_ && draws_.one_in(2)) return bad[static_cast<std::size_t>(draws_.below(7))];
        return static_cast<double>(row) * 60;
    }
    std::int64_t whole_at(std::size_t row) {
        const std::array<std::int64_t, 4> bad = {-1, 2, std::numeric_limits<std::int64_t>::max(),
                                                 std::numeric_limits<std::int64_t>::min()};
        if (spoil_ && draws_.one_in(2)) return bad[static_cast<std::size_t>(draws_.below(4))];
        return static_cast<std::int64_t>(row % 2);
    }
    std::string text_at(std::size_t row, std::string_view name) {
        const std::array<std::string, 5> bad = {"", "\x1b[2J", "\xff\xfe", "Changed",
                                                std::string(3000, 'x')};
        if (spoil_ && draws_.one_in(2)) return bad[static_cast<std::size_t>(draws_.below(5))];
        if (name == "about") return row == 1 ? "pod" : "workload";
        if (name == "outcome") return row == 1 ? "blocked" : "changed";
        if (reason_is_bad_) return "\x1b[2J";
        return row == 0 ? "chat" : "web";
    }

    void write_values(hid_t parent, const std::string& name, Column kind, std::size_t rows,
                      std::string_view what = "") {
        const hsize_t extent = rows;
        const hid_t space = needed(H5Screate_simple(1, &extent, nullptr));
        std::vector<double> numbers;
        std::vector<std::int64_t> wholes;
        std::vector<std::string> texts;
        for (std::size_t row = 0; row < rows; ++row) {
            numbers.push_back(number_at(row));
            wholes.push_back(whole_at(row));
            texts.push_back(text_at(row, what));
        }
        std::vector<const char*> pointers;
        for (const std::string& text : texts) pointers.push_back(text.c_str());
        if (kind == Column::number) {
            write_set(parent, name, H5T_NATIVE_DOUBLE, space, numbers.data(), rows);
        } else if (kind == Column::whole) {
            write_set(parent, name, H5T_NATIVE_INT64, space, wholes.data(), rows);
        } else {
            const hid_t type = string_type_of(H5T_VARIABLE);
            write_set(parent, name, type, space, pointers.data(), rows);
            H5Tclose(type);
        }
        H5Sclose(space);
    }
    static void write_set(hid_t parent, const std::string& name, hid_t type, hid_t space,
                          const void* values, std::size_t rows) {
        const hid_t set = needed(
            H5Dcreate2(parent, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        if (rows > 0) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        H5Dclose(set);
    }

    static hid_t type_of(Column kind) {
        if (kind == Column::text) return string_type_of(H5T_VARIABLE);
        return needed(H5Tcopy(kind == Column::whole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE));
    }

    /// A data set without a value in the file, of any extent, or of another rank.
    void write_extent(hid_t parent, const char* name, Column kind) {
        const std::array<hsize_t, 4> sizes = {1U << 20U, hsize_t{1} << 32U, hsize_t{1} << 50U,
                                              hsize_t{1} << 60U};
        const std::array<hsize_t, 2> plane = {3, 1};
        switch (draws_.below(6)) {
            case 0:
                return make_set(parent, name, kind, H5Screate(H5S_NULL), H5P_DEFAULT);
            case 1:
                return make_set(parent, name, kind, H5Screate(H5S_SCALAR), H5P_DEFAULT);
            case 2:
                return make_set(parent, name, kind, H5Screate_simple(2, plane.data(), nullptr),
                                H5P_DEFAULT);
            default:
                return write_claim(parent, name, kind,
                                   sizes[static_cast<std::size_t>(draws_.below(4))]);
        }
    }
    static void write_claim(hid_t parent, const char* name, Column kind, hsize_t size) {
        const hsize_t chunk = 1024;
        const hid_t layout = needed(H5Pcreate(H5P_DATASET_CREATE));
        H5Pset_chunk(layout, 1, &chunk);
        make_set(parent, name, kind, H5Screate_simple(1, &size, nullptr), layout);
        H5Pclose(layout);
    }
    /// Closes the space.
    static void make_set(hid_t parent, const char* name, Column kind, hid_t space, hid_t layout) {
        const hid_t type = type_of(kind);
        const hid_t set =
            H5Dcreate2(parent, name, type, needed(space), H5P_DEFAULT, layout, H5P_DEFAULT);
        if (set >= 0) H5Dclose(set);
        H5Sclose(space);
        H5Tclose(type);
    }

    static void write_fixed_strings(hid_t parent, const char* name, std::size_t rows) {
        const hid_t type = string_type_of(4);
        const hsize_t extent = rows;
        const hid_t space = needed(H5Screate_simple(1, &extent, nullptr));
        const std::string bytes(rows * 4, 'c');
        write_set(parent, name, type, space, bytes.data(), rows);
        H5Sclose(space);
        H5Tclose(type);
    }

    void attribute(hid_t object, const char* name, Column kind, const std::string& text) {
        const bool bad = wrong();
        const bool listed =
            sure_ == ResultsMistake::list_of_seeds && std::string_view(name) == "seed";
        const std::int64_t how = listed ? 2 : bad ? draws_.below(5) : -1;
        if (how == 0) return;
        if (how == 1) kind = other(kind);
        const hsize_t count = how == 2 ? 64 : 1;
        const hid_t space = how == 2   ? H5Screate_simple(1, &count, nullptr)
                            : how == 3 ? H5Screate(H5S_NULL)
                                       : H5Screate(H5S_SCALAR);
        spoil_ = how == 4;
        const std::vector<double> numbers(count, spoil_ ? number_at(2) : 120.0);
        const std::vector<std::int64_t> wholes(count, whole_at(1));
        const std::string value = spoil_ ? text_at(0, "") : text;
        spoil_ = false;
        const std::vector<const char*> pointers(count, value.c_str());
        const hid_t type = type_of(kind);
        const hid_t made =
            needed(H5Acreate2(object, name, type, needed(space), H5P_DEFAULT, H5P_DEFAULT));
        const void* values = kind == Column::text    ? static_cast<const void*>(pointers.data())
                             : kind == Column::whole ? static_cast<const void*>(wholes.data())
                                                     : static_cast<const void*>(numbers.data());
        if (how != 3) H5Awrite(made, type, values);
        H5Aclose(made);
        H5Sclose(space);
        H5Tclose(type);
    }

    Draws& draws_;
    int mistakes_;
    std::optional<ResultsMistake> sure_{};
    bool spoil_ = false;
    bool reason_is_bad_ = false;
};

}  // namespace

namespace {

void write_quietly(VariantWriter writer, const std::string& path) {
    H5E_auto2_t function = nullptr;
    void* data = nullptr;
    H5Eget_auto2(H5E_DEFAULT, &function, &data);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    writer.write(path);
    H5Eset_auto2(H5E_DEFAULT, function, data);
}

}  // namespace

void write_results_variant(const std::string& path, Draws& draws, int mistakes) {
    write_quietly(VariantWriter(draws, mistakes), path);
}

void write_results_with(const std::string& path, ResultsMistake mistake) {
    Draws unused{RandomStream(1, "unused"), 0};
    write_quietly(VariantWriter(unused, mistake), path);
}

}  // namespace headroom::analysis
