/* main.c: one binary, daemon and command line. */
#include "bridge/cli/cli.h"

#include <locale.h>
#include <string.h>

#include "kb/source/extract.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "extract") == 0) { /* the daemon's own child, see kb/source/extract.h */
        return extract_child(argc - 1, argv + 1);
    }
    setlocale(LC_CTYPE, "C.UTF-8"); /* international host names are folded only under a UTF-8 locale */
    return cli_main(argc, argv);
}
