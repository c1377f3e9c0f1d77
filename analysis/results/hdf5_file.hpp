/// Hdf5File and Hdf5Group: the part of HDF5 that results need, over its C API: groups, attributes,
/// and one-dimensional data sets of int64, uint64, double and UTF-8 strings.
///
///     Hdf5File file = Hdf5File::create("results.h5");
///     Hdf5Group series = file.root().create_group("series");
///     series.write("time_s", times);
///     file.close();
///
/// Any failure throws Hdf5Error (a WriteError) with the library's own words; nothing is printed.
/// A new file is made in memory and written by close(), so that a full disk is an error like any
/// other (HDF5 1.10 crashes at the program's end when it could not write a file).
/// Objects carry no times, so equal contents give equal bytes. Data sets of more than kChunk values
/// are compressed where the library can. Groups must not outlive their file; one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/results/text_file.hpp"

namespace headroom::analysis {

class Hdf5Error : public WriteError {
  public:
    using WriteError::WriteError;
};

/// An identifier of the library, closed when it goes.
class Hdf5Handle {
  public:
    using Close = int (*)(std::int64_t);
    Hdf5Handle() = default;
    /// A negative id throws; `what` says what was tried.
    Hdf5Handle(std::int64_t id, Close close, const std::string& what);
    Hdf5Handle(Hdf5Handle&& other) noexcept;
    Hdf5Handle& operator=(Hdf5Handle&& other) noexcept;
    Hdf5Handle(const Hdf5Handle&) = delete;
    Hdf5Handle& operator=(const Hdf5Handle&) = delete;
    ~Hdf5Handle();

    [[nodiscard]] std::int64_t id() const { return id_; }

  private:
    std::int64_t id_ = -1;
    Close close_ = nullptr;
};

class Hdf5Group {
  public:
    static constexpr std::size_t kChunk = 4096;

    explicit Hdf5Group(Hdf5Handle handle) : handle_(std::move(handle)) {}

    [[nodiscard]] Hdf5Group create_group(const std::string& name);
    void write(const std::string& name, const std::vector<std::int64_t>& values);
    void write(const std::string& name, const std::vector<std::uint64_t>& values);
    void write(const std::string& name, const std::vector<double>& values);
    void write(const std::string& name, const std::vector<std::string>& values);
    void set_attribute(const std::string& name, const std::string& value);
    void set_attribute(const std::string& name, std::int64_t value);
    void set_attribute(const std::string& name, std::uint64_t value);
    void set_attribute(const std::string& name, double value);

    [[nodiscard]] bool has(const std::string& name) const;
    /// Names of the groups and data sets in it, sorted by their bytes.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] Hdf5Group open_group(const std::string& name) const;
    [[nodiscard]] std::vector<std::int64_t> integers(const std::string& name) const;
    [[nodiscard]] std::vector<double> numbers(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> texts(const std::string& name) const;
    [[nodiscard]] std::string text_attribute(const std::string& name) const;
    [[nodiscard]] std::int64_t integer_attribute(const std::string& name) const;
    [[nodiscard]] double number_attribute(const std::string& name) const;

  private:
    Hdf5Handle handle_;
};

class Hdf5File {
  public:
    /// close() replaces a file that is there.
    [[nodiscard]] static Hdf5File create(const std::filesystem::path& path);
    [[nodiscard]] static Hdf5File open(const std::filesystem::path& path);  ///< for reading

    [[nodiscard]] Hdf5Group root() const;
    /// Writes a new file; without it there is none.
    void close();

  private:
    Hdf5File(std::filesystem::path path, Hdf5Handle handle)
        : path_(std::move(path)), handle_(std::move(handle)) {}
    std::filesystem::path path_;
    Hdf5Handle handle_;
};

}  // namespace headroom::analysis
