// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the store share: keys, contents, objects, and a reader that takes a whole body
// on a loop of its own and tells how it ended.
#pragma once

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/runtime/event_loop.h"
#include "httpproxy/store/cache.h"

namespace reef::http {

// A count from the environment, for longer runs by hand; `usual` where it is not set.
inline int CountFrom(const char* variable, int usual) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return usual;
  const std::optional<uint64_t> count = ParseDecimal(text);
  REEF_CHECK(count && *count > 0 && *count <= 1'000'000'000)
      << variable << " is no count: " << text;
  return static_cast<int>(*count);
}

inline CacheKey KeyOf(std::string_view name) {
  return CacheKey{Sha256(name)};
}

// The same seed and size give the same bytes.
inline std::string ContentOf(uint64_t seed, size_t size) {
  Rng rng(seed);
  std::string content(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t bits = rng.Next();
    std::memcpy(content.data() + i, &bits, std::min<size_t>(8, size - i));
  }
  return content;
}

inline std::shared_ptr<const Object> MakeObject(std::string_view name, std::shared_ptr<Body> body,
                                                std::string etag = "") {
  auto object = std::make_shared<Object>();
  object->key = KeyOf(name);
  object->head.etag = std::move(etag);
  object->body = std::move(body);
  return object;
}

// Bytes that a failed expectation does not print by the megabyte.
struct Bytes {
  Bytes() = default;
  Bytes(std::string value) : text(std::move(value)) {}
  Bytes(const char* value) : text(value) {}

  std::string text;

  friend bool operator==(const Bytes&, const Bytes&) = default;
  friend void PrintTo(const Bytes& bytes, std::ostream* out) {
    *out << bytes.text.size() << " bytes of hash " << Xxh3(bytes.text);
    if (bytes.text.size() < 40) *out << " \"" << bytes.text << '"';
  }
};

struct ReadResult {
  Bytes bytes;
  Body::Chunk::What end = Body::Chunk::What::kWait;

  friend bool operator==(const ReadResult&, const ReadResult&) = default;
  friend void PrintTo(const ReadResult& result, std::ostream* out) {
    PrintTo(result.bytes, out);
    *out << ", end " << static_cast<int>(result.end);
  }
};

// Reads a body to its end on `loop`, `step` bytes at a time. One whole read an instance.
class WholeReader {
 public:
  WholeReader(std::shared_ptr<Body> body, EventLoop& loop, size_t step = 64 * 1024)
      : body_(std::move(body)), loop_(loop), step_(step) {
    loop_.Post([this] {
      reader_ = body_->NewReader(loop_, 0);
      Pump();
    });
  }

  ReadResult Wait() { return done_.get_future().get(); }

 private:
  void Pump() {
    while (true) {
      const Body::Chunk chunk = reader_->Peek(step_);
      if (chunk.what == Body::Chunk::What::kWait) {
        reader_->WhenReadable([this] { Pump(); });
        return;
      }
      if (chunk.what != Body::Chunk::What::kBytes) {
        result_.end = chunk.what;
        reader_.reset();
        done_.set_value(std::move(result_));
        return;
      }
      result_.bytes.text += chunk.bytes;
      reader_->Advance(chunk.bytes.size());
    }
  }

  std::shared_ptr<Body> body_;
  EventLoop& loop_;
  size_t step_;
  std::unique_ptr<Body::Reader> reader_;
  ReadResult result_;
  std::promise<ReadResult> done_;
};

inline ReadResult ReadWhole(std::shared_ptr<Body> body) {
  LoopThread thread("reader");
  WholeReader reader(std::move(body), thread.loop());
  return reader.Wait();
}

// Appends all of `content`, `step` bytes at a time, waiting for room whenever told to. Blocks; on a
// thread that is not `loop`'s.
inline void AppendAll(Body& body, EventLoop& loop, std::string_view content,
                      size_t step = 16 * 1024) {
  while (!content.empty()) {
    const std::string_view piece = content.substr(0, step);
    content.remove_prefix(piece.size());
    if (body.Append(piece)) continue;
    const auto room = std::make_shared<std::promise<void>>();
    body.WhenRoom(loop, [room] { room->set_value(); });
    room->get_future().get();
  }
}

// Fills a body of `cache` with `content` under `name`, and completes it.
inline std::shared_ptr<const Object> Store(Cache& cache, std::string_view name,
                                           std::string_view content, std::string etag = "") {
  const std::shared_ptr<Body> body = cache.NewBody();
  auto object = MakeObject(name, body, std::move(etag));
  cache.Insert(object);
  if (content.size() <= kSegmentBytes) {
    body->Append(content);  // one segment always has room
  } else {
    LoopThread room("room");
    AppendAll(*body, room.loop(), content, 64 * 1024);
  }
  body->Complete();
  return object;
}

// Until what another thread does has come about. False: it has not within half a minute.
[[nodiscard]] inline bool WaitUntil(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// Until the disk has caught up with what is to be written. A test that stores much waits for it now
// and then: what comes faster than the disk writes is not written, by design.
[[nodiscard]] inline bool WaitForDisk(const Cache& cache, uint64_t waiting_bytes_max = 0) {
  return WaitUntil([&] { return cache.stats().disk_queue_bytes <= waiting_bytes_max; });
}

// Loads from disk and waits for it; nullptr as Cache::Load says.
inline std::shared_ptr<const Object> LoadNow(Cache& cache, std::string_view name) {
  LoopThread thread("load");
  auto loaded = std::make_shared<std::promise<std::shared_ptr<const Object>>>();
  cache.Load(KeyOf(name), thread.loop(),
             [loaded](std::shared_ptr<const Object> object) { loaded->set_value(object); });
  return loaded->get_future().get();
}

// The object, wherever it is; nullptr on a miss.
inline std::shared_ptr<const Object> Get(Cache& cache, std::string_view name) {
  const Cache::Found found = cache.Find(KeyOf(name));
  if (found.where == Cache::Found::Where::kDisk) return LoadNow(cache, name);
  return found.object;
}

// The content under `name`; nullopt if it is not held whole.
inline std::optional<Bytes> ContentIn(Cache& cache, std::string_view name) {
  const auto object = Get(cache, name);
  if (object == nullptr) return std::nullopt;
  ReadResult read = ReadWhole(object->body);
  if (read.end != Body::Chunk::What::kEnd) return std::nullopt;
  return std::move(read.bytes);
}

}  // namespace reef::http
