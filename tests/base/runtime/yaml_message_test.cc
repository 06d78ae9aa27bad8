// SPDX-License-Identifier: Apache-2.0
#include "base/runtime/yaml_message.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/base/runtime/yaml_schema.pb.h"

namespace reef {
namespace {

namespace pb = google::protobuf;
using ::testing::HasSubstr;

Status ReadInto(std::string_view text, test::Config* message) {
  return ReadYaml(text, "reef.yaml", nullptr, message);
}

// What the document means, in protobuf's own text form.
std::string Meaning(std::string_view text) {
  test::Config message;
  const Status status = ReadInto(text, &message);
  return status.ok() ? message.ShortDebugString() : status.ToString();
}

struct Case {
  std::string name;
  std::string yaml;
  std::string expected;
};
std::string NameOf(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}
void PrintTo(const Case& value, std::ostream* out) {
  *out << value.yaml;
}

class MeaningTest : public testing::TestWithParam<Case> {};

TEST_P(MeaningTest, IsRead) {
  EXPECT_EQ(Meaning(GetParam().yaml), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, MeaningTest,
    testing::Values(
        Case{"Nothing", "", ""}, Case{"OnlyComment", "# nothing\n", ""},
        Case{"Text", "zone: nyud.net", R"(zone: "nyud.net")"},
        Case{"TextThatLooksLikeANumber", "zone: 1.50", R"(zone: "1.50")"},
        Case{"TextThatLooksLikeABool", "zone: no", R"(zone: "no")"},
        Case{"EmptyText", "zone: \"\"", R"(zone: "")"},
        Case{"FlowMap", "ports: {http: 80, dns: 0}", "ports { http: 80 dns: 0 }"},
        Case{"BlockMap", "ports:\n  http: 80\n", "ports { http: 80 }"},
        Case{"EmptyMessage", "ports:", "ports { }"},
        Case{"List", "join: [a, b]", R"(join: "a" join: "b")"},
        Case{"BlockList", "join:\n - a\n - b", R"(join: "a" join: "b")"},
        Case{"OneIsAListOfOne", "join: a", R"(join: "a")"}, Case{"EmptyList", "join: []", ""},
        Case{"NullList", "join:", ""},
        Case{"ListOfMessages", "extra: [{http: 1}, {dns: 2}]",
             "extra { http: 1 } extra { dns: 2 }"},
        Case{"PlainBytes", "memory_bytes: 4096", "memory_bytes: 4096"},
        Case{"BinaryBytes", "memory_bytes: 64MiB", "memory_bytes: 67108864"},
        Case{"DecimalBytes", "memory_bytes: 10GB", "memory_bytes: 10000000000"},
        Case{"Kilobytes", "memory_bytes: 2kB", "memory_bytes: 2000"},
        Case{"Milliseconds", "drain: 500ms", "drain { nanos: 500000000 }"},
        Case{"Seconds", "drain: 20s", "drain { seconds: 20 }"},
        Case{"Minutes", "drain: 5m", "drain { seconds: 300 }"},
        Case{"HoursAndMinutes", "drain: 1h30m", "drain { seconds: 5400 }"},
        Case{"NoTime", "drain: 0", "drain { }"},
        Case{"Durations", "steps: [1s, 2s]", "steps { seconds: 1 } steps { seconds: 2 }"},
        Case{"Enumeration", "level: info", "level: LOG_LEVEL_INFO"},
        Case{"Yes", "allow: true", "allow: true"}, Case{"No", "allow: false", "allow: false"},
        Case{"Negative", "offset: -7", "offset: -7"}, Case{"Real", "weight: 0.25", "weight: 0.25"},
        Case{"MapOfTexts", "labels: {a: 1, b: two}",
             R"(labels { key: "a" value: "1" } labels { key: "b" value: "two" })"},
        Case{"MapOfMessages", "origins: {www.x: {address: \"1:2\", tls: true}}",
             R"(origins { key: "www.x" value { address: "1:2" tls: true } })"},
        Case{"ShortForm", "origins: {www.x: 127.0.0.1:80}",
             R"(origins { key: "www.x" value { address: "127.0.0.1:80" } })"},
        Case{"ShortFormOfAList", "ns: {a: [x, y], b: z}",
             R"(ns { key: "a" value { addresses: "x" addresses: "y" } } )"
             R"(ns { key: "b" value { addresses: "z" } })"},
        Case{"Json", "{\"zone\": \"z\", \"ports\": {\"http\": 80}}",
             R"(zone: "z" ports { http: 80 })"}),
    NameOf);

class MistakeTest : public testing::TestWithParam<Case> {};

TEST_P(MistakeTest, IsNamedWithItsPlaceAndWhatWasExpected) {
  EXPECT_EQ(Meaning(GetParam().yaml), "INVALID_ARGUMENT: " + GetParam().expected);
}

constexpr std::string_view kSize = "expected a size, such as 64MiB, 10GB or a number of bytes";
std::string SizeError(std::string_view text) {
  return "reef.yaml:1: memory_bytes: \"" + std::string(text) + "\": " + std::string(kSize);
}
std::string TimeError(std::string_view text) {
  return "reef.yaml:1: drain: \"" + std::string(text) +
         "\": expected a duration, such as 500ms, 20s, 5m or 12h";
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, MistakeTest,
    testing::Values(
        Case{"NearMiss", "zone: a\nports:\n  htp: 80\n",
             "reef.yaml:3: ports.htp: unknown key; did you mean \"http\"?"},
        Case{"SwappedLetters", "mmeory_bytes: 1",
             "reef.yaml:1: mmeory_bytes: unknown key; did you mean \"memory_bytes\"?"},
        Case{"OtherCase", "Zone: a", "reef.yaml:1: Zone: unknown key; did you mean \"zone\"?"},
        Case{"UnknownKey", "ports: {gopher: 70}",
             "reef.yaml:1: ports.gopher: unknown key; expected one of http, dns"},
        Case{"ListForText", "zone: [a]", "reef.yaml:1: zone: a list: expected a text"},
        Case{"MapForText", "zone: {a: b}", "reef.yaml:1: zone: a map: expected a text"},
        Case{"NothingForText", "zone:", "reef.yaml:1: zone: an empty value: expected a text"},
        Case{"TextForMessage", "ports: 80",
             "reef.yaml:1: ports: \"80\": expected a map of http, dns"},
        Case{"TextForMap", "origins: a",
             "reef.yaml:1: origins: \"a\": expected a map, such as {name: value}"},
        Case{"NothingForMapValue", "origins: {a: }",
             "reef.yaml:1: origins.a: an empty value: expected what the name stands for"},
        Case{"WordForNumber", "offset: many",
             "reef.yaml:1: offset: \"many\": expected a whole number, -2147483648 to 2147483647"},
        Case{"NumberTooLarge", "ports: {http: 4294967296}",
             "reef.yaml:1: ports.http: \"4294967296\": expected a whole number, 0 to 4294967295"},
        Case{"NegativePort", "ports: {http: -1}",
             "reef.yaml:1: ports.http: \"-1\": expected a whole number, 0 to 4294967295"},
        Case{"WordForReal", "weight: 1.5kg", "reef.yaml:1: weight: \"1.5kg\": expected a number"},
        Case{"YesForTrue", "allow: yes", "reef.yaml:1: allow: \"yes\": expected true or false"},
        Case{"UnknownEnumeration", "level: loud",
             "reef.yaml:1: level: \"loud\": expected one of debug, info"},
        Case{"EnumerationNotSaid", "level: unspecified",
             "reef.yaml:1: level: \"unspecified\": expected one of debug, info"},
        Case{"UnknownSizeUnit", "memory_bytes: 64potatoes", SizeError("64potatoes")},
        Case{"AmbiguousSizeUnit", "memory_bytes: 64M", SizeError("64M")},
        Case{"FractionOfSize", "memory_bytes: 1.5GB", SizeError("1.5GB")},
        Case{"SizeOverflow", "memory_bytes: 16777216TiB", SizeError("16777216TiB")},
        Case{"TwoSizes", "memory_bytes: 1MiB1KiB", SizeError("1MiB1KiB")},
        Case{"NegativeSize", "memory_bytes: -1", SizeError("-1")},
        Case{"SizeBeyondItsType", "small_bytes: 5GB",
             "reef.yaml:1: small_bytes: \"5GB\": " + std::string(kSize)},
        Case{"TimeWithoutUnit", "drain: 20", TimeError("20")},
        Case{"UnknownTimeUnit", "drain: 20sec", TimeError("20sec")},
        Case{"TimeOverflow", "drain: 9000000h", TimeError("9000000h")},
        Case{"UnitAlone", "drain: s", TimeError("s")},
        Case{"KeyTwice", "zone: a\nzone: b\n", "reef.yaml:2: zone: given twice"},
        Case{"NameTwice", "origins:\n  a: x\n  a: y\n", "reef.yaml:3: origins.a: given twice"},
        Case{"ItemOfWrongKind", "join:\n  - a\n  - [b]\n",
             "reef.yaml:3: join[1]: a list: expected a text"},
        Case{"KeyIsAList", "[a]: b", "reef.yaml:1: a list: expected a name as key"},
        Case{
            "NotAMap", "just text",
            "reef.yaml:1: \"just text\": expected a map of zone, ports, join, memory_bytes, drain, "
            "level, allow, origins, labels, offset, weight, extra, ns, small_bytes, steps"},
        Case{"TwoDocuments", "zone: a\n---\nzone: b\n",
             "reef.yaml: holds several documents: expected one"}),
    NameOf);

TEST(YamlMessageTest, AllMistakesAreToldAtOnceInTheOrderOfTheFile) {
  const std::string meaning = Meaning("zoen: a\noffset: x\nports: {http: y}\n");

  EXPECT_THAT(meaning, HasSubstr("reef.yaml:1: zoen: unknown key; did you mean \"zone\"?\n"
                                 "reef.yaml:2: offset: \"x\""));
  EXPECT_THAT(meaning, HasSubstr("\nreef.yaml:3: ports.http: \"y\""));
}

TEST(YamlMessageTest, BrokenYamlIsNamedWithItsLine) {
  EXPECT_THAT(Meaning("zone: a\nports: {http: 80\n"), HasSubstr("reef.yaml:3: not YAML: "));
  EXPECT_THAT(Meaning("zone: a: b\n"), HasSubstr("reef.yaml:1: not YAML: "));
  EXPECT_THAT(Meaning("a: *absent\n"), HasSubstr("not YAML: "));
}

TEST(YamlMessageTest, ValuesAndKeysOfMapsPassTheCheck) {
  test::Config message;
  const ValueCheck check = [](const pb::FieldDescriptor& field, const std::string& value) {
    if (field.name() == "http" && value == "0") return "a port, 1 to 65535";
    if (field.name() == "origins" && value == "bad") return "a host name";
    return "";
  };

  const Status status =
      ReadYaml("ports: {http: 0, dns: 0}\norigins: {bad: 1.2.3.4:5, good: 1.2.3.4:5}", "reef.yaml",
               check, &message);

  EXPECT_EQ(status, InvalidArgument("reef.yaml:1: ports.http: \"0\": expected a port, 1 to 65535\n"
                                    "reef.yaml:2: origins.bad: \"bad\": expected a host name"));
}

TEST(YamlMessageTest, WrittenDocumentReadsBackToTheSameMessage) {
  test::Config message;
  ASSERT_TRUE(
      ReadInto("zone: \"true\"\nports: {http: 0}\njoin: [\"a: b\", \"\", \"#x\"]\n"
               "memory_bytes: 3GiB\nsmall_bytes: 1500\ndrain: 90s\nlevel: debug\nallow: false\n"
               "origins: {b: 1.2.3.4:5, a: {address: x, tls: true}}\nns: {n: [p, q], m: r}\n"
               "labels: {k: \"~\"}\noffset: -3\nweight: 0.1\nextra: [{http: 9}]\nsteps: [1ms, 0]",
               &message)
          .ok());

  const std::string text = WriteYaml(message);

  EXPECT_EQ(Meaning(text), message.ShortDebugString()) << text;
  EXPECT_THAT(text, HasSubstr("memory_bytes: 3GiB\n"));
  EXPECT_THAT(text, HasSubstr("drain: 90s\n"));
  EXPECT_THAT(text, HasSubstr("  b: 1.2.3.4:5\n"));
}

TEST(YamlMessageTest, AbsentValuesAreNotWrittenAndEmptyListsAre) {
  EXPECT_EQ(WriteYaml(test::Config()),
            "join: []\norigins: {}\nlabels: {}\nextra: []\nns: {}\nsteps: []\n");
}

TEST(YamlMessageTest, OneValueCanBeSetByItsPath) {
  test::Config message;

  EXPECT_TRUE(SetYamlValue("ports.http", "81", "--http", nullptr, &message).ok());
  EXPECT_TRUE(SetYamlValue("join", "a", "--join", nullptr, &message).ok());
  EXPECT_TRUE(SetYamlValue("join", "b: c", "--join", nullptr, &message).ok());
  EXPECT_EQ(message.ShortDebugString(), R"(ports { http: 81 } join: "a" join: "b: c")");

  EXPECT_EQ(SetYamlValue("ports.dns", "x", "--dns", nullptr, &message),
            InvalidArgument("--dns: \"x\": expected a whole number, 0 to 4294967295"));
}

class YamlFileTest : public testing::Test {
 protected:
  YamlFileTest() {
    std::string name = testing::TempDir() + "yaml-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~YamlFileTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(YamlFileTest, ErrorsCarryThePathAsGiven) {
  const std::string path = folder_ + "/my.yaml";
  std::ofstream(path) << "\nnone: 1\n";
  test::Config message;

  EXPECT_THAT(ReadYamlFile(path, nullptr, &message).ToString(),
              HasSubstr(path + ":2: none: unknown key"));
}

TEST_F(YamlFileTest, FileThatCannotBeReadIsNamedWithTheReason) {
  test::Config message;

  const Status absent = ReadYamlFile(folder_ + "/absent.yaml", nullptr, &message);
  EXPECT_EQ(absent, NotFound("read " + folder_ + "/absent.yaml: No such file or directory"));

  const Status directory = ReadYamlFile(folder_, nullptr, &message);
  EXPECT_EQ(directory, FailedPrecondition("read " + folder_ + ": Is a directory"));
}

}  // namespace
}  // namespace reef
