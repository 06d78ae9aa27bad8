// SPDX-License-Identifier: Apache-2.0
//
// FieldTable: the header fields of one message as views into the buffer that holds it, in their
// order, the well-known ones found in constant time. RFC 9110, 5.
//
// Views live as long as that buffer stays where it is. One table is kept a loop and used again (5
// KiB). Not thread-safe, never blocks, never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace reef::http {

// Fields that this proxy itself acts on. kOther: everything else.
enum class FieldId : uint8_t {
  kOther,
  kAcceptEncoding,
  kAcceptRanges,
  kAge,
  kAuthorization,
  kCacheControl,
  kCacheStatus,
  kCdnCacheControl,
  kCdnLoop,
  kConnection,
  kContentEncoding,
  kContentLength,
  kContentLocation,
  kContentRange,
  kContentType,
  kCookie,
  kCookie2,
  kDate,
  kEtag,
  kExpect,
  kExpires,
  kHost,
  kIfMatch,
  kIfModifiedSince,
  kIfNoneMatch,
  kIfRange,
  kIfUnmodifiedSince,
  kKeepAlive,
  kLastModified,
  kLocation,
  kPragma,
  kProxyAuthenticate,
  kProxyAuthenticationInfo,
  kProxyAuthorization,
  kProxyConnection,
  kProxyStatus,
  kRange,
  kReefAnswer,
  kReefPeer,
  kSetCookie,
  kSetCookie2,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kVary,
  kVia,
  kXForwardedFor,
};
inline constexpr size_t kFieldIdCount = static_cast<size_t>(FieldId::kXForwardedFor) + 1;
static_assert(kFieldIdCount <= 64, "FieldTable keeps a bit for each");

// `name` in any case. Requires: only token characters.
FieldId IdentifyField(std::string_view name);

struct Field {
  std::string_view name;
  std::string_view value;  // without leading and trailing blanks
  FieldId id = FieldId::kOther;
};

class FieldTable {
 public:
  // More than a parsed message may have (HeadLimits), so that our own additions fit too.
  static constexpr size_t kMax = 120;

  void Clear();
  // False: the table is full. Borrows both.
  bool Add(std::string_view name, std::string_view value);

  size_t size() const { return size_; }
  const Field* begin() const { return fields_.data(); }
  const Field* end() const { return fields_.data() + size_; }

  // The first field of that id, or nullptr. Requires: not kOther.
  const Field* Find(FieldId id) const {
    const uint8_t place = first_[static_cast<size_t>(id)];
    return place == 0 ? nullptr : &fields_[place - 1u];
  }
  bool Has(FieldId id) const { return first_[static_cast<size_t>(id)] != 0; }
  // The next field of the same id as `field`, or nullptr.
  const Field* FindNext(const Field* field) const;
  // Of the first; empty if absent.
  std::string_view Value(FieldId id) const {
    const Field* field = Find(id);
    return field == nullptr ? std::string_view() : field->value;
  }
  // By name, in any case; known or not.
  const Field* FindNamed(std::string_view name) const;

 private:
  size_t size_ = 0;
  std::array<uint8_t, kFieldIdCount> first_{};  // place + 1 in fields_
  uint64_t repeated_ = 0;                       // bit of each id that is there twice
  std::array<Field, kMax> fields_;
};

// Reads "Name: value\r\n" lines that this proxy has serialised itself (ObjectHead::fields,
// FetchRequest::fields). False: malformed or too many; the table holds what came before.
bool ReadFieldLines(std::string_view lines, FieldTable& table);

// The members of a comma-separated list, one line's worth (RFC 9110, 5.6.1), empty ones skipped,
// quoted strings kept whole. for (std::string_view rest = value; NextListMember(rest, member);) ...
bool NextListMember(std::string_view& rest, std::string_view& member);

// The same, but every comma separates: for lists of tokens, where no quote may hide a member.
bool NextListToken(std::string_view& rest, std::string_view& token);

// True if a field of that id lists `token` (any case).
bool ListsToken(const FieldTable& fields, FieldId id, std::string_view token);

// RFC 9110, 5.6.2.
bool IsToken(std::string_view text);

}  // namespace reef::http
