"""The same shapes as in the root CMakeLists.txt: a library a folder, one test a folder."""

# -Wrestrict: g++ 12 sees overlap in "text" + std::string (its bug 105651).
COPTS = ["-Wno-restrict", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]

def reef_library(name, srcs = None, hdrs = None, deps = [], exceptions = False, **kwargs):
    """All sources of the folder, unless told otherwise; without exceptions unless asked for."""
    native.cc_library(
        name = name,
        srcs = native.glob(["*.cc"]) if srcs == None else srcs,
        hdrs = native.glob(["*.h"]) if hdrs == None else hdrs,
        copts = COPTS + ([] if exceptions else ["-fno-exceptions"]),
        visibility = ["//visibility:public"],
        deps = deps,
        **kwargs
    )

def reef_test(name, deps = [], srcs = None, **kwargs):
    native.cc_test(
        name = name,
        srcs = native.glob(["*_test.cc", "*.h"]) if srcs == None else srcs,
        copts = COPTS,
        deps = deps + ["@debian//:gtest_main"],
        **kwargs
    )

def reef_proto(name, src):
    """Messages and gRPC code of one .proto of this folder, included as proto/NAME.pb.h."""
    stem = src[:-len(".proto")]
    hdrs = [stem + ".pb.h", stem + ".grpc.pb.h"]
    srcs = [stem + ".pb.cc", stem + ".grpc.pb.cc"]
    native.genrule(
        name = name + "_gen",
        srcs = [src],
        outs = hdrs + srcs,
        cmd = ("$(location @debian//:protoc) -I . --cpp_out=$(GENDIR) --grpc_out=$(GENDIR) " +
               "--plugin=protoc-gen-grpc=$(location @debian//:grpc_cpp_plugin) $(SRCS)"),
        tools = ["@debian//:grpc_cpp_plugin", "@debian//:protoc"],
    )
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        visibility = ["//visibility:public"],
        deps = ["@debian//:grpc++"],
    )
