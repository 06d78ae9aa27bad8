// SPDX-License-Identifier: Apache-2.0
#include "httpproxy/core/fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace reef::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using What = FetchAction::What;
using Finish = FetchAction::Finish;
using End = FetchAction::End;

Endpoint Proxy(uint8_t i) {
  return {IpAddress::V4({10, 0, 0, i}), 8090};
}
Instant At(Duration t) {
  return Instant(seconds(1000)) + t;
}

ClaimResult::Holder HolderOf(uint8_t i, bool complete = true) {
  return {
      .node = "node" + std::to_string(i), .endpoint = Proxy(i), .level = 0, .complete = complete};
}
ClaimResult First() {
  return {.kind = ClaimResult::Kind::kFirst, .holders = {}, .rank = 0};
}
ClaimResult Held(std::vector<ClaimResult::Holder> holders) {
  return {.kind = ClaimResult::Kind::kHeld, .holders = std::move(holders), .rank = 3};
}
ClaimResult Marked() {
  return {.kind = ClaimResult::Kind::kUncacheable, .holders = {}, .rank = 3};
}
FetchHead Whole(uint64_t total, std::string validator = "\"v1\"") {
  return {.partial = false, .first_byte = 0, .total = total, .validator = std::move(validator)};
}
FetchHead Part(uint64_t first, uint64_t total, std::string validator = "\"v1\"") {
  return {.partial = true, .first_byte = first, .total = total, .validator = std::move(validator)};
}
PeerAnswer Says(PeerAnswer::What what, std::vector<Endpoint> instead = {}) {
  return {.what = what, .try_instead = std::move(instead)};
}

class FetchTest : public ::testing::Test {
 protected:
  FetchTest() { Make(FetchOptions{}); }
  void Make(const FetchOptions& options) { fetch_ = std::make_unique<Fetch>(options, Proxy(1)); }

  std::vector<What> Taken() {
    std::vector<What> kinds;
    for (const FetchAction& action : out_) kinds.push_back(action.what);
    last_ = std::move(out_);
    out_.clear();
    return kinds;
  }
  // The last action of a kind in what was taken last.
  const FetchAction& Last(What what) const {
    const auto it = std::find_if(last_.rbegin(), last_.rend(),
                                 [what](const FetchAction& a) { return a.what == what; });
    static const FetchAction kNone;
    EXPECT_NE(it, last_.rend());
    return it == last_.rend() ? kNone : *it;
  }
  void StartAs(const ClaimResult& answer) {
    fetch_->Start(At(milliseconds(0)), out_);
    out_.clear();
    fetch_->OnClaimAnswer(At(milliseconds(5)), answer, out_);
  }
  // A reader of proxy 2 with `bytes` of 1000.
  void ReadFromProxy2(uint64_t bytes) {
    StartAs(Held({HolderOf(2)}));
    fetch_->OnHead(At(milliseconds(10)), 1, Whole(1000), out_);
    fetch_->OnBytes(1, bytes);
    out_.clear();
  }
  void LeadWith(uint64_t bytes, const std::string& validator = "\"v1\"") {
    StartAs(First());
    fetch_->OnHead(At(milliseconds(10)), 1, Whole(1000, validator), out_);
    fetch_->OnBytes(1, bytes);
    out_.clear();
  }

  std::unique_ptr<Fetch> fetch_;
  Fetch::Out out_;
  Fetch::Out last_;
};

TEST_F(FetchTest, ClaimsBeforeItAsksAnybody) {
  fetch_->Start(At(milliseconds(0)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kClaim));
  EXPECT_TRUE(fetch_->claiming());
}

TEST_F(FetchTest, TheFirstAsksTheOrigin) {
  StartAs(First());

  EXPECT_THAT(Taken(), ElementsAre(What::kAskOrigin));
  EXPECT_TRUE(fetch_->leading());
  EXPECT_EQ(fetch_->rank(), 0);
}

TEST_F(FetchTest, TheFirstTellsTheIndexWhenItHasTheHead) {
  StartAs(First());
  Taken();

  fetch_->OnHead(At(milliseconds(50)), 1, Whole(10), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kUse, What::kStreaming));
}

