/* key_cursor_fuzz.c: the two opaque texts a caller hands back to us: API keys and cursors.
 *
 * Input: the list's name, a line feed, the text. No text that we did not make is a cursor; what we make reads
 * back the same, for its own list only, and not when one character of it is changed. A key with one character
 * changed is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/api/cursor.h"
#include "bridge/api/keys.h"
#include "queue/base/crypto.h"
#include "tests/fuzz/fuzz.h"

#define POSITION_MAX 2048

void fuzz_start(void)
{
    char dir[] = "/tmp/chasqui-fuzz-XXXXXX";

    CHECK(mkdtemp(dir) != NULL);
    char *path = xasprintf("%s/master.key", dir);
    CHECK(crypto_master_key_create(path) == ERR_OK);
    unlink(path);
    rmdir(dir);
    free(path);
}

static void keys(const char *text, size_t pick)
{
    char key[KEY_TEXT_SIZE];

    CHECK(!key_is(text) || strlen(text) == KEY_TEXT_SIZE - 1);
    key_make(pick % 2 == 0 ? MODE_LIVE : MODE_TEST, key);
    CHECK(key_is(key));
    size_t at = pick % (KEY_TEXT_SIZE - 1);
    key[at] = key[at] == 'a' ? 'b' : 'a';
    CHECK(!key_is(key));
}

/* A position goes out as a cursor and comes back. */
static void there_and_back(const char *list, const char *position, size_t pick)
{
    struct buf cursor, back;

    buf_init(&cursor, 2 * POSITION_MAX);
    buf_init(&back, 2 * POSITION_MAX);
    CHECK(cursor_make(list, position, &cursor) == ERR_OK && buf_ok(&cursor));
    CHECK(cursor_read(list, buf_str(&cursor), &back) == ERR_OK && strcmp(buf_str(&back), position) == 0);
    buf_reset(&back);
    CHECK(cursor_read("another list", buf_str(&cursor), &back) == ERR_INVALID && back.len == 0);
    char *altered = xstrdup(buf_str(&cursor));
    size_t at = pick % strlen(altered);
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    CHECK(cursor_read(list, altered, &back) == ERR_INVALID && back.len == 0);
    free(altered);
    buf_fini(&cursor);
    buf_fini(&back);
}

void fuzz_one(const char *data, size_t size)
{
    struct buf position;
    size_t pick = fuzz_pick(data, size, 1, 1u << 20);
    char *list = fuzz_line(&data, &size);
    char *text = fuzz_text(data, size);

    keys(text, pick);
    buf_init(&position, POSITION_MAX);
    CHECK(cursor_read(list, text, &position) == ERR_INVALID && position.len == 0);
    if (strlen(text) <= POSITION_MAX && strcmp(list, "another list") != 0) {
        there_and_back(list, text, pick);
    }
    buf_fini(&position);
    free(text);
    free(list);
}
