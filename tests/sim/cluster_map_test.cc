// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace reef::sim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A node of a cluster at level 1.
MapPoint In(uint64_t cluster, double x, double y) {
  MapPoint point;
  point.x = x;
  point.y = y;
  point.cluster_by_level[1] = cluster;
  return point;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(ClusterMapTest, TheLargestClusterComesFirst) {
  const std::vector<MapPoint> points = {In(7, 0, 0), In(3, 0, 0), In(3, 1, 0), In(2, 0, 0)};

  EXPECT_THAT(ClusterSizes(points, 1),
              ElementsAre(ClusterSize{3, 2}, ClusterSize{2, 1}, ClusterSize{7, 1}));
}

TEST(ClusterMapTest, EachLevelIsADrawingOfItsOwn) {
  const std::vector<MapPoint> points = {In(7, 0, 0), In(3, 4, 1)};

  EXPECT_THAT(ClusterMapHtml(points, 0), HasSubstr("2 nodes in 1 cluster<"));
  EXPECT_THAT(ClusterMapHtml(points, 1), HasSubstr("2 nodes in 2 clusters, the largest of 1<"));
}

TEST(ClusterMapTest, ALargeClusterHasAColourAndALoneNodeARing) {
  const std::string html = ClusterMapHtml({In(7, 0, 0), In(7, 1, 0), In(3, 9, 4)}, 1);

  EXPECT_THAT(html, HasSubstr("<g style=\"fill:var(--c1)\">\n<use href=\"#disc\""));
  EXPECT_THAT(html, HasSubstr("<g class=\"other\">\n<use href=\"#ring\""));
}

TEST(ClusterMapTest, TheNinthClusterHasAnotherShape) {
  std::vector<MapPoint> points;
  for (int i = 0; i < 18; ++i) points.push_back(In(static_cast<uint64_t>(i) / 2, i, 0));

  EXPECT_THAT(ClusterMapHtml(points, 1),
              HasSubstr("<g style=\"fill:var(--c1)\">\n<use href=\"#wedge\""));
}

TEST(ClusterMapTest, ClustersWithoutAColourAreSummedUp) {
  std::vector<MapPoint> points;
  for (int i = 0; i < 80; ++i) points.push_back(In(static_cast<uint64_t>(i) / 2, i, 0));

  EXPECT_THAT(ClusterMapHtml(points, 1), HasSubstr("16 others <span class=\"num\">32</span>"));
}

TEST(ClusterMapTest, ALongIdIsNamedByItsFirstDigits) {
  const std::string html =
      ClusterMapHtml({In(0xa1b2c3d4e5f60718, 0, 0), In(0xa1b2c3d4e5f60718, 1, 0)}, 1);

  EXPECT_THAT(html, HasSubstr("<code>a1b2c3d4</code>"));
}

TEST(ClusterMapTest, APointIsNamedWhenPointedAt) {
  MapPoint point = In(1, 0, 0);
  point.label = "node <7>";

  EXPECT_THAT(ClusterMapHtml({point}, 1), HasSubstr("<title>node &lt;7&gt;</title></use>"));
}

TEST(ClusterMapTest, NorthIsUp) {
  const std::string html = ClusterMapHtml({In(1, 0, 0), In(2, 0, 10)}, 1);

  // The square is as tall as it may be; each point is 12 wide.
  EXPECT_THAT(html, HasSubstr("y=\"558.0\" width=\"12.0\" height=\"12.0\"/><use"));
  EXPECT_THAT(html, HasSubstr("y=\"6.0\" width=\"12.0\" height=\"12.0\"/></g>"));
}

TEST(ClusterMapTest, NodesInOnePlaceAreDrawnInTheMiddle) {
  EXPECT_THAT(ClusterMapHtml({In(1, 5, 5), In(1, 5, 5)}, 1),
              HasSubstr("<use href=\"#disc\" x=\"354.0\""));
}

TEST(ClusterMapTest, ANodeWithoutAPlaceIsCountedAndNotDrawn) {
  const std::string html =
      ClusterMapHtml({In(1, 0, 0), In(1, std::numeric_limits<double>::quiet_NaN(), 0)}, 1);

  EXPECT_THAT(html, HasSubstr("1 node without a place"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(ClusterMapTest, EveryNodeIsDrawnOnce) {
  std::vector<MapPoint> points;
  for (uint64_t i = 0; i < 2000; ++i) {
    points.push_back(In(i % 40, static_cast<double>(i % 97), static_cast<double>(i % 61)));
  }

  EXPECT_EQ(Count(ClusterMapHtml(points, 1), "<use href=\"#disc\" x="), 8 * 50u);
  EXPECT_EQ(Count(ClusterMapHtml(points, 1), "<use href=\"#ring\" x="), 16 * 50u);
}

}  // namespace
}  // namespace reef::sim