TEST_F(FetchTest, ReleasesTheClaimAsCompleteAfterTheLastByte) {
  LeadWith(1000);

  fetch_->OnEnd(At(milliseconds(90)), 1, out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kRelease).end, End::kComplete);
  EXPECT_TRUE(Last(What::kRelease).leading);
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kComplete);
  EXPECT_EQ(fetch_->NextDeadline(), kNever);
}

TEST_F(FetchTest, RacesTwoHoldersAndKeepsTheOneWhoseHeadIsFirst) {
  StartAs(Held({HolderOf(2), HolderOf(3), HolderOf(4)}));
  EXPECT_THAT(Taken(), ElementsAre(What::kAskPeer, What::kAskPeer));

  fetch_->OnHead(At(milliseconds(20)), 2, Whole(10), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kCancel, What::kUse));
  EXPECT_EQ(Last(What::kCancel).attempt, 1);
  EXPECT_EQ(Last(What::kUse).holder, HolderOf(3));
}

TEST_F(FetchTest, ASecondHeadOfTheRaceIsIgnored) {
  StartAs(Held({HolderOf(2), HolderOf(3)}));
  fetch_->OnHead(At(milliseconds(20)), 2, Whole(10), out_);
  Taken();

  fetch_->OnHead(At(milliseconds(20)), 1, Whole(10), out_);
  fetch_->OnBytes(1, 5);

  EXPECT_THAT(Taken(), IsEmpty());
  EXPECT_EQ(fetch_->have(), 0u);
}

TEST_F(FetchTest, NeverReadsFromItself) {
  StartAs(Held({HolderOf(1), HolderOf(2)}));

  EXPECT_THAT(Taken(), ElementsAre(What::kAskPeer));
  EXPECT_EQ(Last(What::kAskPeer).holder, HolderOf(2));
}

TEST_F(FetchTest, AHolderThatCannotBeMadeOutIsExcludedAtOnce) {
  StartAs(Held({{.node = "node7", .endpoint = {}, .level = 0, .complete = true}}));

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kClaim));
  EXPECT_THAT(Last(What::kClaim).exclude, ElementsAre("node7"));
}

TEST_F(FetchTest, AsksTheNextHolderWhenOneFails) {
  StartAs(Held({HolderOf(2), HolderOf(3), HolderOf(4)}));
  Taken();

  fetch_->OnFailure(At(milliseconds(20)), 1, FetchFailure::kConnect, "refused", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kAskPeer));
  EXPECT_EQ(Last(What::kAskPeer).holder, HolderOf(4));
}

TEST_F(FetchTest, ClaimsAgainWithoutThoseThatFailed) {
  StartAs(Held({HolderOf(2), HolderOf(3)}));
  Taken();

  fetch_->OnFailure(At(milliseconds(20)), 1, FetchFailure::kConnect, "refused", out_);
  fetch_->OnPeerAnswer(At(milliseconds(21)), 2, Says(PeerAnswer::What::kNotHeld), "", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kClaim));
  EXPECT_THAT(Last(What::kClaim).exclude, ElementsAre("node2", "node3"));
  EXPECT_EQ(Last(What::kRelease).end, End::kFailed);
}

TEST_F(FetchTest, AHolderWithoutASignIsStalledAndLeft) {
  StartAs(Held({HolderOf(2)}));
  Taken();
  ASSERT_EQ(fetch_->NextDeadline(), At(milliseconds(1505)));

  fetch_->OnDeadline(At(milliseconds(1505)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kCancel, What::kRelease, What::kClaim));
  EXPECT_EQ(fetch_->stats().stalls, 1u);
}

