// SPDX-License-Identifier: Apache-2.0
//
// What a node keeps for others: ValueStore, LeaseTable, Recent, and their bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "dsht/core/lease_table.h"
#include "dsht/core/recent.h"
#include "dsht/core/value_store.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;
using From = ValueStore::From;

const Instant kNow = Instant(1h);
const Key kKey = Id::Hash("key");

Value ValueOf(const std::string& publisher, Duration ttl, bool complete = true) {
  return Value{
      .publisher = Id::Hash(publisher), .bytes = "192.0.2.1:80", .ttl = ttl, .complete = complete};
}

class ValueStoreTest : public testing::Test {
 protected:
  StoreOutcome Store(const std::string& key, const Value& value, From from = From::kPublisher) {
    return store_.Store(kNow, Id::Hash(key), value, from);
  }
  std::vector<Value> Live(Instant at) const { return store_.Live(at, kKey, kWorld); }

  Options options_;
  Stats stats_;
  ValueStore store_{options_, stats_};
};

TEST_F(ValueStoreTest, ThePublisherMayShortenWhatItSaid) {
  Store("key", ValueOf("a", 1h));

  Store("key", ValueOf("a", 1min));

  EXPECT_THAT(Live(kNow), SizeIs(1));
  EXPECT_THAT(Live(kNow + 1min), IsEmpty());
}

TEST_F(ValueStoreTest, AnOlderCopyDoesNotUndoWhatThePublisherSaidSince) {
  Store("key", ValueOf("a", 1h, true));

  EXPECT_EQ(Store("key", ValueOf("a", 20s, false), From::kCopy), StoreOutcome::kStored);

  ASSERT_THAT(Live(kNow + 1min), SizeIs(1));
  EXPECT_TRUE(Live(kNow)[0].complete);
}

TEST_F(ValueStoreTest, ANewerCopyIsTaken) {
  Store("key", ValueOf("a", 20s, false));

  Store("key", ValueOf("a", 1h, true), From::kCopy);

  ASSERT_THAT(Live(kNow + 1min), SizeIs(1));
  EXPECT_TRUE(Live(kNow)[0].complete);
}

TEST_F(ValueStoreTest, OnePublisherHasAShareAndRenewsWithinIt) {
  options_.values_per_source_max = 2;
  Store("key", ValueOf("a", 1h));
  Store("other", ValueOf("a", 1h));

  EXPECT_EQ(Store("third", ValueOf("a", 1h)), StoreOutcome::kSourceLimit);
  EXPECT_EQ(Store("key", ValueOf("a", 2h)), StoreOutcome::kStored);
  EXPECT_EQ(Store("third", ValueOf("b", 1h)), StoreOutcome::kStored);
}

TEST_F(ValueStoreTest, BytesAndKeysAreBoundedAndComeBack) {
  options_.stored_keys_max = 2;
  Store("key", ValueOf("a", 1h));
  Store("other", ValueOf("a", 2h));
  EXPECT_EQ(Store("third", ValueOf("a", 1h)), StoreOutcome::kNoRoom);

  store_.DropExpired(kNow + 90min);

  EXPECT_EQ(store_.key_count(), 1u);
  EXPECT_EQ(Store("third", ValueOf("a", 1h)), StoreOutcome::kStored);
  store_.DropExpired(kNow + 3h);
  EXPECT_EQ(store_.bytes(), 0u);
  EXPECT_EQ(store_.value_count(), 0u);
  options_.stored_bytes_max = 10;
  EXPECT_EQ(Store("key", ValueOf("a", 1h)), StoreOutcome::kNoRoom);
}

class LeaseTableTest : public testing::Test {
 protected:
  Lease LeaseOf(const std::string& node, uint64_t counter = 1) const {
    return Lease{.attempt = {Id::Hash(node), counter}, .epoch = 1, .duration = options_.lease};
  }
  bool Put(const std::string& key, const Lease& lease) {
    return table_.Put(kNow, Id::Hash(key), lease);
  }

  Options options_;
  Stats stats_;
  LeaseTable table_{options_, stats_};
};

TEST_F(LeaseTableTest, OneNodeHasAShareAndRenewsWithinIt) {
  options_.leases_per_source_max = 2;
  Put("key", LeaseOf("a"));
  Put("other", LeaseOf("a"));

  EXPECT_FALSE(Put("third", LeaseOf("a")));
  EXPECT_TRUE(Put("key", LeaseOf("a")));
  EXPECT_TRUE(Put("other", LeaseOf("a", 2)));
  EXPECT_FALSE(Put("third", LeaseOf("a")));
  EXPECT_TRUE(Put("third", LeaseOf("b")));
  EXPECT_EQ(stats_.leases_source_limit, 2u);
}

TEST_F(LeaseTableTest, AShareIsGivenBackWithTheLease) {
  options_.leases_per_source_max = 1;
  Put("key", LeaseOf("a"));

  table_.Vacate(kNow, kKey, 0, {Id::Hash("a"), 1});

  EXPECT_TRUE(Put("other", LeaseOf("a")));
}

TEST_F(LeaseTableTest, AnEndedLeaseLeavesItsEpochForAWhileAndThenNothing) {
  Put("key", LeaseOf("a"));

  table_.DropExpired(kNow + options_.lease);

  const auto vacancy = table_.Find(kNow + options_.lease, kKey, 0);
  ASSERT_TRUE(vacancy.has_value());
  EXPECT_EQ(vacancy->state, LeaseState::kFailed);
  EXPECT_EQ(vacancy->epoch, 1u);
  table_.DropExpired(kNow + 2 * options_.lease);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(LeaseTableTest, LeasesAreBounded) {
  options_.leases_max = 1;
  Put("key", LeaseOf("a"));

  EXPECT_FALSE(Put("other", LeaseOf("b")));
  EXPECT_TRUE(Put("key", LeaseOf("b")));
  EXPECT_EQ(stats_.leases_no_room, 1u);
}

TEST(RecentTest, ForgetsWhatEndsFirstAtItsBoundAndWhatHasEnded) {
  Recent<int> recent(2);
  recent.Add(1, kNow + 3s);
  recent.Add(2, kNow + 1s);
  recent.Add(3, kNow + 2s);

  EXPECT_TRUE(recent.Has(kNow, 1));
  EXPECT_FALSE(recent.Has(kNow, 2));
  EXPECT_FALSE(recent.Has(kNow + 2s, 3));
  recent.DropExpired(kNow + 2s);
  EXPECT_EQ(recent.size(), 1u);
}

}  // namespace
}  // namespace reef::dsht
