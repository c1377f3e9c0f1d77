#include "analysis/results/hdf5_file.hpp"

#include <hdf5.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace headroom::analysis {

namespace {

static_assert(std::is_same_v<hid_t, std::int64_t>, "identifiers of HDF5 1.10 and newer");

/// While one lives the library prints no errors; they stay on its stack for last_error().
class Quiet {
  public:
    Quiet() {
        H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

  private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

herr_t keep_first(unsigned, const H5E_error2_t* error, void* text) {
    auto* out = static_cast<std::string*>(text);
    if (out->empty() && error->desc != nullptr) *out = error->desc;
    return 0;
}

/// The innermost message of the library's stack: what really happened.
std::string last_error() {
    std::string text;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
    return text.empty() ? "HDF5 gives no reason" : text;
}

void check(herr_t status, const std::string& what) {
    if (status < 0) throw Hdf5Error(what + ": " + last_error());
}

Hdf5Handle property_list(hid_t kind) {
    return {H5Pcreate(kind), H5Pclose, "HDF5 property list"};
}

Hdf5Handle string_type() {
    Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "HDF5 string type");
    check(H5Tset_size(type.id(), H5T_VARIABLE), "HDF5 string type");
    check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "HDF5 string type");
    return type;
}

Hdf5Handle line_space(std::size_t size) {
    const hsize_t length = size;
    return {H5Screate_simple(1, &length, nullptr), H5Sclose, "HDF5 data space"};
}

/// Layout of a data set: without times, and in compressed chunks when it is long.
Hdf5Handle data_set_layout(std::size_t size) {
    Hdf5Handle list = property_list(H5P_DATASET_CREATE);
    check(H5Pset_obj_track_times(list.id(), false), "HDF5 data set");
    if (size > Hdf5Group::kChunk && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
        const hsize_t chunk = std::min<std::size_t>(size, std::size_t{16} * Hdf5Group::kChunk);
        check(H5Pset_chunk(list.id(), 1, &chunk), "HDF5 data set");
        check(H5Pset_shuffle(list.id()), "HDF5 data set");
        check(H5Pset_deflate(list.id(), 4), "HDF5 data set");
    }
    return list;
}

void write_values(hid_t group, const std::string& name, hid_t file_type, hid_t memory_type,
                  const void* values, std::size_t size) {
    const Quiet quiet;
    const std::string what = "cannot write " + name;
    const Hdf5Handle space = line_space(size);
    const Hdf5Handle layout = data_set_layout(size);
    const Hdf5Handle set(H5Dcreate2(group, name.c_str(), file_type, space.id(), H5P_DEFAULT,
                                    layout.id(), H5P_DEFAULT),
                         H5Dclose, what);
    if (size == 0) return;
    check(H5Dwrite(set.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), what);
}

void write_attribute(hid_t group, const std::string& name, hid_t file_type, hid_t memory_type,
                     const void* value) {
    const Quiet quiet;
    const std::string what = "cannot write attribute " + name;
    const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose, what);
    const Hdf5Handle attribute(
        H5Acreate2(group, name.c_str(), file_type, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
        what);
    check(H5Awrite(attribute.id(), memory_type, value), what);
}

struct OpenSet {
    Hdf5Handle set;
    Hdf5Handle space;
    std::size_t size = 0;
};

OpenSet open_set(hid_t group, const std::string& name) {
    const std::string what = "cannot read " + name;
    OpenSet open;
    open.set = Hdf5Handle(H5Dopen2(group, name.c_str(), H5P_DEFAULT), H5Dclose, what);
    open.space = Hdf5Handle(H5Dget_space(open.set.id()), H5Sclose, what);
    const hssize_t size = H5Sget_simple_extent_npoints(open.space.id());
    check(size < 0 ? -1 : 0, what);
    open.size = static_cast<std::size_t>(size);
    return open;
}

/// A file may claim any size for values that are not in it, and the library would make them up.
void check_stored(const OpenSet& open, const std::string& name) {
    // Deflate makes of a byte at most 1032 (zlib, "Maximum Compression Factor").
    constexpr std::size_t kMostBytesOfByte = 1032;
    const Hdf5Handle type(H5Dget_type(open.set.id()), H5Tclose, "cannot read " + name);
    const hsize_t stored = H5Dget_storage_size(open.set.id());
    if (open.size / kMostBytesOfByte * H5Tget_size(type.id()) <= stored) return;
    throw Hdf5Error("cannot read " + name + ": " + std::to_string(open.size) +
                    " values are claimed and " + std::to_string(stored) + " bytes are stored");
}

template <class Value>
std::vector<Value> read_values(hid_t group, const std::string& name, hid_t memory_type) {
    const Quiet quiet;
    const OpenSet open = open_set(group, name);
    check_stored(open, name);
    std::vector<Value> values(open.size);
    if (values.empty()) return values;
    check(H5Dread(open.set.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
          "cannot read " + name);
    return values;
}

void read_attribute(hid_t group, const std::string& name, hid_t memory_type, void* value) {
    const std::string what = "cannot read attribute " + name;
    const Hdf5Handle attribute(H5Aopen(group, name.c_str(), H5P_DEFAULT), H5Aclose, what);
    const Hdf5Handle space(H5Aget_space(attribute.id()), H5Sclose, what);
    // The library writes as many values to `value` as there are.
    const hssize_t count = H5Sget_simple_extent_npoints(space.id());
    if (count != 1) {
        throw Hdf5Error(what + ": expected one value, found " + std::to_string(count));
    }
    check(H5Aread(attribute.id(), memory_type, value), what);
}

}  // namespace

Hdf5Handle::Hdf5Handle(std::int64_t id, Close close, const std::string& what)
    : id_(id), close_(close) {
    if (id < 0) throw Hdf5Error(what + ": " + last_error());
}
Hdf5Handle::Hdf5Handle(Hdf5Handle&& other) noexcept
    : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
Hdf5Handle& Hdf5Handle::operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
}
Hdf5Handle::~Hdf5Handle() {
    if (id_ < 0) return;
    const Quiet quiet;
    close_(id_);
}