TEST_F(FetchTest, ASignOfLifeIsNoStall) {
  StartAs(Held({HolderOf(2)}));
  Taken();
  for (int i = 1; i <= 20; ++i) {
    fetch_->OnSign(At(milliseconds(500 * i)), 1);
    fetch_->OnDeadline(At(milliseconds(500 * i)), out_);
  }

  EXPECT_THAT(Taken(), IsEmpty());
  EXPECT_EQ(fetch_->NextDeadline(), At(milliseconds(11'500)));
}

TEST_F(FetchTest, ASlowOriginIsNoStall) {
  StartAs(First());
  Taken();

  fetch_->OnDeadline(At(seconds(59)), out_);

  EXPECT_THAT(Taken(), IsEmpty());
}

// The index has budgets of its own: while it looks after a lost leader it may take seconds.
TEST_F(FetchTest, AnIndexThatTakesItsTimeIsWaitedFor) {
  fetch_->Start(At(milliseconds(0)), out_);
  Taken();

  fetch_->OnDeadline(At(seconds(7)), out_);
  EXPECT_THAT(Taken(), IsEmpty());
  fetch_->OnClaimAnswer(At(seconds(7)), First(), out_);

  EXPECT_TRUE(fetch_->leading());
}

TEST_F(FetchTest, AnIndexThatDoesNotAnswerAtAllIsPassedByAndCounted) {
  fetch_->Start(At(milliseconds(0)), out_);
  Taken();
  ASSERT_EQ(fetch_->NextDeadline(), At(seconds(10)));

  fetch_->OnDeadline(At(seconds(10)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kAskOrigin));
  EXPECT_EQ(fetch_->stats().claims_no_answer, 1u);
  EXPECT_FALSE(fetch_->leading());
}

TEST_F(FetchTest, ALateAnswerOfTheIndexIsIgnored) {
  fetch_->Start(At(milliseconds(0)), out_);
  fetch_->OnDeadline(At(seconds(10)), out_);
  Taken();

  fetch_->OnClaimAnswer(At(seconds(11)), Held({HolderOf(2)}), out_);

  EXPECT_THAT(Taken(), IsEmpty());
}

TEST_F(FetchTest, AMarkedKeyIsFetchedByEachForItself) {
  StartAs(Marked());

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kUncacheable);
}

TEST_F(FetchTest, AHolderThatSaysUncacheableEndsTheWaitAtOnce) {
  StartAs(Held({HolderOf(2), HolderOf(3)}));
  Taken();

  fetch_->OnPeerAnswer(At(milliseconds(20)), 1, Says(PeerAnswer::What::kUncacheable), "", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kCancel, What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kUncacheable);
}

TEST_F(FetchTest, ABusyHolderSendsItToThatHoldersReaders) {
  StartAs(Held({HolderOf(2)}));
  Taken();

  fetch_->OnPeerAnswer(At(milliseconds(20)), 1,
                       Says(PeerAnswer::What::kBusy, {Proxy(7), Proxy(1), Proxy(8)}), "", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kAskPeer, What::kAskPeer));
  EXPECT_EQ(Last(What::kAskPeer).holder.endpoint, Proxy(8));
}

TEST_F(FetchTest, BusyWithoutAlternativesIsWaitedForAndNotHeldAgainstTheHolder) {
  StartAs(Held({HolderOf(2)}));
  Taken();
  fetch_->OnPeerAnswer(At(milliseconds(20)), 1, Says(PeerAnswer::What::kBusy), "", out_);
  EXPECT_THAT(Taken(), IsEmpty());
  ASSERT_EQ(fetch_->NextDeadline(), At(milliseconds(120)));

  fetch_->OnDeadline(At(milliseconds(120)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kClaim));
  EXPECT_THAT(Last(What::kClaim).exclude, IsEmpty());
}

TEST_F(FetchTest, IsPatientWithABusyHolderAsLongAsAHeadMayTake) {
  StartAs(Held({HolderOf(2)}));
  Instant now = At(milliseconds(20));
  int attempt = 1;
  while (now < At(seconds(70))) {
    fetch_->OnPeerAnswer(now, attempt++, Says(PeerAnswer::What::kBusy), "", out_);
    now = fetch_->NextDeadline();
    fetch_->OnDeadline(now, out_);
    fetch_->OnClaimAnswer(now, Held({HolderOf(2)}), out_);
    if (attempt > 60) break;
  }

  EXPECT_FALSE(fetch_->done());
  EXPECT_EQ(fetch_->stats().origin_unclaimed, 0u);
}

TEST_F(FetchTest, AHolderThatIsNoFurtherIsPassedOverAtOnceAndNotComplainedAbout) {
  StartAs(Held({HolderOf(2, /*complete=*/false)}));
  Taken();

  fetch_->OnPeerAnswer(At(milliseconds(20)), 1, Says(PeerAnswer::What::kOrder), "", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kClaim));
  EXPECT_THAT(Last(What::kClaim).exclude, IsEmpty());
  EXPECT_THAT(Last(What::kClaim).behind, ElementsAre("node2"));
}

