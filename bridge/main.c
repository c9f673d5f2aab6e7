/* main.c: one binary, daemon and command line; everything is in bridge/cli. */
#include "bridge/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