Hdf5Group Hdf5Group::create_group(const std::string& name) {
    const Quiet quiet;
    const Hdf5Handle layout = property_list(H5P_GROUP_CREATE);
    check(H5Pset_obj_track_times(layout.id(), false), "HDF5 group");
    return Hdf5Group({H5Gcreate2(handle_.id(), name.c_str(), H5P_DEFAULT, layout.id(), H5P_DEFAULT),
                      H5Gclose, "cannot make group " + name});
}

void Hdf5Group::write(const std::string& name, const std::vector<std::int64_t>& values) {
    write_values(handle_.id(), name, H5T_STD_I64LE, H5T_NATIVE_INT64, values.data(), values.size());
}
void Hdf5Group::write(const std::string& name, const std::vector<std::uint64_t>& values) {
    write_values(handle_.id(), name, H5T_STD_U64LE, H5T_NATIVE_UINT64, values.data(),
                 values.size());
}
void Hdf5Group::write(const std::string& name, const std::vector<double>& values) {
    write_values(handle_.id(), name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values.data(),
                 values.size());
}
void Hdf5Group::write(const std::string& name, const std::vector<std::string>& values) {
    const Hdf5Handle type = string_type();
    std::vector<const char*> pointers;
    pointers.reserve(values.size());
    for (const std::string& value : values) pointers.push_back(value.c_str());
    write_values(handle_.id(), name, type.id(), type.id(), pointers.data(), pointers.size());
}