// It leads, then, and will be further soon.
TEST_F(FetchTest, AHolderThatIsNamedAlthoughItIsNoFurtherIsWaitedFor) {
  StartAs(Held({HolderOf(2, /*complete=*/false)}));
  fetch_->OnPeerAnswer(At(milliseconds(20)), 1, Says(PeerAnswer::What::kOrder), "", out_);
  fetch_->OnClaimAnswer(At(milliseconds(30)), Held({HolderOf(2, /*complete=*/false)}), out_);
  Taken();

  for (int attempt = 2; attempt < 40; ++attempt) {
    const Instant now = std::max(fetch_->NextDeadline(), At(milliseconds(40)));
    fetch_->OnPeerAnswer(now, attempt, Says(PeerAnswer::What::kOrder), "", out_);
    EXPECT_THAT(Taken(), IsEmpty());
    const Instant later = fetch_->NextDeadline();
    if (later >= At(seconds(75))) break;  // the time until a head bounds it
    fetch_->OnDeadline(later, out_);
    ASSERT_THAT(Taken(), ElementsAre(What::kRelease, What::kClaim));
    EXPECT_THAT(Last(What::kClaim).exclude, IsEmpty());
    EXPECT_THAT(Last(What::kClaim).behind, ElementsAre("node2"));
    fetch_->OnClaimAnswer(later, Held({HolderOf(2, /*complete=*/false)}), out_);
    ASSERT_THAT(Taken(), ElementsAre(What::kAskPeer));
  }

  EXPECT_EQ(fetch_->stats().origin_unclaimed, 0u);
}

TEST_F(FetchTest, WhoIsNoFurtherIsForgottenWhenBytesFlowAgain) {
  ReadFromProxy2(400);
  fetch_->OnFailure(At(milliseconds(500)), 1, FetchFailure::kBroken, "reset", out_);
  fetch_->OnClaimAnswer(At(milliseconds(510)), Held({HolderOf(3, /*complete=*/false)}), out_);
  fetch_->OnPeerAnswer(At(milliseconds(520)), 2, Says(PeerAnswer::What::kOrder), "", out_);
  fetch_->OnClaimAnswer(At(milliseconds(530)), Held({HolderOf(4, /*complete=*/false)}), out_);
  fetch_->OnHead(At(milliseconds(540)), 3, Part(400, 1000), out_);
  Taken();

  fetch_->OnFailure(At(seconds(1)), 3, FetchFailure::kBroken, "reset", out_);

  Taken();
  EXPECT_THAT(Last(What::kClaim).exclude, ElementsAre("node2", "node4"));
  EXPECT_THAT(Last(What::kClaim).behind, IsEmpty());
}

TEST_F(FetchTest, AHoldersFailureIsCheckedOnceAndBelievedTheSecondTime) {
  StartAs(Held({HolderOf(2), HolderOf(3)}));
  Taken();
  fetch_->OnPeerAnswer(At(milliseconds(20)), 1, Says(PeerAnswer::What::kFailed), "origin refused",
                       out_);
  EXPECT_FALSE(fetch_->done());

  fetch_->OnPeerAnswer(At(milliseconds(20)), 2, Says(PeerAnswer::What::kFailed), "origin refused",
                       out_);

  Taken();
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kFailed);
  EXPECT_EQ(Last(What::kFinish).status, 502);
  EXPECT_THAT(Last(What::kFinish).detail, HasSubstr("10.0.0.3:8090 failed: origin refused"));
}

