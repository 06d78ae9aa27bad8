// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/store/cache.h"

#include <utility>

#include "httpproxy/store/open_cache.h"
#include "httpproxy/store/segmented_body.h"
#include "httpproxy/store/store.h"

namespace reef::http {
namespace {

// Owns the store's life: bodies share the store, but it works only as long as its cache.
class TieredCache final : public Cache {
 public:
  explicit TieredCache(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  ~TieredCache() override { store_->Close(); }

  Found Find(const CacheKey& key) override { return store_->Find(key); }
  void Load(const CacheKey& key, EventLoop& loop,
            std::function<void(std::shared_ptr<const Object>)> done) override {
    store_->Load(key, loop, std::move(done));
  }
  std::shared_ptr<Body> NewBody() override { return SegmentedBody::MakeHeld(store_); }
  void Insert(std::shared_ptr<const Object> object) override { store_->Insert(std::move(object)); }
  void Erase(const CacheKey& key) override { store_->Erase(key); }
  void OnEvicted(std::function<void(const CacheKey&)> evicted) override {
    store_->OnEvicted(std::move(evicted));
  }
  void ForEachKey(const std::function<void(const CacheKey&)>& visit) const override {
    store_->ForEachKey(visit);
  }
  Stats stats() const override { return store_->stats(); }

 private:
  std::shared_ptr<Store> store_;
};

}  // namespace

StatusOr<std::unique_ptr<Cache>> Cache::Open(const Options& options) {
  return OpenCache(options, std::make_unique<PosixFiles>());
}

StatusOr<std::unique_ptr<Cache>> OpenCache(const Cache::Options& options,
                                           std::unique_ptr<FileLayer> layer) {
  ASSIGN_OR_RETURN(std::shared_ptr<Store> store, Store::Open(options, std::move(layer)));
  return std::unique_ptr<Cache>(std::make_unique<TieredCache>(std::move(store)));
}

std::shared_ptr<Body> Cache::NewPassThroughBody(size_t window_bytes) {
  return SegmentedBody::MakeWindow(window_bytes);
}

}  // namespace reef::http
