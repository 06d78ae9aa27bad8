// SPDX-License-Identifier: Apache-2.0
#include "dsht/rpc/codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/dsht/rpc/sample_messages.h"

namespace reef::dsht {
namespace {

using namespace std::chrono_literals;

std::string Name(const Body& body) {
  return NameOf(body) + std::string(IsQuery(body) ? "_query" : "_reply");
}

class EveryMessage : public testing::TestWithParam<size_t> {
 protected:
  const Message message_ = SampleMessages().at(GetParam());
};

TEST_P(EveryMessage, IsOfItsOwnAlternative) {
  EXPECT_EQ(message_.body.index(), GetParam());
}

TEST_P(EveryMessage, SurvivesTheWayThereAndBack) {
  v1::Envelope received;
  ASSERT_TRUE(received.ParseFromString(Encode(message_).SerializeAsString()));

  const auto decoded = Decode(received);

  ASSERT_TRUE(std::holds_alternative<Message>(decoded)) << NameOf(std::get<DecodeError>(decoded));
  EXPECT_EQ(std::get<Message>(decoded), message_);
}

TEST_P(EveryMessage, FitsWellIntoOneEnvelope) {
  EXPECT_LT(Encode(message_).ByteSizeLong(), 2048u);
}

INSTANTIATE_TEST_SUITE_P(Codec, EveryMessage, testing::Range(size_t{0}, std::variant_size_v<Body>),
                         [](const auto& instance) {
                           return Name(SampleMessages().at(instance.param).body);
                         });

template <typename T>
v1::Envelope Sample() {
  for (const Message& message : SampleMessages()) {
    if (std::holds_alternative<T>(message.body)) return Encode(message);
  }
  return {};
}

// A name for the test, how a good envelope is spoilt, and what is said about it.
struct Spoilt {
  std::string name;
  DecodeError error;
  std::function<v1::Envelope()> make;
};

template <typename T>
Spoilt Case(const std::string& name, DecodeError error, std::function<void(v1::Envelope&)> spoil) {
  return {name, error, [spoil] {
            v1::Envelope envelope = Sample<T>();
            spoil(envelope);
            return envelope;
          }};
}

class HostileEnvelope : public testing::TestWithParam<Spoilt> {};

TEST_P(HostileEnvelope, IsRefusedWithItsReason) {
  const auto decoded = Decode(GetParam().make());

  ASSERT_TRUE(std::holds_alternative<DecodeError>(decoded));
  EXPECT_EQ(NameOf(std::get<DecodeError>(decoded)), std::string(NameOf(GetParam().error)));
}

using E = v1::Envelope;
INSTANTIATE_TEST_SUITE_P(
    Codec, HostileEnvelope,
    testing::Values(
        Case<PingQuery>("NoBody", DecodeError::kNoBody, [](E& e) { e.clear_body(); }),
        Case<PingQuery>("NoSender", DecodeError::kMissing, [](E& e) { e.clear_sender(); }),
        Case<StoreQuery>("StoreWithoutValue", DecodeError::kMissing,
                         [](E& e) { e.mutable_store_query()->clear_value(); }),
        Case<RenewQuery>("RenewWithoutLease", DecodeError::kMissing,
                         [](E& e) { e.mutable_renew_query()->clear_lease(); }),
        Case<PingQuery>("EmptySenderId", DecodeError::kId,
                        [](E& e) { e.mutable_sender()->clear_id(); }),
        Case<GetQuery>("ShortKey", DecodeError::kId,
                       [](E& e) { e.mutable_get_query()->set_key(std::string(19, 'k')); }),
        Case<GetQuery>("LongKey", DecodeError::kId,
                       [](E& e) { e.mutable_get_query()->set_key(std::string(21, 'k')); }),
        Case<ClaimQuery>("ShortExcluded", DecodeError::kId,
                         [](E& e) { e.mutable_claim_query()->set_exclude(0, "short"); }),
        Case<PingQuery>("FiveByteAddress", DecodeError::kAddress,
                        [](E& e) { e.mutable_sender()->mutable_rpc()->set_ip("12345"); }),
        Case<PingQuery>("PortBeyondRange", DecodeError::kAddress,
                        [](E& e) { e.mutable_sender()->mutable_rpc()->set_port(65536); }),
        Case<StoreQuery>("LongValue", DecodeError::kTooLong,
                         [](E& e) {
                           e.mutable_store_query()->mutable_value()->set_bytes(
                               std::string(kValueBytesMax + 1, 'v'));
                         }),
        Case<PingQuery>("LongSignature", DecodeError::kTooLong,
                        [](E& e) { e.set_signature(std::string(kSignatureBytesMax + 1, 's')); }),
        Case<FindReply>("ManyPeers", DecodeError::kTooMany,
                        [](E& e) {
                          const v1::Peer peer = e.find_reply().peers(0);
                          for (int i = 0; i < kPeersMax; ++i) {
                            *e.mutable_find_reply()->add_peers() = peer;
                          }
                        }),
        Case<HandOverQuery>("ManyEntries", DecodeError::kTooMany,
                            [](E& e) {
                              const v1::Entry entry = e.hand_over_query().entries(0);
                              for (int i = 0; i < kEntriesMax; ++i) {
                                *e.mutable_hand_over_query()->add_entries() = entry;
                              }
                            }),
        Case<ReleaseQuery>("TwoReleasedValues", DecodeError::kTooMany,
                           [](E& e) {
                             *e.mutable_release_query()->add_value() = e.release_query().value(0);
                           }),
        Case<ClaimQuery>("ManyExcluded", DecodeError::kTooMany,
                         [](E& e) {
                           for (int i = 0; i < kPeersMax; ++i) {
                             e.mutable_claim_query()->add_exclude(std::string(20, 'x'));
                           }
                         }),
        Case<StoreQuery>("ValueAtNoLevel", DecodeError::kLevel,
                         [](E& e) {
                           e.mutable_store_query()->mutable_value()->set_level(kLevelMax + 1);
                         }),
        Case<GetQuery>("NoLevels", DecodeError::kLevel,
                       [](E& e) { e.mutable_get_query()->set_levels(0); }),
        Case<GetQuery>("LevelsBeyondTheMask", DecodeError::kLevel,
                       [](E& e) { e.mutable_get_query()->set_levels(256); }),
        Case<StatusReply>("EndlessDuration", DecodeError::kDuration,
                          [](E& e) {
                            e.mutable_status_reply()->set_shortest_ttl_ms(~uint64_t{0});
                          }),
        Case<ClaimReply>("UnknownVerdict", DecodeError::kEnum,
                         [](E& e) {
                           e.mutable_claim_reply()->set_verdict(static_cast<v1::ClaimVerdict>(99));
                         })),
    [](const auto& instance) { return instance.param.name; });

// Of an enumeration that `body_of` puts into a message.
template <typename Core>
void ExpectAllSurvive(int last, const std::function<Body(Core)>& body_of) {
  for (int number = 0; number <= last; ++number) {
    Message message = SampleMessages().front();
    message.body = body_of(static_cast<Core>(number));
    EXPECT_EQ(std::get<Message>(Decode(Encode(message))), message) << number;
  }
}

TEST(CodecTest, EveryNumberOfEveryEnumerationSurvives) {
  ExpectAllSurvive<StoreOutcome>(
      v1::StoreOutcome_MAX, [](StoreOutcome outcome) { return StoreReply{.outcome = outcome}; });
  ExpectAllSurvive<ClaimStage>(v1::ClaimStage_MAX,
                               [](ClaimStage stage) { return ClaimQuery{.stage = stage}; });
  ExpectAllSurvive<LeaseState>(v1::LeaseState_MAX,
                               [](LeaseState state) { return ClaimQuery{.state = state}; });
  ExpectAllSurvive<ClaimVerdict>(
      v1::ClaimVerdict_MAX, [](ClaimVerdict verdict) { return ClaimReply{.verdict = verdict}; });
  ExpectAllSurvive<ClaimEnd>(v1::ClaimEnd_MAX,
                             [](ClaimEnd end) { return ReleaseQuery{.end = end}; });
  ExpectAllSurvive<Standing>(v1::Standing_MAX,
                             [](Standing standing) { return ContestReply{.standing = standing}; });
  ExpectAllSurvive<Refusal>(v1::Refusal_MAX,
                            [](Refusal reason) { return RefusedReply{.reason = reason}; });
}

TEST(CodecTest, FieldsOfALaterVersionAreSkipped) {
  v1::Envelope later = Sample<GetQuery>();
  later.GetReflection()->MutableUnknownFields(&later)->AddLengthDelimited(1000, "new");
  v1::Envelope received;
  ASSERT_TRUE(received.ParseFromString(later.SerializeAsString()));

  EXPECT_EQ(Decode(received), Decode(Sample<GetQuery>()));
}

TEST(CodecTest, AnAlternativeOfALaterVersionIsRefused) {
  v1::Envelope later = Sample<PingQuery>();
  later.clear_body();
  later.GetReflection()->MutableUnknownFields(&later)->AddLengthDelimited(35, "");
  v1::Envelope received;
  ASSERT_TRUE(received.ParseFromString(later.SerializeAsString()));

  EXPECT_EQ(std::get<DecodeError>(Decode(received)), DecodeError::kNoBody);
}

TEST(CodecTest, AMappedAddressHasOneSpelling) {
  v1::Envelope envelope = Sample<PingQuery>();
  envelope.mutable_sender()->mutable_rpc()->set_ip(
      std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16));

  const Message message = std::get<Message>(Decode(envelope));

  EXPECT_EQ(message.header.sender.rpc.address, *IpAddress::Parse("192.0.2.1"));
}

TEST(CodecTest, DurationsArePlacedWithinWhatTheWireCarries) {
  Message message = SampleMessages().front();
  StatusReply& reply = message.body.emplace<StatusReply>();
  reply.shortest_ttl = -5s;
  EXPECT_EQ(Encode(message).status_reply().shortest_ttl_ms(), 0u);

  reply.shortest_ttl = Duration::max();
  EXPECT_EQ(Encode(message).status_reply().shortest_ttl_ms(), kDurationMsMax);
}

}  // namespace
}  // namespace reef::dsht