TEST_F(FetchTest, ARefusingOriginIsNotAskedTwice) {
  StartAs(First());
  Taken();

  fetch_->OnFailure(At(milliseconds(20)), 1, FetchFailure::kConnect, "10.9.9.9:80 refused", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kFinish).status, 502);
  EXPECT_THAT(Last(What::kFinish).detail, HasSubstr("10.9.9.9:80 refused"));
}

TEST_F(FetchTest, ATimedOutOriginIs504) {
  StartAs(First());
  Taken();

  fetch_->OnFailure(At(seconds(60)), 1, FetchFailure::kTimeout, "no response head", out_);

  Taken();
  EXPECT_EQ(Last(What::kFinish).status, 504);
}

TEST_F(FetchTest, AnOriginThatHangsUpBeforeItsHeadIsAskedAtMostThreeTimes) {
  StartAs(First());
  int asked = 0;
  for (int attempt = 1; !fetch_->done(); ++attempt) {
    for (const What what : Taken()) asked += what == What::kAskOrigin;
    fetch_->OnFailure(At(milliseconds(20)), attempt, FetchFailure::kBroken, "", out_);
    ASSERT_LT(attempt, 10);
  }

  EXPECT_EQ(asked, 3);
}

TEST_F(FetchTest, AReaderGoesOnWithAnotherHolderAtTheByteReached) {
  ReadFromProxy2(400);

  fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);
  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kClaim));
  EXPECT_THAT(Last(What::kClaim).exclude, ElementsAre("node2"));
  fetch_->OnClaimAnswer(At(milliseconds(40)), Held({HolderOf(3)}), out_);
  EXPECT_THAT(Taken(), ElementsAre(What::kAskPeer));
  EXPECT_EQ(Last(What::kAskPeer).offset, 400u);
  EXPECT_TRUE(Last(What::kAskPeer).has_head);
  fetch_->OnHead(At(milliseconds(50)), 2, Part(400, 1000), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kContinue));
  EXPECT_EQ(Last(What::kContinue).skip, 0u);
}

TEST_F(FetchTest, TheNewLeaderContinuesAtTheOriginByRange) {
  ReadFromProxy2(400);
  fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);
  Taken();

  fetch_->OnClaimAnswer(At(milliseconds(40)), First(), out_);
  EXPECT_THAT(Taken(), ElementsAre(What::kAskOrigin));
  EXPECT_EQ(Last(What::kAskOrigin).offset, 400u);
  fetch_->OnHead(At(milliseconds(50)), 2, Part(400, 1000), out_);
  EXPECT_THAT(Taken(), ElementsAre(What::kContinue, What::kStreaming));
  fetch_->OnBytes(2, 600);
  fetch_->OnEnd(At(milliseconds(60)), 2, out_);

  Taken();
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kComplete);
}

TEST_F(FetchTest, AWholeResponseWithTheSameValidatorContinuesAfterWhatIsKnown) {
  LeadWith(400);
  fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);
  Taken();

  fetch_->OnHead(At(milliseconds(50)), 2, Whole(1000), out_);

  Taken();
  EXPECT_EQ(Last(What::kContinue).skip, 400u);
}

TEST_F(FetchTest, NeverMixesTwoRepresentations) {
  LeadWith(400);
  fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);
  Taken();

  fetch_->OnHead(At(milliseconds(50)), 2, Whole(1000, "\"v2\""), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kCancel, What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kAborted);
}

TEST_F(FetchTest, APartThatBeginsElsewhereOrIsOfAnotherLengthIsRefused) {
  for (const FetchHead& head : {Part(401, 1000), Part(400, 1001), Part(400, 1000, "")}) {
    Make(FetchOptions{});
    LeadWith(400);
    fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);
    Taken();

    fetch_->OnHead(At(milliseconds(50)), 2, head, out_);

    Taken();
    EXPECT_EQ(Last(What::kFinish).finish, Finish::kAborted);
  }
}

