// JSON Lines on a descriptor that the benchmarks do not know, and refusals as its last line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace paired {

// Ends the run: what is wrong, and with which side.
struct Refusal {
    std::string_view because;  // the last part of a slug
    std::string_view side;
    std::string text;
};

inline std::string quoted(std::string_view text) {
    std::string json = "\"";
    for (const char each : text) {
        const auto code = static_cast<unsigned char>(each);
        if (each == '"' || each == '\\') {
            json += '\\';
            json += each;
        } else if (code < 0x20 || code >= 0x7F) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(code));
            json += escape;
        } else {
            json += each;
        }
    }
    return json + "\"";
}

// One JSON object, member by member.
class Line {
public:
    explicit Line(std::string_view type) { add("type", type); }

    Line& add(std::string_view name, std::string_view value) { return put(name, quoted(value)); }
    Line& add(std::string_view name, const char* value) { return add(name, std::string_view{value}); }
    Line& add(std::string_view name, bool value) { return put(name, value ? "true" : "false"); }
    Line& add(std::string_view name, std::uint64_t value) { return put(name, std::to_string(value)); }
    Line& add(std::string_view name, const std::uint64_t* begin, const std::uint64_t* end) {
        std::string list = "[";
        for (const std::uint64_t* each = begin; each != end; ++each) {
            list += (each == begin ? "" : ",") + std::to_string(*each);
        }
        return put(name, list + "]");
    }
    Line& add(std::string_view name, double value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.6f", value);
        return put(name, text);
    }

    std::string text() const { return json_ + "}\n"; }

private:
    Line& put(std::string_view name, std::string_view json) {
        json_ += (json_.empty() ? "{" : ",") + quoted(name) + ":" + std::string{json};
        return *this;
    }

    std::string json_{};
};

// Takes over the process's stdout, and gives benchmarks that print there stderr instead. Written out at the end and at
// each flush, so that nobody wakes up beside a measurement.
class Stream {
public:
    Stream();
    ~Stream() { std::fclose(file_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    void write(const Line& line) { std::fputs(line.text().c_str(), file_); }
    void flush();

private:
    std::FILE* file_;
};

}  // namespace paired
