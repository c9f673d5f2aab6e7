/* main.c: one binary, daemon and command line. */
#include "bridge/cli/cli.h"

#include <locale.h>

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* international host names are folded only under a UTF-8 locale */
    return cli_main(argc, argv);
}