TEST_F(FetchTest, WithoutAStrongValidatorABrokenBodyStaysBroken) {
  LeadWith(400, "");

  fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kRelease).end, End::kFailed);
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kAborted);
}

TEST_F(FetchTest, ARangeShorterThanAskedForIsFollowedByAnother) {
  LeadWith(400);
  fetch_->OnFailure(At(milliseconds(30)), 1, FetchFailure::kBroken, "reset", out_);
  fetch_->OnHead(At(milliseconds(50)), 2, Part(400, 1000), out_);
  fetch_->OnBytes(2, 100);
  Taken();

  fetch_->OnEnd(At(milliseconds(60)), 2, out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kAskOrigin));
  EXPECT_EQ(Last(What::kAskOrigin).offset, 500u);
}

TEST_F(FetchTest, AnUnaskedRangeIsNoAnswer) {
  StartAs(First());
  Taken();

  fetch_->OnHead(At(milliseconds(50)), 1, Part(0, 1000), out_);

  Taken();
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kFailed);
}

TEST_F(FetchTest, AfterTheLeaseIsLostItStopsLeadingAndClaimsAnew) {
  StartAs(First());
  Taken();

  fetch_->OnLeaseLost(At(milliseconds(50)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kRelease, What::kCancel, What::kClaim));
  EXPECT_FALSE(fetch_->leading());
  EXPECT_EQ(fetch_->rank(), 3);
}

TEST_F(FetchTest, AfterTheLeaseIsLostABodyThatFlowsGoesOn) {
  LeadWith(400);
  fetch_->OnLeaseLost(At(milliseconds(50)), out_);
  EXPECT_THAT(Taken(), ElementsAre(What::kRelease));
  fetch_->OnBytes(1, 600);

  fetch_->OnEnd(At(milliseconds(60)), 1, out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kFinish));
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kComplete);
}

TEST_F(FetchTest, HoldersThatNobodyCanReachEndAtTheOriginUnclaimed) {
  StartAs(Held({HolderOf(2)}));
  fetch_->OnFailure(At(milliseconds(20)), 1, FetchFailure::kConnect, "no route", out_);
  Instant now = At(milliseconds(20));
  bool asked = false;
  for (int i = 0; i < 40 && !asked; ++i) {
    fetch_->OnClaimAnswer(now, Held({HolderOf(2)}), out_);
    for (const What what : Taken()) asked |= what == What::kAskOrigin;
    now = std::min(fetch_->NextDeadline(), At(seconds(60)));
    fetch_->OnDeadline(now, out_);
  }

  EXPECT_TRUE(asked);
  EXPECT_EQ(fetch_->stats().origin_unclaimed, 1u);
  EXPECT_LT(now, At(seconds(70)));
}

TEST_F(FetchTest, GivesUpWith504WhenThereIsNoHeadInTime) {
  StartAs(Held({HolderOf(2)}));
  Taken();
  for (int i = 1; i < 150; ++i) fetch_->OnSign(At(milliseconds(500 * i)), 1);

  fetch_->OnDeadline(At(seconds(75)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kCancel, What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kFinish).status, 504);
}

TEST_F(FetchTest, ANotSharedResponseMarksTheKeyAndGoesOn) {
  StartAs(First());
  fetch_->OnHead(At(milliseconds(50)), 1, Whole(10, ""), out_);
  Taken();

  fetch_->OnNotShared(out_);
  EXPECT_THAT(Taken(), ElementsAre(What::kRelease));
  EXPECT_EQ(Last(What::kRelease).end, End::kUncacheable);
  fetch_->OnBytes(1, 10);
  fetch_->OnEnd(At(milliseconds(60)), 1, out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kFinish));
}

TEST_F(FetchTest, AnAbandonedFillWithoutAHeadIsGivenUp) {
  StartAs(First());
  Taken();

  fetch_->OnAbandoned(true, out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kCancel, What::kRelease, What::kFinish));
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kAbandoned);
}

