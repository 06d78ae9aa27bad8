// SPDX-License-Identifier: Apache-2.0
//
// Character classes of HTTP and the search for the first byte outside one: the inner loops of the
// parser. 16 bytes at a time where the machine has SSE2 (every x86-64), else by table.
//
// Inline functions of core/; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace reef::http {

namespace internal {
consteval std::array<bool, 256> TokenBytes() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> kTokenBytes = TokenBytes();
}  // namespace internal

// RFC 9110, 5.6.2: tchar.
inline bool IsTokenByte(char c) {
  return internal::kTokenBytes[static_cast<uint8_t>(c)];
}

// RFC 9110, 5.5: what a field value may contain: visible, obs-text, space, tab.
inline bool IsFieldValueByte(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

// What a request target may contain: visible ASCII, but no fragment (RFC 9112, 3.2). Stricter than
// many servers (no raw UTF-8), more lenient than RFC 3986 (browsers send '|' and the like).
inline bool IsTargetByte(char c) {
  return c > 0x20 && c != 0x7f && c != '#';
}

#ifdef __SSE2__
namespace internal {
// 0xff for each byte of `v` in [first, last].
inline __m128i InRange(__m128i v, char first, char last) {
  const __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8(first));
  return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(last - first))),
                        offset);
}
inline __m128i Equals(__m128i v, char c) {
  return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}
}  // namespace internal
#endif

// The first byte in [p, end) that is no token byte (the colon after a name), or `end`. Names are
// short: one step finds the end of nearly all, without a branch for each byte to be mispredicted.
inline const char* SkipToken(const char* p, const char* end) {
#ifdef __SSE2__
  using internal::Equals;
  using internal::InRange;
  for (; end - p >= 16; p += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Signed: bytes from 0x80 are below 0x21 too. The rest are RFC 9110's delimiters, and DEL.
    __m128i bad = _mm_cmplt_epi8(v, _mm_set1_epi8(0x21));
    bad = _mm_or_si128(bad, InRange(v, ':', '@'));
    bad = _mm_or_si128(bad, InRange(v, '[', ']'));
    bad = _mm_or_si128(bad, InRange(v, '(', ')'));
    bad = _mm_or_si128(bad, _mm_or_si128(Equals(v, '"'), Equals(v, ',')));
    bad = _mm_or_si128(bad, _mm_or_si128(Equals(v, '/'), Equals(v, 0x7f)));
    bad = _mm_or_si128(bad, _mm_or_si128(Equals(v, '{'), Equals(v, '}')));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return p + std::countr_zero(mask);
  }
#endif
  while (p != end && IsTokenByte(*p)) ++p;
  return p;
}

// The first byte in [p, end) that no field value has (often its CR), or `end`.
inline const char* SkipFieldValue(const char* p, const char* end) {
#ifdef __SSE2__
  const __m128i low = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, low), v);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), control), _mm_cmpeq_epi8(v, del));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return p + std::countr_zero(mask);
  }
#endif
  while (p != end && IsFieldValueByte(*p)) ++p;
  return p;
}

// The first byte in [p, end) that no request target has (often the space after it), or `end`.
inline const char* SkipTarget(const char* p, const char* end) {
#ifdef __SSE2__
  const __m128i first = _mm_set1_epi8(0x21);
  const __m128i hash = _mm_set1_epi8('#');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Signed: bytes from 0x80 are below 0x21 too.
    const __m128i bad = _mm_or_si128(_mm_cmplt_epi8(v, first),
                                     _mm_or_si128(_mm_cmpeq_epi8(v, hash), _mm_cmpeq_epi8(v, del)));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask != 0) return p + std::countr_zero(mask);
  }
#endif
  while (p != end && IsTargetByte(*p)) ++p;
  return p;
}

}  // namespace reef::http
