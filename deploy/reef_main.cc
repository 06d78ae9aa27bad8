// SPDX-License-Identifier: Apache-2.0
//
// reef: the one program; its verbs are in deploy/cli.
#include "deploy/cli/cli.h"

int main(int argc, char** argv) {
  return reef::deploy::RunCli(argc, argv);
}
