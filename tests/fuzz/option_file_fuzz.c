/* option_file_fuzz.c: the configuration file, any bytes in it.
 *
 * A refusal has a sentence with the place; what is taken stays taken when its values are checked again;
 * nothing of a secret is in the sentence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue/base/option_int.h"
#include "tests/fuzz/fuzz.h"

static int file = -1;
static char path[64];

void fuzz_start(void)
{
    file = memfd_create("options", MFD_CLOEXEC);
    CHECK(file >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
}

/* Each taken text has its row's type and range. */
static void check_layer(const struct option_layer *layer)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        int64_t number = 0;
        const char *text = layer->text[id];
        CHECK(text == NULL ||
              option_value_parse(option_row((enum option_id)id), text, &number, NULL) == ERR_OK);
    }
}

void fuzz_one(const char *data, size_t size)
{
    struct option_layer layer = {{NULL}};
    struct buf why;

    CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    buf_init(&why, 4096);
    enum err rc = option_file_read(path, &layer, &why);
    CHECK(buf_ok(&why));
    if (rc == ERR_OK) {
        CHECK(why.len == 0);
        check_layer(&layer);
    } else {
        CHECK(rc == ERR_INVALID && strncmp(buf_str(&why), path, strlen(path)) == 0);
        CHECK(strchr(buf_str(&why), '\n') == NULL);
    }
    option_layer_fini(&layer);
    buf_fini(&why);
}
