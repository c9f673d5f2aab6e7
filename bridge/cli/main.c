/* main.c: one binary, daemon and command line. */
#include "bridge/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
