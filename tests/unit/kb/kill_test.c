/* kill_test.c: a process killed at any moment of indexing leaves an index that catches up to what a rebuild
 * gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "queue/base/log.h"
#include "tests/unit/kb/room.h"

#define ROUNDS 15 /* unless TEST_KILL_ROUNDS says more */

static const char *const WORDS[] = {"garage",  "refund",  "parcel", "kettle",
                                    "voucher", "courier", "garden", "teapot"};

/* Changes documents without end; writes one byte for each change-set. */
static _Noreturn void child_main(const struct room *room, int out, unsigned seed)
{
    struct store *store;
    struct kb *kb;

    if (store_open(room->store_uri, 64u << 20, 64, &store) != ERR_OK ||
        kb_open(store, room->index_dir, &kb) != ERR_OK) {
        _exit(1);
    }
    for (;;) {
        struct changes *cs = changes_new();
        for (int i = 0; i < 4; i++) {
            char id[32], text[160];
            seed = seed * 1103515245u + 12345u;
            unsigned pick = seed >> 16;
            snprintf(id, sizeof id, "doc_%u", pick % 40);
            snprintf(text, sizeof text, "The %s and the %s of day %u.", WORDS[pick % 8], WORDS[pick / 8 % 8],
                     pick % 23);
            json_t *doc =
                room_document(id, pick % 3 ? "col_1" : "col_2", WORDS[pick / 64 % 8], text, pick % 9 != 0);
            kb_document_prepare(doc);
            if (pick % 11 == 0) {
                changes_delete(cs, KIND_DOCUMENT, "p1", id);
            } else {
                changes_put(cs, KIND_DOCUMENT, "p1", id, doc);
            }
            json_decref(doc);
        }
        if (store_submit_wait(store, cs, NULL) != ERR_OK || write(out, "x", 1) != 1) {
            _exit(1);
        }
    }
}

/* Starts a child, lets it make some changes, kills it. */
static void child_run(const struct room *room, unsigned changes, unsigned seed)
{
    int fds[2], status;
    char byte;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child_main(room, fds[1], seed);
    }
    close(fds[1]);
    for (unsigned i = 0; i < changes; i++) {
        assert_int_equal(read(fds[0], &byte, 1), 1);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(fds[0]);
}

/* All answers as text. */
static char *answers(const struct room *room)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        for (int c = 1; c <= 2; c++) {
            char collection[16];
            const char *list = collection;
            struct kb_result result;
            struct kb_query query = {"p1", &list, 1, WORDS[i], "day 7", 50, NULL};
            snprintf(collection, sizeof collection, "col_%d", c);
            assert_int_equal(kb_search(room->kb, &query, room->arena, &result), ERR_OK);
            buf_addf(&text, "%s %s %.17g\n", collection, WORDS[i], result.confidence);
            for (size_t k = 0; k < result.count; k++) {
                buf_addf(&text, "%s %.17g %s\n", result.hits[k].chunk.id, result.hits[k].score,
                         result.hits[k].chunk.text);
            }
        }
    }
    return buf_take(&text, NULL);
}

/* How often to kill. */
static unsigned rounds(void)
{
    const char *given = getenv("TEST_KILL_ROUNDS");

    return given != NULL ? (unsigned)strtoul(given, NULL, 10) : ROUNDS;
}

static void test_kills(void **state)
{
    struct room room = {0};
    char command[128];
    unsigned count = rounds();

    (void)state;
    log_set(LOG_WARN, LOG_KEYVALUE);
    snprintf(room.dir, sizeof room.dir, "/tmp/kb_kill_XXXXXX");
    assert_non_null(mkdtemp(room.dir));
    snprintf(room.index_dir, sizeof room.index_dir, "%s/index", room.dir);
    snprintf(room.store_uri, sizeof room.store_uri, "lmdb:%s/store", room.dir);
    for (unsigned round = 0; round < count; round++) {
        room.arena = arena_new(64u << 20);
        child_run(&room, 1 + round * 3 % 60, round + 1);
        assert_int_equal(store_open(room.store_uri, 64u << 20, 64, &room.store), ERR_OK);
        assert_int_equal(kb_open(room.store, room.index_dir, &room.kb), ERR_OK);
        char *followed = answers(&room);
        room_reopen(&room, true);
        char *rebuilt = answers(&room);
        assert_true(strlen(rebuilt) > 200);
        assert_string_equal(followed, rebuilt);
        free(followed);
        free(rebuilt);
        kb_close(room.kb);
        store_close(room.store);
        arena_free(room.arena);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", room.dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
