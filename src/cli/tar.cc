#include "cli/tar.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace slipway::cli {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100;

using Header = std::array<char, kBlock>;

// A field of so many bytes, the last of them NUL; the number fits.
void put_octal(Header& header, std::size_t at, std::size_t bytes, unsigned long long number) {
  header[at + bytes - 1] = '\0';
  for (std::size_t digit = bytes - 1; digit-- > 0; number /= 8)
    header[at + digit] = static_cast<char>('0' + number % 8);
}

void put_text(Header& header, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
}

Header header_of(const std::string& name, std::size_t size, Instant at) {
  Header header{};
  put_text(header, 0, name);
  put_octal(header, 100, 8, 0600);
  put_octal(header, 108, 8, 0);
  put_octal(header, 116, 8, 0);
  put_octal(header, 124, 12, size);
  put_octal(
      header, 136, 12,
      static_cast<unsigned long long>(std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count()));
  put_text(header, 148, "        ");  // the sum is taken with blanks in its place
  header[156] = '0';
  put_text(header, 257, "ustar");
  put_text(header, 263, "00");
  const auto sum = std::accumulate(header.begin(), header.end(), 0U,
                                   [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
  put_octal(header, 148, 7, sum);
  return header;
}

}  // namespace

Result<std::string> make_tar(const std::string& folder, const std::map<std::string, std::string>& files, Instant at) {
  std::string out;
  for (const auto& [file, bytes] : files) {
    const std::string name = folder + "/" + file;
    if (name.size() > kNameBytes) return Error{ErrorCode::InvalidArgument, "`" + name + "` is too long a name", {}};
    const Header header = header_of(name, bytes.size(), at);
    out.append(header.data(), header.size());
    out += bytes;
    out.append((kBlock - bytes.size() % kBlock) % kBlock, '\0');
  }
  return out.append(2 * kBlock, '\0');
}

}  // namespace slipway::cli