TEST_F(FetchTest, AnAbandonedFillGoesOnIfLittleIsMissing) {
  LeadWith(0);

  fetch_->OnAbandoned(true, out_);

  EXPECT_THAT(Taken(), IsEmpty());
}

TEST_F(FetchTest, AnAbandonedFillGoesOnIfMoreThanHalfIsHere) {
  FetchOptions options;
  options.abandon_remaining_bytes_max = 0;
  Make(options);
  LeadWith(501);
  fetch_->OnAbandoned(true, out_);
  EXPECT_THAT(Taken(), IsEmpty());
  Make(options);
  LeadWith(400);

  fetch_->OnAbandoned(true, out_);

  Taken();
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kAbandoned);
}

TEST_F(FetchTest, AfterItsEndNothingMoves) {
  LeadWith(1000);
  fetch_->OnEnd(At(milliseconds(90)), 1, out_);
  Taken();

  fetch_->OnClaimAnswer(At(seconds(1)), First(), out_);
  fetch_->OnLeaseLost(At(seconds(1)), out_);
  fetch_->OnHead(At(seconds(1)), 1, Whole(1), out_);
  fetch_->OnFailure(At(seconds(1)), 1, FetchFailure::kBroken, "", out_);
  fetch_->OnEnd(At(seconds(1)), 1, out_);
  fetch_->OnAbandoned(true, out_);
  fetch_->OnDeadline(At(seconds(100)), out_);

  EXPECT_THAT(Taken(), IsEmpty());
}

TEST_F(FetchTest, AnAbandonedFillThatCannotBeKeptIsGivenUp) {
  LeadWith(900);

  fetch_->OnAbandoned(false, out_);

  Taken();
  EXPECT_EQ(Last(What::kFinish).finish, Finish::kAbandoned);
}

TEST_F(FetchTest, WithoutAClaimItAsksTheOriginAtOnceAndMayBeWaitedFor) {
  fetch_->StartWithoutClaim(At(milliseconds(0)), out_);

  EXPECT_THAT(Taken(), ElementsAre(What::kAskOrigin));
  EXPECT_EQ(fetch_->RankForReaders(), 0);
  EXPECT_EQ(fetch_->stats().origin_unclaimed, 0u);
}

// Whatever the world answers, a fetch ends: with every request closed, the claim released once, and
// a bounded number of requests.
class HostileWorld {
 public:
  explicit HostileWorld(uint64_t seed) : rng_(seed), fetch_(FetchOptions{}, Proxy(1)) {}

  void Run() {
    fetch_.Start(now_, out_);
    for (int step = 0; step < 100'000 && !fetch_.done(); ++step) {
      Obey();
      if (!fetch_.done()) Disturb();
    }
    Obey();
    ASSERT_TRUE(fetch_.done());
    EXPECT_FALSE(claim_open_);
    EXPECT_TRUE(open_.empty());
    EXPECT_LE(requests_, 64);
    EXPECT_EQ(finishes_, 1);
    EXPECT_EQ(fetch_.NextDeadline(), kNever);
  }

 private:
  void Obey() {
    Fetch::Out actions = std::move(out_);
    out_.clear();
    for (const FetchAction& action : actions) {
      switch (action.what) {
        case What::kClaim:
          EXPECT_FALSE(claim_open_);
          claim_open_ = true;
          break;
        case What::kRelease:
          EXPECT_TRUE(claim_open_);
          claim_open_ = false;
          break;
        case What::kAskPeer:
        case What::kAskOrigin:
          ++requests_;
          open_.push_back(action.attempt);
          break;
        case What::kCancel:
          std::erase(open_, action.attempt);
          break;
        case What::kFinish:
          ++finishes_;
          break;
        default:
          break;
      }
    }
  }