void Hdf5Group::set_attribute(const std::string& name, const std::string& value) {
    const Hdf5Handle type = string_type();
    const char* pointer = value.c_str();
    write_attribute(handle_.id(), name, type.id(), type.id(), &pointer);
}
void Hdf5Group::set_attribute(const std::string& name, std::int64_t value) {
    write_attribute(handle_.id(), name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}
void Hdf5Group::set_attribute(const std::string& name, std::uint64_t value) {
    write_attribute(handle_.id(), name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
}
void Hdf5Group::set_attribute(const std::string& name, double value) {
    write_attribute(handle_.id(), name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

bool Hdf5Group::has(const std::string& name) const {
    const Quiet quiet;
    return H5Lexists(handle_.id(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5Group::names() const {
    const Quiet quiet;
    const char* what = "cannot list a group";
    H5G_info_t info{};
    check(H5Gget_info(handle_.id(), &info), what);
    std::vector<std::string> names;
    for (hsize_t i = 0; i < info.nlinks; ++i) {
        const auto name_at = [&](char* text, std::size_t size) {
            const ssize_t length = H5Lget_name_by_idx(handle_.id(), ".", H5_INDEX_NAME, H5_ITER_INC,
                                                      i, text, size, H5P_DEFAULT);
            check(length < 0 ? -1 : 0, what);
            return static_cast<std::size_t>(length);
        };
        std::string name(name_at(nullptr, 0), '\0');
        (void)name_at(name.data(), name.size() + 1);
        names.push_back(std::move(name));
    }
    return names;
}

Hdf5Group Hdf5Group::open_group(const std::string& name) const {
    const Quiet quiet;
    return Hdf5Group(
        {H5Gopen2(handle_.id(), name.c_str(), H5P_DEFAULT), H5Gclose, "cannot open group " + name});
}

std::vector<std::int64_t> Hdf5Group::integers(const std::string& name) const {
    return read_values<std::int64_t>(handle_.id(), name, H5T_NATIVE_INT64);
}
std::vector<double> Hdf5Group::numbers(const std::string& name) const {
    return read_values<double>(handle_.id(), name, H5T_NATIVE_DOUBLE);
}
std::vector<std::string> Hdf5Group::texts(const std::string& name) const {
    const Quiet quiet;
    const Hdf5Handle type = string_type();
    std::vector<char*> pointers = read_values<char*>(handle_.id(), name, type.id());
    std::vector<std::string> values;
    values.reserve(pointers.size());
    for (const char* pointer : pointers) values.emplace_back(pointer == nullptr ? "" : pointer);
    const Hdf5Handle space = line_space(pointers.size());
    if (!pointers.empty()) {
        check(H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, pointers.data()),
              "cannot read " + name);
    }
    return values;
}

std::string Hdf5Group::text_attribute(const std::string& name) const {
    const Quiet quiet;
    const Hdf5Handle type = string_type();
    char* pointer = nullptr;
    read_attribute(handle_.id(), name, type.id(), &pointer);
    std::string value = pointer == nullptr ? "" : pointer;
    H5free_memory(pointer);
    return value;
}
std::int64_t Hdf5Group::integer_attribute(const std::string& name) const {
    const Quiet quiet;
    std::int64_t value = 0;
    read_attribute(handle_.id(), name, H5T_NATIVE_INT64, &value);
    return value;
}
double Hdf5Group::number_attribute(const std::string& name) const {
    const Quiet quiet;
    double value = 0;
    read_attribute(handle_.id(), name, H5T_NATIVE_DOUBLE, &value);
    return value;
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
    const Quiet quiet;
    const Hdf5Handle layout = property_list(H5P_FILE_CREATE);
    check(H5Pset_obj_track_times(layout.id(), false), "HDF5 file");
    const Hdf5Handle access = property_list(H5P_FILE_ACCESS);
    constexpr std::size_t kGrowth = std::size_t{4} << 20;
    check(H5Pset_fapl_core(access.id(), kGrowth, false), "HDF5 file");
    return {path,
            {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, layout.id(), access.id()), H5Fclose,
             "cannot make " + path.string()}};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
    const Quiet quiet;
    return {path,
            {H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose,
             "cannot open " + path.string()}};
}

Hdf5Group Hdf5File::root() const {
    const Quiet quiet;
    return Hdf5Group({H5Gopen2(handle_.id(), "/", H5P_DEFAULT), H5Gclose, "cannot open group /"});
}

void Hdf5File::close() {
    const Quiet quiet;
    const std::string what = "cannot write " + path_.string();
    check(H5Fflush(handle_.id(), H5F_SCOPE_GLOBAL), what);
    const ssize_t size = H5Fget_file_image(handle_.id(), nullptr, 0);
    check(size < 0 ? -1 : 0, what);
    std::string image(static_cast<std::size_t>(size), '\0');
    check(H5Fget_file_image(handle_.id(), image.data(), image.size()) < 0 ? -1 : 0, what);
    handle_ = Hdf5Handle();
    write_text_file(path_, image);
}

}  // namespace headroom::analysis