  void Disturb() {
    const int attempt = open_.empty() ? 1 : open_[rng_.Below(open_.size())];
    switch (rng_.Below(9)) {
      case 0:
        return Answer();
      case 1:
        fetch_.OnHead(now_, attempt, rng_.Chance(0.5) ? Whole(1000) : Part(fetch_.have(), 1000),
                      out_);
        return;
      case 2:
        fetch_.OnBytes(attempt, rng_.Below(30));
        return;
      case 3:
        std::erase(open_, attempt);
        fetch_.OnFailure(now_, attempt, static_cast<FetchFailure>(rng_.Below(7)), "x", out_);
        return;
      case 4:
        if (fetch_.has_head()) return;
        std::erase(open_, attempt);
        fetch_.OnPeerAnswer(now_, attempt,
                            Says(static_cast<PeerAnswer::What>(rng_.Below(5)),
                                 {Proxy(static_cast<uint8_t>(rng_.Below(9)))}),
                            "x", out_);
        return;
      case 5:
        fetch_.OnSign(now_, attempt);
        return;
      case 6:
        if (rng_.Chance(0.1)) fetch_.OnLeaseLost(now_, out_);
        return;
      default:
        now_ += milliseconds(rng_.Below(500));
        if (now_ >= fetch_.NextDeadline()) fetch_.OnDeadline(now_, out_);
        // The driver's own timeout, between bytes.
        if (fetch_.has_head() && rng_.Chance(0.01)) {
          std::erase(open_, attempt);
          fetch_.OnFailure(now_, attempt, FetchFailure::kTimeout, "x", out_);
        }
    }
  }

  void Answer() {
    std::vector<ClaimResult::Holder> holders;
    for (uint64_t i = rng_.Below(5); i > 0; --i) {
      holders.push_back(HolderOf(static_cast<uint8_t>(rng_.Below(9))));
    }
    const uint64_t kind = rng_.Below(20);
    if (kind == 0) return fetch_.OnClaimAnswer(now_, Marked(), out_);
    if (kind == 1) return fetch_.OnClaimAnswer(now_, ClaimResult{}, out_);
    if (kind < 6) return fetch_.OnClaimAnswer(now_, First(), out_);
    fetch_.OnClaimAnswer(now_, Held(holders), out_);
  }

  Rng rng_;
  Instant now_ = At(milliseconds(0));
  Fetch fetch_;
  Fetch::Out out_;
  bool claim_open_ = false;
  std::vector<int> open_;
  int requests_ = 0;
  int finishes_ = 0;
};

TEST(FetchUnderAnyAnswers, EndsWithEverythingClosed) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    HostileWorld(seed).Run();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(StrongValidatorTest, IsTheStrongTagOrAnOldEnoughDate) {
  EXPECT_EQ(StrongValidator("\"a\"", "d", 0, 1000), "\"a\"");
  EXPECT_EQ(StrongValidator("W/\"a\"", "d", 0, 1000), "");
  EXPECT_EQ(StrongValidator("", "d", 940, 1000), "d");
  EXPECT_EQ(StrongValidator("", "d", 941, 1000), "");
  EXPECT_EQ(StrongValidator("", "d", 940, std::nullopt), "");
  EXPECT_EQ(StrongValidator("", "", std::nullopt, 1000), "");
}

HolderState Holder(int rank, bool has_head, uint64_t bytes) {
  return {.rank = rank, .has_head = has_head, .complete = false, .bytes = bytes};
}

TEST(MayAttachTest, EveryWaitDescends) {
  PeerAsk fresh;
  fresh.rank = 3;
  PeerAsk partial;
  partial.has_head = true;
  partial.have = 10;
  HolderState complete = Holder(3, true, 5);
  complete.complete = true;

  EXPECT_TRUE(MayAttach(fresh, Holder(0, false, 0)));
  EXPECT_FALSE(MayAttach(fresh, Holder(3, false, 0)));
  EXPECT_TRUE(MayAttach(fresh, Holder(3, true, 0)));
  EXPECT_FALSE(MayAttach(partial, Holder(0, false, 0)));
  EXPECT_FALSE(MayAttach(partial, Holder(0, true, 10)));
  EXPECT_TRUE(MayAttach(partial, Holder(3, true, 11)));
  EXPECT_TRUE(MayAttach(partial, complete));
}

}  // namespace
}  // namespace reef::http
